"""Grids of pixels on which positions have kinks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial.point_pixels import place_on


@final
@dataclass(frozen=True, eq=False)
class Lattice:
    """A position that is spread over the pixels of a grid.

    column : the first of its two in the flux vector; frame : of the position; geometry : a pixel of the grid, which is
    at ``origin`` (x, y)
    """

    column: int
    frame: str
    geometry: WcsGeometry
    origin: tuple[int, int]

    @cached_property
    def _grid(self) -> PixelGrid:
        return PixelGrid(self.geometry)

    def place(self, position: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) of a position (2,) [deg], and their derivatives by it, (2, 2) [1/deg]."""
        at, jacobian = place_on(self._grid, float(position[0]), float(position[1]), self.frame)
        return at + np.array(self.origin), jacobian
