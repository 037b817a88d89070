"""Datasets of observations that have not been made: what a simulation draws from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from gm.datasets import MapDataset, SpectrumDataset
from gm.datasets.simulation import Recipe, Template
from gm.errors import DataError
from gm.makers.maps import MapDatasetMaker
from gm.makers.safe_mask import SafeMaskMaker
from gm.makers.spectra import SpectrumDatasetMaker
from gm.observations import Observation


@final
@dataclass(frozen=True, kw_only=True)
class ResponseRecipe(Recipe):
    """Datasets of an observation that is planned (`gm.observations.planned`). Raises `DataError` for missing responses.

    target : a spectrum or map without data, whose bins, region and pixels are those wanted
    safe_mask : which of its bins are safe; all, by default
    """

    observation: Observation
    target: SpectrumDataset | MapDataset
    containment_correction: bool = False
    use_region_center: bool = True
    safe_mask: tuple[SafeMaskMaker, ...] = ()
    acceptance: float = 1.0
    acceptance_off: float = 10.0

    def __post_init__(self) -> None:
        needs_psf = self.containment_correction or isinstance(self.target, MapDataset)
        needed = ("aeff", "edisp", "bkg", *(("psf",) if needs_psf else ()))
        missing = [part for part in needed if not self.observation.has(part)]
        if missing:
            found = ", ".join(self.observation.hdus) or "none"
            raise DataError(f"no {', '.join(missing)} to simulate '{self.names[0]}' with\n    found: {found}")

    def template(self) -> Template:
        """What the makers of a reduction make of the responses, with the background that these expect."""
        try:
            dataset = self._made()
            for maker in self.safe_mask:
                dataset, _ = maker.run(dataset, self.observation)
        except DataError as error:
            raise DataError(f"dataset {self.names[0]}: {error}") from error
        if not np.any(dataset.exposure > 0.0):
            raise DataError(f"dataset {self.names[0]}: no exposure, the field of view is elsewhere")
        template = Template(dataset=dataset.without_data(), mask_safe=dataset.mask_safe if self.safe_mask else None)
        if not self.on_off:
            return template
        shape = dataset.counts.shape
        return replace(
            template,
            acceptance=np.full(shape, self.acceptance),
            acceptance_off=np.full(shape, self.acceptance_off),
        )

    def _made(self) -> SpectrumDataset | MapDataset:
        target = self.target.with_(name=self.names[0])
        if isinstance(target, MapDataset):
            return MapDatasetMaker(("exposure", "background", "psf", "edisp")).run(target, self.observation)[0]
        selection = ("exposure", "background", "edisp")
        maker = SpectrumDatasetMaker(selection, self.containment_correction, self.use_region_center)
        return maker.run(target, self.observation)[0]
