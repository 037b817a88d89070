"""Pixels as an observation sees them: their distance from the pointing, and their place in the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import matrix


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixel centres of a grid. Observations of one grid, and of its parts, share them.

    vectors : (3, n_y, n_x) ICRS unit vectors, NaN off the sky; solid_angle : (n_y, n_x) [sr], 0 there
    """

    geometry: WcsGeometry
    vectors: Array
    solid_angle: Array

    @classmethod
    def of(cls, geometry: WcsGeometry) -> Pixels:
        """All pixels of a grid."""
        vectors = geometry.vectors()
        if geometry.frame != "icrs":
            vectors = np.einsum("ij,jyx->iyx", matrix(geometry.frame, "icrs"), vectors)
        return cls(geometry, vectors, np.nan_to_num(geometry.solid_angle()))

    def part(self, geometry: WcsGeometry) -> Pixels:
        """Those of a part of the grid; made anew where it is none."""
        at = geometry.offset_in(self.geometry)
        if (
            at is None
            or min(at) < 0
            or any(a + n > m for a, n, m in zip(at, geometry.shape, self.vectors.shape[1:], strict=True))
        ):
            return Pixels.of(geometry)
        y, x = (slice(a, a + n) for a, n in zip(at, geometry.shape, strict=True))
        return Pixels(geometry, self.vectors[:, y, x], self.solid_angle[y, x])

    def field_of_view(self, lon: float, lat: float) -> FieldOfView:
        """Where the pixels are for telescopes that point to an ICRS position [deg]."""
        ahead, east, north = np.einsum("ij,jyx->iyx", _axes(lon, lat), self.vectors)
        across = np.hypot(ahead, east)
        return FieldOfView(
            offset=np.degrees(np.arctan2(np.hypot(east, north), ahead)),
            lon=np.degrees(np.arctan2(-east, ahead)),
            lat=np.degrees(np.arctan2(north, across)),
        )


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """Places in the field of view (n_y, n_x) [deg]: distance from its centre, longitude towards *decreasing* right
    ascension, and latitude towards increasing declination. Source: Gammapy 2.1, ``FoVICRSFrame``."""

    offset: Array
    lon: Array
    lat: Array


def _axes(lon: float, lat: float) -> Array:
    """Unit vectors ahead, to the east and to the north, (3, 3)."""
    a, d = np.radians(lon), np.radians(lat)
    return np.array(
        [
            [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)],
            [-np.sin(a), np.cos(a), 0.0],
            [-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)],
        ]
    )
