"""Pixel integrals of ``conventions: exact``: against dense sums, sums over the sky, gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import (
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Shell2SpatialModel,
    ShellSpatialModel,
)
from gm.models.spatial.base import RadialModel

GEOMETRY = WcsGeometry.create(83.63, 60.0, 0.2, shape=(21, 24), projection="CAR")
GRID = PixelGrid(GEOMETRY, Conventions.EXACT)
PLACE = {"lon_0": 83.3, "lat_0": 60.13}
SHAPES: dict[str, RadialModel] = {
    "gauss": GaussianSpatialModel(**PLACE, sigma=0.31),
    "gauss, narrow": GaussianSpatialModel(**PLACE, sigma=0.004),
    "gauss, long": GaussianSpatialModel(**PLACE, sigma=0.3, e=0.9, phi=30.0),
    "gauss-general": GeneralizedGaussianSpatialModel(**PLACE, r_0=0.2, eta=0.8),
    "disk": DiskSpatialModel(**PLACE, r_0=0.71),
    "disk, long": DiskSpatialModel(**PLACE, r_0=0.7, e=0.6, phi=70.0, edge_width=0.2),
    "shell": ShellSpatialModel(**PLACE, radius=0.6, width=0.2),
    "shell2": Shell2SpatialModel(**PLACE, r_0=0.5, eta=0.4),
}


def dense(model: RadialModel, values: Array, pixel: tuple[int, int], k: int) -> float:
    """One pixel as the sum of k x k midpoints, with the solid angle of each from its sides."""
    y, x = pixel
    part = GEOMETRY.window(slice(y, y + 1), slice(x, x + 1)).upsample(k)
    return float(np.sum(model.evaluate(part.vectors(), values) * part.solid_angle()))


@pytest.mark.parametrize("name", SHAPES)
def test_pixels_are_those_of_dense_sums(name: str) -> None:
    model = SHAPES[name]
    values = model.values()
    image = model.integrate(GRID, values)
    peak = np.unravel_index(np.argmax(image), image.shape)
    for dy, dx in ((0, 0), (-1, 2), (3, 1)):
        pixel = int(peak[0]) + dy, int(peak[1]) + dx
        # Midpoints of 400 x 400 parts: 3e-6 where an edge runs through the pixel.
        assert image[pixel] == pytest.approx(dense(model, values, pixel, 400), rel=1e-5, abs=4e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_inside_the_map_is_whole(name: str) -> None:
    model = SHAPES[name]
    beyond = {
        "gauss, long": 5e-5,  # the norm is that of the flat sky
        "gauss-general": 5e-4,  # the tail leaves the map
        "disk": 1.5e-5,  # the smooth edge adds (edge_width / 2.33)^2 / 2
        "disk, long": 5e-3,
    }
    # The flat norm of shells is off by a few times the radius squared in radians, 1e-5.
    assert model.integrate(GRID, model.values()).sum() == pytest.approx(1.0, abs=beyond.get(name, 5e-5))


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "gauss, narrow"])
def test_the_gradient_is_that_of_differences(name: str) -> None:
    model = SHAPES[name]
    values = model.values()
    image, gradient = model.integrate_gradient(GRID, values)
    np.testing.assert_allclose(image, model.integrate(GRID, values), rtol=1e-10, atol=1e-14)
    for k in (0, 2):
        shift = np.zeros_like(values)
        shift[k] = 5e-4 * values[2]
        expected = (model.integrate(GRID, values + shift) - model.integrate(GRID, values - shift)) / (2 * shift[k])
        # Edges that cross the border of a pixel within the step: a few pixels are off by a percent, shells by more.
        off = np.linalg.norm(gradient[k] - expected) / np.linalg.norm(expected)
        assert off < (2e-2 if name.startswith("shell") else 2e-3), (k, off)
