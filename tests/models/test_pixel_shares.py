"""Shares of shapes at nodes inside of pixels, and the rule for spectra in bins: `exact` conventions."""

from __future__ import annotations

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import DiskSpatialModel, EnergyBins, ExpCutoffPowerLawSpectralModel, GaussianSpatialModel
from gm.models.spatial.base import RadialModel
from gm.models.spatial.pixel_shares import PixelNodes

GRID = PixelGrid(WcsGeometry.create(83.63, 22.01, 0.1, shape=(21, 25)), Conventions.EXACT)
AT = {"lon_0": "83.66 deg", "lat_0": "21.97 deg"}
SHAPES: dict[str, RadialModel] = {
    "wide": GaussianSpatialModel(**AT, sigma="0.2 deg"),
    "narrow": GaussianSpatialModel(**AT, sigma="0.01 deg"),
    "disk": DiskSpatialModel(**AT, r_0="0.24 deg"),
}


@pytest.mark.parametrize("n", range(1, 7))
def test_polynomials(n: int) -> None:
    """One at its own node and 0 at the others; powers below n are reproduced everywhere."""
    nodes = PixelNodes(n)
    np.testing.assert_allclose(nodes.polynomials(nodes.x[:n]), np.eye(n), atol=1e-13)
    t = np.linspace(-0.5, 0.5, 11)
    for power in range(n):
        np.testing.assert_allclose(nodes.x[:n] ** power @ nodes.polynomials(t), t**power, rtol=0, atol=1e-13)
    assert nodes.weight.sum() == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("name", SHAPES)
def test_moments(name: str) -> None:
    """Shares add up to the pixel integrals, and have the shape's centroid: 1e-5, as a disk's norm is."""
    shape, nodes = SHAPES[name], PixelNodes(3)
    values = shape.values()
    shares = nodes.shares(shape, GRID, values)
    np.testing.assert_allclose(shares.sum(axis=0), shape.integrate(GRID, values), rtol=0, atol=1e-12)
    offsets = (nodes.x, nodes.y), np.indices(GRID.shape)[::-1]
    centroid = [(shares * (at + offset[:, None, None])).sum() for offset, at in zip(*offsets, strict=True)]
    place = [float(a) for a in GRID.geometry.position(*shape.position(values), "icrs")]
    np.testing.assert_allclose(centroid, place, rtol=1e-5)


@pytest.mark.parametrize("is_sampled", [False, True])
def test_gradient(is_sampled: bool) -> None:
    """Central differences: 1e-5 of the largest derivative."""
    shape, nodes = SHAPES["wide"], PixelNodes(2, is_sampled=is_sampled)
    values = shape.values()
    gradient = nodes.shares_gradient(shape, GRID, values, None, np.ones(len(values), dtype=bool))
    for k in range(3):
        step = np.eye(len(values))[k] * 1e-5
        up, down = (nodes.shares(shape, GRID, values + sign * step) for sign in (1, -1))
        np.testing.assert_allclose((up - down) / 2e-5, gradient[k], rtol=0, atol=1e-5 * np.abs(gradient[k]).max())


def test_bins_of_any_width() -> None:
    """Bins from a hundredth of a decade to three, against a rule with very many nodes."""
    model = ExpCutoffPowerLawSpectralModel(index=2.0, lambda_="0.1 TeV-1")
    axes = [np.geomspace(0.1, 0.11, 3), np.geomspace(0.03, 30.0, 2), np.geomspace(0.1, 100.0, 7)]
    got = model.band_integrals(EnergyBins(*axes, conventions=Conventions.EXACT), model.values())
    for axis, part in zip(axes, np.split(got, [2, 3]), strict=True):
        fine = np.unique(np.concatenate([np.geomspace(a, b, 4001) for a, b in zip(axis[:-1], axis[1:], strict=True)]))  # noqa: RUF007
        whole = model.band_integrals(EnergyBins(fine), model.values())
        np.testing.assert_allclose(part, whole.reshape(len(axis) - 1, -1).sum(axis=1), rtol=1e-6)
