"""The point source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial import LAT, LON, SpatialModel

_STEP = 1e-5  # deg, for the derivatives of pixel coordinates by sky coordinates


@dataclass(frozen=True, eq=False, slots=True)
class PointPixels:
    """The four pixels around a point, and its share in each; pixels outside the map have none.

    x, y : (4,) pixel indices
    weight, d_lon, d_lat : (4,) shares, and their derivatives by position [1/deg]
    """

    x: IntArray
    y: IntArray
    weight: Array
    d_lon: Array
    d_lat: Array


class PointSpatialModel(SpatialModel):
    """Point source at lon_0, lat_0."""

    tags = ("PointSpatialModel", "point")
    defaults = (LON, LAT)

    def evaluation_radius(self, values: Array) -> float:
        return 0.0

    def pixels(self, grid: PixelGrid, values: Array, place: tuple[Array, Array] | None = None) -> PointPixels:
        """Bilinear shares ``(1 - |x - x0|) (1 - |y - y0|)`` of the four pixels around the position.

        ``place``: what `place` says of it, where that is known.
        """
        (x0, y0), jacobian = self.place(grid, values) if place is None else place
        if not np.isfinite([x0, y0]).all():
            none = np.zeros(4)
            return PointPixels(np.zeros(4, dtype=np.intp), np.zeros(4, dtype=np.intp), none, none, none)
        left, low = np.floor(x0), np.floor(y0)
        u, v = x0 - left, y0 - low
        along_x, along_y = np.array([1 - u, u, 1 - u, u]), np.array([1 - v, 1 - v, v, v])
        d_x, d_y = along_y * [-1, 1, -1, 1], along_x * [-1, -1, 1, 1]
        x, y = left + np.array([0, 1, 0, 1]), low + np.array([0, 0, 1, 1])
        n_y, n_x = grid.shape
        inside = (x >= 0) & (x < n_x) & (y >= 0) & (y < n_y)
        rows = np.stack([along_x * along_y, *(jacobian.T @ np.stack([d_x, d_y]))]) * inside
        x, y = np.clip(x, 0, n_x - 1).astype(np.intp), np.clip(y, 0, n_y - 1).astype(np.intp)
        return PointPixels(x, y, *rows)

    def place(self, grid: PixelGrid, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y), and their derivatives by lon_0 and lat_0, (2, 2) [1/deg], by differences."""
        lon, lat = float(values[0]), float(values[1])
        up, down = min(lat + _STEP, 90.0), max(lat - _STEP, -90.0)
        places = np.array([[lon, lon + _STEP, lon - _STEP, lon, lon], [lat, lat, lat, up, down]])
        pixels = np.stack(grid.geometry.position(places[0], places[1], self.frame))
        by_lon = (pixels[:, 1] - pixels[:, 2]) / (2 * _STEP)
        return pixels[:, 0], np.stack([by_lon, (pixels[:, 3] - pixels[:, 4]) / (up - down)], axis=1)

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        found = self.pixels(grid, values)
        return _spread(grid, found, found.weight)

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        found = self.pixels(grid, values)
        rows = [_spread(grid, found, row) for row in (found.weight, found.d_lon, found.d_lat)]
        return rows[0], np.stack(rows[1:])


def _spread(grid: PixelGrid, found: PointPixels, shares: Array) -> Array:
    image = np.zeros(grid.shape)
    np.add.at(image, (found.y, found.x), shares)
    return image
