"""A point on a grid of pixels: its share in each of the four around it, bilinear, as Gammapy 2.1 has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray
from gm.maps.pixel_grid import PixelGrid

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

    @classmethod
    def at(cls, grid: PixelGrid, place: tuple[Array, Array]) -> PointPixels:
        """Shares ``(1 - |x - x0|) (1 - |y - y0|)`` of the four pixels around what `place_on` gives."""
        (x0, y0), jacobian = place
        if not np.isfinite([x0, y0]).all():
            none = np.zeros(4)
            return cls(np.zeros(4, dtype=np.intp), np.zeros(4, dtype=np.intp), none, none, none)
        left, low = np.floor(x0), np.floor(y0)
        u, v = x0 - left, y0 - low
        along_x, along_y = np.array([1 - u, u, 1 - u, u]), np.array([1 - v, 1 - v, v, v])
        d_x, d_y = along_y * [-1, 1, -1, 1], along_x * [-1, -1, 1, 1]
        x, y = left + np.array([0, 1, 0, 1]), low + np.array([0, 0, 1, 1])
        n_y, n_x = grid.shape
        inside = (x >= 0) & (x < n_x) & (y >= 0) & (y < n_y)
        rows = np.stack([along_x * along_y, *(jacobian.T @ np.stack([d_x, d_y]))]) * inside
        x, y = np.clip(x, 0, n_x - 1).astype(np.intp), np.clip(y, 0, n_y - 1).astype(np.intp)
        return cls(x, y, *rows)

    def images(self, grid: PixelGrid) -> Array:
        """The shares and their derivatives by lon and lat on the whole grid, (3, ny, nx)."""
        images = np.zeros((3, *grid.shape))
        for image, shares in zip(images, (self.weight, self.d_lon, self.d_lat), strict=True):
            np.add.at(image, (self.y, self.x), shares)
        return images


def place_on(grid: PixelGrid, lon: float, lat: float, frame: str) -> tuple[Array, Array]:
    """Pixel coordinates (x, y) of a position [deg], and their derivatives by lon and lat, (2, 2) [1/deg], by
    differences."""
    up, down = min(lat + _STEP, 90.0), max(lat - _STEP, -90.0)
    places = np.array([[lon, lon + _STEP, lon - _STEP, lon, lon], [lat, lat, lat, up, down]])
    pixels = np.stack(grid.geometry.position(places[0], places[1], frame))
    by_lon = (pixels[:, 1] - pixels[:, 2]) / (2 * _STEP)
    return pixels[:, 0], np.stack([by_lon, (pixels[:, 3] - pixels[:, 4]) / (up - down)], axis=1)
