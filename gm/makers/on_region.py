"""The region that a spectrum is taken from: which events are inside, and where responses are taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.irf.tables import RadMax2D
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate
from gm.maps.sky_region import SkyRegion
from gm.observations import EventList, Observation

_SAME_RADIUS = 1e-3  # relative


@final
@dataclass(frozen=True, eq=False)
class OnRegion:
    """A region in the pixels of ``grid``; ``rad_max``: what point-like responses were cut at, None for others.

    Events are in the region as their pixel is: this is how Gammapy 2.1 decides it, and without meaning for the science.
    """

    region: SkyRegion
    grid: WcsGeometry
    rad_max: RadMax2D | None = None

    @classmethod
    def of(cls, dataset: SpectrumDataset | SpectrumDatasetOnOff, observation: Observation) -> Self:
        """The region of a dataset, if the responses of an observation hold for it; else `DataError`."""
        if dataset.region is None:
            raise DataError(f"dataset {dataset.name}: has no region to take events from")
        region = SkyRegion.from_file_region(dataset.region)
        n_x, n_y = dataset.region.wcs_shape[:2] or (1, 1)
        made = cls(region, WcsGeometry((n_y, n_x), dataset.region.wcs), observation.rad_max)
        made._check()
        return made

    def _check(self) -> None:
        if self.rad_max is None:
            if self.region.is_point:
                raise DataError("the region is a point, which only point-like responses with RAD_MAX make a region")
            return
        radius = self.radius()
        if self.region.is_point:
            return
        if radius is None or not self.rad_max.is_fixed:
            raise DataError("point-like responses hold for a point, or for a circle if RAD_MAX is one number")
        cut = float(self.rad_max.values.flat[0])
        if abs(radius - cut) > _SAME_RADIUS * cut:
            raise DataError(f"a circle of {radius:g} deg, but the responses are for RAD_MAX {cut:g} deg")

    @cached_property
    def center(self) -> tuple[float, float]:
        """ICRS position [deg] of the centre."""
        return _center(self.region)

    def radius(self) -> float | None:
        """Of a circle [deg]; None for anything else."""
        shapes = self.region.shapes
        return shapes[0].sizes[0] if len(shapes) == 1 and shapes[0].kind == "circle" else None

    def place(self) -> tuple[Array, Array]:
        """ICRS longitude and latitude [deg] of the centre, each of shape ()."""
        return np.asarray(self.center[0]), np.asarray(self.center[1])

    def offset(self, observation: Observation) -> float:
        """Distance [deg] of the centre from the pointing."""
        return float(observation.offsets(*self.place()))

    # events

    def select(self, events: EventList, observation: Observation) -> EventList:
        """The events inside."""
        if self.region.is_point:
            return events.select(within_rad_max(events, self.rad_max, self.center, self.offset(observation)))
        x, y = self.grid.position(events.lon, events.lat, "icrs")
        return events.select(self.region.contains_pixels(self.grid, x, y))

    def counts(self, energy: EnergyAxis, observation: Observation) -> Array:
        """``(n_energy,)`` counts of the events of an observation inside."""
        return histogram(energy, self.select(observation.events, observation))

    # responses

    def pixels(self) -> tuple[Array, Array, Array]:
        """ICRS positions ``(n,)`` [deg] of the pixels that the region touches, and the part of each that is inside."""
        if self.region.is_point:
            raise DataError("the region is a point, over which nothing can be averaged\n    use_region_center: true")
        y, x = np.nonzero(self._weights)
        return *rotate(*self.grid.sky(x, y), self.grid.frame, "icrs"), self._weights[y, x]

    def pixel_solid_angles(self) -> Array:
        """Solid angles ``(n,)`` [sr] of the pixels of `pixels`."""
        return self.grid.solid_angle()[np.nonzero(self._weights)]

    @cached_property
    def _weights(self) -> Array:
        return self.region.weights(self.grid)

    def solid_angle(self) -> float:
        """Area in pixels times the size of one [sr]; a union of shapes is counted in a hundredth of these."""
        shapes = [shape.to_pixels(self.grid) for shape in self.region.shapes]
        area = shapes[0].area() if len(shapes) == 1 else float(self._weights.sum())
        x, y = self.grid.pixel_scales()
        return area * float(np.radians(x) * np.radians(y))


def _center(region: SkyRegion) -> tuple[float, float]:
    lon, lat = rotate(*region.center(), region.frame, "icrs")
    return float(lon), float(lat)


def region_center(dataset: SpectrumDataset | SpectrumDatasetOnOff) -> tuple[float, float]:
    """ICRS position [deg] of the centre of a dataset's region. Raises `DataError` without one."""
    if dataset.region is None:
        raise DataError(f"dataset {dataset.name}: has no region")
    return _center(SkyRegion.from_file_region(dataset.region))


def within_rad_max(
    events: EventList, rad_max: RadMax2D | None, center: tuple[float, float], offset: float
) -> BoolArray:
    """``(n,)``: events not farther from an ICRS position [deg] than the cut at their energy and this offset [deg]."""
    assert rad_max is not None
    return np.asarray(events.separation(*center) <= rad_max.evaluate(events.energy, offset))


def histogram(energy: EnergyAxis, events: EventList) -> Array:
    """``(n_energy,)`` numbers of events in bins ``[low, high)``."""
    at = np.searchsorted(energy.edges, events.energy, side="right") - 1
    return np.bincount(at[(at >= 0) & (at < energy.n_bins)], minlength=energy.n_bins).astype(np.float64)
