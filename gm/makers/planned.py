"""Datasets of observations that have not been made: what a simulation draws from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from gm.datasets import MapDataset, SpectrumDataset
from gm.datasets.simulation import Recipe, Template
from gm.errors import DataError
from gm.makers.maps import MapDatasetMaker
from gm.makers.spectra import SpectrumDatasetMaker
from gm.observations import Observation
from gm.observations.planned import planned


@final
@dataclass(frozen=True, kw_only=True)
class ResponseRecipe(Recipe):
    """Datasets of DL3 responses: a spectrum or map without data, whose bins and pixels are those wanted.

    path, obs_id, pointing, livetime : as `gm.observations.planned.planned` takes them
    """

    target: SpectrumDataset | MapDataset
    path: Path
    obs_id: int | None = None
    pointing: tuple[float, float] | None = None
    livetime: float | None = None
    containment_correction: bool = False
    acceptance: float = 1.0
    acceptance_off: float = 10.0

    def template(self) -> Template:
        """What the makers of a reduction make of the responses, with the background that these expect."""
        observation = planned(self.path, self.obs_id, self.pointing, self.livetime)
        self._check_parts(observation)
        dataset = self._made(observation)
        if not np.any(dataset.exposure > 0.0):
            raise DataError(f"dataset {self.names[0]}: no exposure, the field of view of {self.path} is elsewhere")
        template = Template(dataset=dataset.without_data())
        if not self.on_off:
            return template
        shape = dataset.counts.shape
        return replace(
            template,
            acceptance=np.full(shape, self.acceptance),
            acceptance_off=np.full(shape, self.acceptance_off),
        )

    def _check_parts(self, observation: Observation) -> None:
        needs_psf = self.containment_correction or isinstance(self.target, MapDataset)
        needed = ("aeff", "edisp", "bkg", *(("psf",) if needs_psf else ()))
        missing = [part for part in needed if not observation.has(part)]
        if missing:
            wanted, found = ", ".join(missing), ", ".join(observation.hdus) or "none"
            raise DataError(f"{self.path}: no {wanted}, needed to simulate '{self.names[0]}'\n    found: {found}")

    def _made(self, observation: Observation) -> SpectrumDataset | MapDataset:
        target = self.target.with_(name=self.names[0])
        if isinstance(target, MapDataset):
            return MapDatasetMaker(("exposure", "background", "psf", "edisp")).run(target, observation)[0]
        selection = ("exposure", "background", "edisp")
        return SpectrumDatasetMaker(selection, self.containment_correction).run(target, observation)[0]
