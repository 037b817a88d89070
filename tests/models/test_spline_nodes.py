"""Shares of shapes at the nodes of a lattice, against moments inside of pixels, and their derivatives."""

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
from gm.models.spatial.pixel_nodes import Nodes
from gm.models.spatial.pixel_shares import PixelNodes
from gm.models.spatial.spline_nodes import SplineNodes

GRIDS = {
    "icrs": PixelGrid(WcsGeometry.create(83.63, 22.01, 0.1, shape=(25, 29)), Conventions.EXACT),
    "galactic": PixelGrid(
        WcsGeometry.create(184.5, -5.8, 0.1, shape=(27, 25), frame="galactic", projection="TAN"), Conventions.EXACT
    ),
}
AT = {"lon_0": 83.66, "lat_0": 21.97}
SHAPES: dict[str, RadialModel] = {
    "gauss, wide": GaussianSpatialModel(**AT, sigma=0.25),
    "gauss, narrow": GaussianSpatialModel(**AT, sigma=0.02),
    "gauss, long": GaussianSpatialModel(**AT, sigma=0.3, e=0.9, phi=30.0),
    "gauss-general": GeneralizedGaussianSpatialModel(**AT, r_0=0.3, eta=0.6, e=0.3, phi=-40.0),
    "gauss-general, cusp": GeneralizedGaussianSpatialModel(**AT, r_0=0.08, eta=1.0),
    "disk": DiskSpatialModel(**AT, r_0=0.5),
    "disk, long": DiskSpatialModel(**AT, r_0=0.5, e=0.7, phi=20.0, edge_width=0.2),
    "shell": ShellSpatialModel(**AT, radius=0.4, width=0.1),
    "shell2": Shell2SpatialModel(**AT, r_0=0.5, eta=0.5),
}


def response(grid: PixelGrid, nodes: Nodes, place: tuple[float, float]) -> Array:
    """A Gaussian of 2 pixels around a pixel coordinate, at the nodes of all pixels (n^2, ny, nx)."""
    y, x = np.indices(grid.shape)
    away = np.hypot(
        *(at + offset[:, None, None] - c for at, offset, c in zip((x, y), (nodes.x, nodes.y), place, strict=True))
    )
    return np.asarray(np.exp(-0.5 * (away / 2.0) ** 2))


@pytest.mark.parametrize("frame", GRIDS)
@pytest.mark.parametrize("name", SHAPES)
def test_what_a_pixel_sees(name: str, frame: str) -> None:
    """Sums over nodes against those of polynomials in each pixel, whose integrals divide it where an edge is.

    Splines through a Gaussian of 2 nodes are good to 5e-6 of its peak, with twice the nodes and polynomials to 5e-7.
    """
    shape, grid, pixels = SHAPES[name], GRIDS[frame], PixelNodes(6)
    values = shape.values()
    exact = pixels.shares(shape, grid, values)
    x, y = (float(a) for a in grid.geometry.position(values[0], values[1], "icrs"))
    for k, tolerance in ((1, 5e-6), (2, 5e-7)):
        nodes = SplineNodes(k)
        shares = nodes.shares(shape, grid, values)
        for d_x, d_y in ((0.0, 0.0), (1.3, -0.6), (-4.5, 2.0)):
            place = x + d_x, y + d_y
            expected = np.sum(exact * response(grid, pixels, place))
            assert np.sum(shares * response(grid, nodes, place)) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", SHAPES)
def test_gradient(name: str) -> None:
    """Of what a pixel sees, against differences: 1e-6 of the largest that a Gaussian of 2 pixels allows."""
    shape, grid, nodes = SHAPES[name], GRIDS["icrs"], SplineNodes(1)
    values = shape.values()
    x, y = (float(a) for a in grid.geometry.position(values[0], values[1], "icrs"))
    seen = response(grid, nodes, (x + 1.3, y - 0.6))
    gradient = nodes.shares_gradient(shape, grid, values, None, np.ones(len(values), dtype=bool))
    for k, path in enumerate(shape.paths):
        step = np.eye(len(values))[k] * (1e-2 if path == "phi" else 1e-4)
        up, down = (np.sum(seen * nodes.shares(shape, grid, values + sign * step)) for sign in (1, -1))
        assert np.sum(seen * gradient[k]) == pytest.approx((up - down) / (2 * step[k]), rel=1e-4, abs=1e-5), path


ENDS: dict[str, tuple[RadialModel, str, int]] = {
    "shell": (ShellSpatialModel(**AT, radius=0.0, width=0.4), "radius", 1),
    "shell2": (Shell2SpatialModel(**AT, r_0=0.4, eta=1.0), "eta", -1),
    "gauss": (GaussianSpatialModel(**AT, sigma=0.0), "sigma", 1),
}


