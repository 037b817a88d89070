"""Shapes as points on rings: integrals over the sky, Fourier transforms that are known, and limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

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
from gm.models.spatial.offsets import Offsets
from gm.models.spatial.rings import RingLayout, steps_of

AT = {"lon_0": 83.63, "lat_0": 22.01}
ROUND: dict[str, RadialModel] = {
    "gauss": GaussianSpatialModel(**AT, sigma=0.3),
    "gauss-general": GeneralizedGaussianSpatialModel(**AT, r_0=0.2, eta=0.8),
    "gauss-general, flat": GeneralizedGaussianSpatialModel(**AT, r_0=0.4, eta=0.05),
    "disk": DiskSpatialModel(**AT, r_0=0.7),
    "disk, soft": DiskSpatialModel(**AT, r_0=0.7, edge_width=0.4),
    "shell": ShellSpatialModel(**AT, radius=0.6, width=0.1),
    "shell, thin": ShellSpatialModel(**AT, radius=0.6, width=0.001),
    "shell2": Shell2SpatialModel(**AT, r_0=0.5, eta=1.0),
}
LONG: dict[str, RadialModel] = {
    "gauss, long": GaussianSpatialModel(**AT, sigma=0.3, e=0.9, phi=30.0),
    "gauss-general, long": GeneralizedGaussianSpatialModel(**AT, r_0=0.15, eta=0.4, e=0.7, phi=-20.0),
    "disk, long": DiskSpatialModel(**AT, r_0=0.7, e=0.8, phi=70.0, edge_width=0.2),
}
RESOLUTION = 0.03


def points(model: RadialModel, values: Array) -> tuple[Array, Array, Array]:
    """Offsets to the east and to the north [rad], and fluxes."""
    vectors, flux = RingLayout.of(model, values, RESOLUTION).points(model, values)
    at = Offsets(vectors, values[0], values[1])
    return at.east, at.north, flux


@pytest.mark.parametrize("name", ROUND)
def test_fluxes_add_up_to_the_integral_over_the_sky(name: str) -> None:
    """``2 pi`` times the integral of density and sine, by adaptive quadrature between its edges: 1e-8."""
    model = ROUND[name]
    values = model.values()
    rings = model.rings(values[2:])

    def ring(s: float) -> float:
        at = Offsets.of(np.array([np.sin(s)]), np.zeros(1), np.array([np.cos(s)]), values[0], values[1])
        return float(2 * np.pi * np.sin(s) * model.surface(at, values[2:])[0])

    edges = np.radians(rings.major) * np.array(rings.edges)
    expected = sum(quad(ring, a, b, epsabs=1e-11, epsrel=1e-11, limit=200)[0] for a, b in pairwise(edges))
    assert points(model, values)[2].sum() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", LONG)
def test_elongated_shapes_are_those_of_the_pixels(name: str) -> None:
    """Against pixel integrals by division of cells: 1e-6."""
    model = LONG[name]
    grid = PixelGrid(WcsGeometry.create(83.63, 22.01, 0.1, shape=(60, 60)), Conventions.EXACT)
    expected = model.integrate(grid, model.values()).sum()
    assert points(model, model.values())[2].sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["gauss", "shell", "shell, thin", "shell2"])
def test_fourier_transforms(name: str) -> None:
    """Of a Gaussian, and of balls seen from far away, up to half a wave per resolution: 1e-5, as the sky is curved."""
    model = ROUND[name]
    values = model.values()
    east, _, flux = points(model, values)
    size = np.radians(values[2:])
    for wave in 2 * np.pi * np.array([0.02, 0.1, 0.3, 0.45]) / np.radians(RESOLUTION):
        if name == "gauss":
            expected = np.exp(-0.5 * (wave * size[0]) ** 2)
        else:
            inner, outer = (0.0, size[0]) if name == "shell2" else (size[0], size.sum())
            expected = (_ball(outer, wave) - _ball(inner, wave)) / (outer**3 - inner**3)
        assert np.sum(flux * np.cos(wave * east)) == pytest.approx(expected, abs=5e-5)


def _ball(radius: float, wave: float) -> float:
    """The transform of a ball of density 1 over that of all space, times the radius cubed."""
    x = wave * radius
    return float(3.0 * (np.sin(x) - x * np.cos(x)) / wave**3) if x else 0.0


@pytest.mark.parametrize("name", [*ROUND, *LONG])
def test_a_shape_of_no_size_is_a_point(name: str) -> None:
    """With the flux of a small one, and nothing that changes with its size."""
    model = (ROUND | LONG)[name]
    values, small = model.values(), model.values()
    sizes = np.array([path in ("sigma", "r_0", "radius", "width") for path in model.paths])
    values[sizes], small[sizes] = 0.0, 1e-4 * small[sizes]
    east, north, flux = points(model, values)
    assert np.hypot(east, north).max() < np.radians(0.1 * RESOLUTION)
    assert flux.sum() == pytest.approx(points(model, small)[2].sum(), rel=2e-2)  # the ratio of two sizes is not kept
    assert np.isfinite(steps_of(model, values, RESOLUTION)).all()


def test_the_core_is_the_density_times_a_gaussian() -> None:
    """Of a density that is flat there: ``pi core^2`` times the density in the centre, to the second order of both."""
    model = GeneralizedGaussianSpatialModel(**AT, r_0=3.0, eta=0.5)
    values = model.values()
    layout = RingLayout.of(model, values, RESOLUTION, core=0.01)
    _, flux = layout.points(model, values)
    at = Offsets.of(np.zeros(1), np.zeros(1), np.ones(1), values[0], values[1])
    density = model.surface(at, values[2:])[0]
    assert flux.sum() == pytest.approx(2 * np.pi * np.radians(0.01) ** 2 * density, rel=1e-4)
