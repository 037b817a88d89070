"""Energy dispersion matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.irf.edisp import migra_matrix, overlap_matrix
from gm.maps.axes import EnergyAxis

AXES = st.lists(st.floats(0.1, 100), min_size=2, max_size=12, unique=True).map(
    lambda e: EnergyAxis(np.array(sorted(e)))
)


@given(axis=AXES)
def test_equal_axes_give_the_identity(axis: EnergyAxis) -> None:
    np.testing.assert_allclose(overlap_matrix(axis, axis), np.eye(axis.n_bins), rtol=0, atol=1e-12)


@given(true=AXES, energy=AXES)
def test_overlaps_are_probabilities(true: EnergyAxis, energy: EnergyAxis) -> None:
    matrix = overlap_matrix(true, energy)
    assert (matrix >= 0).all()
    assert (matrix.sum(axis=1) <= 1 + 1e-12).all()
    inside = (true.lo >= energy.edges[0]) & (true.hi <= energy.edges[-1])
    np.testing.assert_allclose(matrix.sum(axis=1)[inside], 1, rtol=1e-12)


def test_a_bin_split_in_two() -> None:
    assert overlap_matrix(EnergyAxis(np.array([1.0, 3.0])), EnergyAxis(np.array([1.0, 1.5, 4.0]))).tolist() == [
        [0.25, 0.75]
    ]


def test_a_flat_migration_by_hand() -> None:
    """Density 0.5 on migra 0..2, true bin 1..4 with centre 2: uniform in E from 0 to 4."""
    matrix = migra_matrix(
        np.full((1, 4), 0.5),
        np.linspace(0, 2, 5),
        EnergyAxis(np.array([1.0, 4.0])),
        EnergyAxis(np.array([0.5, 1.0, 3.0, 9.0])),
    )
    assert matrix.tolist() == [[0.125, 0.5, pytest.approx(0.25)]]


def test_small_probabilities_are_dropped() -> None:
    """Below 1e-8 Gammapy 2.1 sets 0."""
    true, energy = EnergyAxis(np.array([0.9, 1.1])), EnergyAxis(np.array([0.5, 1.2, 2.0]))
    matrix = migra_matrix(np.array([[1.0, 1e-9]]), np.array([0.0, 1.05, 3.0]), true, energy)
    assert matrix[0, 0] > 0.5
    assert matrix[0, 1] == 0