@pytest.mark.parametrize("name", ENDS)
def test_gradient_where_a_parameter_ends(name: str) -> None:
    """On the side where there is something, against differences of a thousandth."""
    shape, path, side = ENDS[name]
    grid, nodes, values = GRIDS["icrs"], SplineNodes(1), shape.values()
    seen = response(grid, nodes, tuple(float(a) for a in grid.geometry.position(values[0], values[1], "icrs")))
    gradient = nodes.shares_gradient(shape, grid, values, None, np.ones(len(values), dtype=bool))
    k = shape.paths.index(path)
    step = side * 1e-3 * np.eye(len(values))[k]
    here, there, beyond = (np.sum(seen * nodes.shares(shape, grid, values + n * step)) for n in (0, 1, 2))
    expected = (4.0 * there - beyond - 3.0 * here) / (2.0 * step[k])
    assert np.sum(seen * gradient[k]) == pytest.approx(
        expected, rel=1e-2, abs=1e-3
    )  # a size of 0 is one of a thousandth


def test_what_does_not_move_has_no_gradient() -> None:
    shape, nodes = SHAPES["shell"], SplineNodes(1)
    moves = np.array([False, True, False, False])
    gradient = nodes.shares_gradient(shape, GRIDS["icrs"], shape.values(), None, moves)
    np.testing.assert_array_equal(gradient.any(axis=(1, 2, 3)), moves)


@pytest.mark.parametrize("name", ["gauss, wide", "gauss-general, cusp", "disk"])
def test_shares_hold_no_more_memory_than_they_need(name: str) -> None:
    """No derivatives behind them, which nobody has asked for."""
    shares = SplineNodes(2).shares(SHAPES[name], GRIDS["icrs"], SHAPES[name].values())
    assert shares.base is None or shares.base.nbytes == shares.nbytes


def test_all_flux_is_there_and_none_beyond_the_border() -> None:
    """Half of a disk whose centre is on the border, fading out within a pixel or two: 1e-3, and smoothly."""
    grid, nodes = GRIDS["icrs"], SplineNodes(1)
    whole = nodes.shares(SHAPES["disk"], grid, SHAPES["disk"].values())
    assert whole.sum() == pytest.approx(1.0, abs=2e-5)  # the soft edge
    lon, lat = (float(a) for a in grid.geometry.sky(-0.5, 12.0))
    shifted = [DiskSpatialModel(lon_0=lon + 0.002 * k, lat_0=lat, r_0=0.5) for k in range(5)]
    seen = [nodes.shares(shape, grid, shape.values()).sum() for shape in shifted]
    assert seen[0] == pytest.approx(0.5 * whole.sum(), abs=1e-3)
    assert np.abs(np.diff(seen, 2)).max() < 1e-5


BESIDE = {
    "disk": DiskSpatialModel(lon_0=0.0, lat_0=22.01, r_0=0.05),
    "gauss": GaussianSpatialModel(lon_0=0.0, lat_0=22.01, sigma=0.02),
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", BESIDE)
def test_nothing_negative_is_left_of_a_shape_that_leaves_the_grid(name: str, k: int) -> None:
    """Splines beyond the border reach in with either sign: -9 % of the flux. What is left is small."""
    shape, grid, nodes = BESIDE[name], GRIDS["icrs"], SplineNodes(k)
    values, every = shape.values(), np.ones(len(shape.paths), dtype=bool)
    places = np.linspace(0.5, 5.0, 46)
    sums = np.zeros(places.size)
    for i, place in enumerate(places):
        values[0] = grid.geometry.sky(-0.5 - place / k, 12.0)[0]
        sums[i] = nodes.shares(shape, grid, values).sum()
        step = 1e-5 * np.eye(values.size)[0]
        up, down = (nodes.shares(shape, grid, values + sign * step) for sign in (1, -1))
        gradient = nodes.shares_gradient(shape, grid, values, None, every)[0]
        np.testing.assert_allclose(gradient, (up - down) / 2e-5, atol=0.1)  # of up to 40 per deg
    assert min(sums) >= 0.0
    assert max(sums[places > 1.5]) < 0.01


def test_a_gaussian_is_the_same_as_points_and_as_values() -> None:
    """On both sides of the width from which it is taken at the nodes: what a pixel sees, to 1e-7."""
    grid, nodes = GRIDS["icrs"], SplineNodes(1)
    widths = np.array([0.149999, 0.150001])
    seen = []
    for sigma in widths:
        shape = GaussianSpatialModel(**AT, sigma=float(sigma))
        seen.append(np.sum(nodes.shares(shape, grid, shape.values()) * response(grid, nodes, (14.0, 12.0))))
    assert seen[0] == pytest.approx(seen[1], rel=3e-5)
