"""Stacked responses: averages weighted with the exposure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gm.errors import DataError
from gm.irf.edisp_map import EdispKernelMap
from gm.irf.psf import PsfMap
from gm.irf.stacking import add_response
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry

TRUE = EnergyAxis(np.geomspace(0.1, 10, 3), "energy_true")
RECO = EnergyAxis(np.geomspace(0.1, 10, 4))
RAD = NodeAxis.from_edges("rad", np.linspace(0, 1, 3), "deg")
GRID = WcsGeometry.create(0.0, 0.0, 1.0, shape=(4, 5))
PART = (slice(1, 3), slice(0, 2))
RNG = np.random.default_rng(2)


def psf(value: float, exposure: float, shape: tuple[int, int]) -> PsfMap:
    geometry = GRID if shape == GRID.shape else GRID.window(*PART)
    return PsfMap(geometry, TRUE, RAD, np.full((2, 2, *shape), value), np.full((2, *shape), exposure))


def test_psfs_with_weights() -> None:
    weights = np.array([[True, False], [True, True]])
    total = add_response(psf(1.0, 1.0, (4, 5)), psf(5.0, 3.0, (2, 2)), weights, PART)
    assert total.exposure is not None
    assert np.array_equal(total.data[0, 0, 1:3, 0:2], [[4.0, 1.0], [4.0, 4.0]])
    assert np.array_equal(total.exposure[0, 1:3, 0:2], [[4.0, 1.0], [4.0, 4.0]])
    assert (total.data[..., 2:] == 1).all()


def test_without_exposure_there_is_no_response() -> None:
    everything = np.ones((4, 5), dtype=bool)
    total = add_response(psf(1.0, 0.0, (4, 5)), psf(2.0, 0.0, (4, 5)), everything, (slice(0, 4), slice(0, 5)))
    assert (total.data == 0).all()


def test_energy_dispersion_of_masked_bins() -> None:
    """A masked bin adds nothing to the matrix but its exposure counts: the rows sum to less than 1."""
    data, exposure = RNG.random((2, 3, 4, 5)), RNG.random((2, 4, 5))
    first = EdispKernelMap(GRID, TRUE, RECO, data, exposure)
    second = EdispKernelMap(GRID, TRUE, RECO, RNG.random((2, 3, 4, 5)), RNG.random((2, 4, 5)))
    weights = np.ones((3, 4, 5), dtype=bool)
    weights[0] = False
    total = add_response(first, second, weights, (slice(0, 4), slice(0, 5)))
    assert second.exposure is not None
    below = exposure + second.exposure
    np.testing.assert_allclose(total.data[:, 0], data[:, 0] * exposure / below, rtol=1e-12)
    expected = (data[:, 1] * exposure + second.data[:, 1] * second.exposure) / below
    np.testing.assert_allclose(total.data[:, 1], expected, rtol=1e-12)


def test_what_cannot_be_stacked() -> None:
    whole, everything = (slice(0, 4), slice(0, 5)), np.ones((4, 5), dtype=bool)
    one = psf(1.0, 1.0, (4, 5))
    with pytest.raises(DataError, match="without their exposure"):
        add_response(one, replace(one, exposure=None), everything, whole)
    with pytest.raises(DataError, match="reconstructed energy"):
        add_response(replace(one, energy=EnergyAxis(TRUE.edges)), one, everything, whole)
