"""Off counts from regions at the same distance from the pointing as the region of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import final

import numpy as np

from gm.arrays import Array
from gm.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gm.irf.tables import RadMax2D
from gm.makers.exclusion import Exclusion
from gm.makers.maker import NoBackground
from gm.makers.on_off import on_off_dataset
from gm.makers.on_region import OnRegion, histogram, within_rad_max
from gm.makers.region_finders import OffRegions, ReflectedRegionsFinder, RegionsFinder
from gm.maps.axes import EnergyAxis
from gm.maps.rotation import rotate
from gm.maps.sphere import separation
from gm.observations import Observation


@final
@dataclass(frozen=True)
class ReflectedRegionsBackgroundMaker:
    """Counts of a dataset with off counts from regions around the pointing, outside of what is excluded.

    The acceptance is 1, that of the off counts the number of regions. Source: Gammapy 2.1,
    ``ReflectedRegionsBackgroundMaker``.
    """

    region_finder: RegionsFinder = field(default_factory=ReflectedRegionsFinder)
    exclusion: Exclusion = field(default_factory=Exclusion)

    def run(self, dataset: SpectrumDataset, observation: Observation) -> tuple[SpectrumDatasetOnOff, None]:
        """The dataset with an off measurement instead of a background. Raises `NoBackground`, `DataError`."""
        on = OnRegion.of(dataset, observation)
        off = self.region_finder.run(on.region, *observation.pointing_icrs(), self.exclusion)
        if not off.n:
            raise NoBackground(f"dataset {dataset.name}: no off region: {off.why_none}")
        if on.region.is_point:
            assert on.rad_max is not None
            counts_off = self._within_rad_max(dataset, observation, on, off, on.rad_max)
        else:
            counts_off = histogram(dataset.energy, observation.events.select(off.contains(observation.events)))
        return on_off_dataset(dataset, counts_off, 1.0, float(off.n), off.to_file_region()), None

    def _within_rad_max(
        self, dataset: SpectrumDataset, observation: Observation, on: OnRegion, off: OffRegions, rad_max: RadMax2D
    ) -> Array:
        """``(n_energy,)`` counts around all positions. Raises `NoBackground` when circles overlap."""
        sky = off.to_sky().shapes
        off_positions = [rotate(shape.lon[0], shape.lat[0], shape.frame, "icrs") for shape in sky]
        positions = [on.center, *((float(lon), float(lat)) for lon, lat in off_positions)]
        closest = min(float(separation(*one, *other)) for one, other in combinations(positions, 2))
        largest = largest_rad_max(rad_max, dataset.energy, on.offset(observation))
        if closest < 2.0 * largest:
            raise NoBackground(
                f"dataset {dataset.name}: regions of RAD_MAX {largest:.3g} deg overlap, {closest:.3g} deg apart\n"
                "    take fewer off regions"
            )
        events, counts = observation.events, np.zeros(dataset.energy.n_bins)
        for position in positions[1:]:
            offset = float(observation.offsets(*map(np.asarray, position)))
            counts += histogram(dataset.energy, events.select(within_rad_max(events, rad_max, position, offset)))
        return counts


def largest_rad_max(rad_max: RadMax2D, energy: EnergyAxis, offset: float) -> float:
    """The largest cut [deg] at an offset [deg] for energies of an axis, in bins of the table that reach into it."""
    if not rad_max.axes:
        return float(rad_max.values)
    axis = rad_max.axes[1]
    inside = (axis.hi >= energy.edges[0]) & (axis.lo <= energy.edges[-1])
    return float(np.max(rad_max.evaluate(axis.center, offset)[inside], initial=0.0))
