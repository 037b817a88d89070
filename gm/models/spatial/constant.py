"""The flat sky."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.maps.pixel_grid import PixelGrid
from gm.models.parametric import Default
from gm.models.spatial.base import ExtendedModel


class ConstantSpatialModel(ExtendedModel):
    """The same density everywhere. Gammapy writes it without parameters and without frame."""

    tags = ("ConstantSpatialModel", "const")
    value = Default(1.0, "sr-1", frozen=True)
    has_frame = False
    writes_defaults = False

    def position(self, values: Array) -> None:
        return None

    def evaluation_radius(self, values: Array) -> None:
        return None

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        return np.asarray(values[0] * grid.solid_angle)

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return np.full(vectors.shape[1:], values[0])

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        return np.full(vectors.shape[1:], values[0]), np.ones((1, *vectors.shape[1:]))
