"""Places inside of pixels at which responses are taken, and what of a shape belongs to each."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gm.arrays import Array, BoolArray
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial.base import SpatialModel


class Nodes(ABC):
    """The n x n nodes of a pixel. ``x``, ``y`` (n^2,): offsets from the centre [pixel]."""

    n: int
    x: Array
    y: Array

    @abstractmethod
    def shares(self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Flux at the nodes of every pixel, (n^2, ny, nx); (n_energy, n^2, ny, nx) where energy matters."""

    @abstractmethod
    def shares_gradient(
        self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None, moves: BoolArray
    ) -> Array:
        """Derivatives of `shares` by every parameter, (n_par, ...); of those that do not move they may be 0."""
