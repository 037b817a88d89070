"""The pixels of a map on the sky, for all observations of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixel centres of a grid. Observations of one grid, and of its parts, share them.

    lon, lat : (n_y, n_x) ICRS [deg], NaN off the sky; solid_angle : (n_y, n_x) [sr], 0 there
    """

    geometry: WcsGeometry
    lon: Array
    lat: Array
    solid_angle: Array

    @classmethod
    def of(cls, geometry: WcsGeometry) -> Pixels:
        """All pixels of a grid."""
        lon, lat = rotate(*geometry.grid(), geometry.frame, "icrs")
        return cls(geometry, lon, lat, np.nan_to_num(geometry.solid_angle()))

    def part(self, geometry: WcsGeometry) -> Pixels:
        """Those of a part of the grid; made anew where it is none."""
        at = geometry.offset_in(self.geometry)
        if at is None or min(at) < 0 or any(np.add(at, geometry.shape) > self.geometry.shape):
            return Pixels.of(geometry)
        y, x = (slice(start, start + n) for start, n in zip(at, geometry.shape, strict=True))
        return Pixels(geometry, self.lon[y, x], self.lat[y, x], self.solid_angle[y, x])
