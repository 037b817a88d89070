"""Map datasets on one grid of pixels, in bands of energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import IntArray
from gm.datasets import Datasets
from gm.datasets.kinds import is_map
from gm.datasets.map_dataset import SkyMap
from gm.errors import DataError, UsageError
from gm.estimators.bands import told_moved
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.units import convert


@final
@dataclass(frozen=True, eq=False)
class Bands:
    """energy : of the bands [TeV]; ranges : (n_bands, n_datasets, 2) the first and last + 1 energy bin of each; told :
    where they are not as asked."""

    datasets: tuple[SkyMap, ...]
    geometry: WcsGeometry
    energy: EnergyAxis
    ranges: IntArray
    told: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        datasets: Datasets,
        edges: Sequence[object] | None,
        *,
        needs_background: bool = False,
        one_kind: bool = False,
    ) -> Bands:
        """Between edges (numbers in TeV, or quantities), moved to the nearest of the first dataset; None: one band.

        Raises `DataError` for datasets that are no maps or on different pixels, with off counts where they
        ``need`` a background that is known, or both with and without where they are to be of ``one_kind``; and
        `UsageError` for the edges.
        """
        maps = _maps(datasets, needs_background)
        if one_kind and len({dataset.has_known_background for dataset in maps}) > 1:
            raise DataError(
                "maps with and without off counts do not sum up\n    select those of one kind with 'datasets'"
            )
        own, told = maps[0].energy.edges, tuple[str, ...]()
        if edges is not None:
            wanted = np.array([convert(edge, "TeV") for edge in edges])
            if wanted.size < 2 or not (np.diff(wanted) > 0).all() or wanted[0] <= 0:
                raise UsageError("energy_edges must be at least two positive energies, increasing")
            nearest = maps[0].nearest_bins(wanted)
            kept = np.unique(nearest)
            told = told_moved(zip(wanted.tolist(), own[nearest].tolist(), strict=True), nearest.size - kept.size)
            own = own[kept]
        own = own if edges is not None else own[[0, -1]]
        if own.size < 2:
            raise DataError(
                f"dataset {maps[0].name} has no energy bin between these edges"
                f"\n    its bins reach from {maps[0].energy.edges[0]:g} to {maps[0].energy.edges[-1]:g} TeV"
            )
        nearest = np.stack([dataset.nearest_bins(own) for dataset in maps], axis=1)
        return cls(maps, maps[0].geometry, EnergyAxis(own), np.stack([nearest[:-1], nearest[1:]], axis=2), told)

    def label(self, k: int) -> str:
        """A band in words."""
        return f"{self.energy.lo[k]:.4g} - {self.energy.hi[k]:.4g} TeV"


def _maps(datasets: Datasets, needs_background: bool) -> tuple[SkyMap, ...]:
    if not len(datasets):
        raise UsageError("no dataset was given")
    maps = tuple(dataset for dataset in datasets if is_map(dataset))
    other = next((dataset for dataset in datasets if not is_map(dataset)), None)
    if other is not None:
        raise DataError(f"dataset {other.name} is a {other.type} and has no pixels\n    leave it out of 'datasets'")
    for dataset in maps:
        if not dataset.geometry.same_as(maps[0].geometry):
            raise DataError(
                f"datasets {maps[0].name} and {dataset.name} are on different pixels"
                "\n    maps are made of datasets on one grid: select them with 'datasets'"
            )
        if needs_background and not dataset.has_known_background:
            raise DataError(
                f"dataset {dataset.name} has a background that off counts measure; this needs a known one"
                "\n    maps of type ts, excess and residual take off counts"
            )
    return maps
