"""A bordered matrix against the whole one: every question, the same answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.arrays import Array
from gm.fit.steps import model_step
from gm.matrices import (
    BorderedCovariance,
    BorderedHessian,
    DenseHessian,
    Grouping,
    along,
    diagonal_covariance,
    no_covariance,
    placed,
    substituted,
)

SEEDS = st.integers(0, 10_000)


def bordered(seed: int, n_groups: int = 6, n_places: int = 2, n_shared: int = 3, n_rows: int = 6) -> BorderedHessian:
    """Of random rows for each group, some of whose places are empty, in a random order of the parameters."""
    random = np.random.default_rng(seed)
    present = random.random((n_groups, n_places)) > 0.25
    order = random.permutation(n_shared + np.count_nonzero(present))
    own = np.full((n_groups, n_places), -1)
    own[present] = order[n_shared:]
    hessian = BorderedHessian.zeros(Grouping(order.size, order[:n_shared], own))
    hessian.shared += np.eye(n_shared)
    units = 10.0 ** random.uniform(-3, 3, n_places + n_shared)
    for k in range(n_groups):
        rows = random.standard_normal((n_rows, n_places + n_shared)) * units
        rows[:, :n_places] *= present[k]
        square = rows.T @ rows
        hessian.own[k] += square[:n_places, :n_places]
        hessian.cross[k] += square[:n_places, n_places:]
        hessian.shared += square[n_places:, n_places:]
    return hessian


def assert_close(found: object, expected: object, rtol: float = 1e-8) -> None:
    scale = np.abs(np.asarray(expected)).max(initial=0.0)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=1e-10 * scale)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 7), st.integers(1, 3), st.integers(0, 3))
def test_same_as_the_whole_matrix(seed: int, n_groups: int, n_places: int, n_shared: int) -> None:
    random, hessian = np.random.default_rng(seed), bordered(seed, n_groups, n_places, n_shared)
    whole, n = DenseHessian(hessian.dense()), hessian.grouping.size
    vector, keep, scale = random.standard_normal(n), random.random(n) > 0.3, random.uniform(0.5, 2.0, n)
    assert_close(hessian.diagonal(), whole.diagonal())
    assert_close(hessian.times(vector), whole.times(vector))
    assert_close(hessian.among(keep).dense(), whole.among(keep).dense())
    assert_close(hessian.scaled(scale).dense(), whole.scaled(scale).dense())
    assert_close(hessian.damped(0.1).dense(), whole.damped(0.1).dense())
    assert_close(hessian.alone(keep, scale[keep]).dense(), whole.alone(keep, scale[keep]).dense())
    for k in range(n):
        mates = np.isin(np.arange(n), hessian.grouping.shared) | (hessian.grouping.group == hessian.grouping.group[k])
        row = np.where(mates if hessian.grouping.group[k] >= 0 else hessian.grouping.group < 0, vector, 0.0)
        assert_close(hessian.substituted(k, row).dense(), whole.substituted(k, row).dense())
    for damping in (0.0, 0.3):
        assert_close(hessian.newton(vector, damping), whole.newton(vector, damping))
    assert hessian.is_regular(1e-6) == whole.is_regular(1e-6)
    assert hessian.is_finite()
    found, expected = hessian.inverse(1e-7)[0], whole.inverse(1e-7)[0]
    assert found is not None
    assert expected is not None
    assert_close(found, expected)
    assert_close(along(found, vector), along(expected, vector))
    for k in range(n):
        group = hessian.grouping.group
        slopes = np.where((group < 0) | ((group == group[k]) & (group[k] >= 0)), vector, 0.0)
        assert_close(substituted(found, k, slopes), substituted(expected, k, slopes))
    for k in range(n):
        assert hessian.explained(k) == pytest.approx(whole.explained(k), rel=1e-6, abs=1e-8 * whole.diagonal()[k])


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans())
def test_a_step_within_limits(seed: int, all_pushed: bool) -> None:
    """Both ways of finding which limits hold end at the one minimum of a convex model."""
    random, hessian = np.random.default_rng(seed), bordered(seed, n_groups=12)
    n = hessian.grouping.size
    gradient = random.standard_normal(n) * np.sqrt(hessian.diagonal())
    room = np.abs(hessian.newton(gradient)) * random.uniform(0.0, 0.5 if all_pushed else 3.0, n)
    room[random.random(n) < 0.2] = 0.0
    move, promised = model_step(hessian, gradient, 1e-4, -room, room)
    expected, of_whole = model_step(DenseHessian(hessian.dense()), gradient, 1e-4, -room, room)
    assert_close(move, expected, 1e-7)
    assert promised == pytest.approx(of_whole, rel=1e-9)


@pytest.mark.parametrize("n_groups", [6, 300])
def test_directions_without_curvature(n_groups: int) -> None:
    """Few from the whole matrix, many by Lanczos: singular blocks, and a combination of a block and a shared one."""
    hessian = bordered(1, n_groups, 3, 2)
    full = np.flatnonzero(hessian.grouping.present.all(axis=1))[:2]
    for k, ways in zip(full, ([1.0, 2.0, 3.0], [1.0, -1.0, 0.5]), strict=True):
        hessian.own[k], hessian.cross[k] = np.outer(ways, ways), 0.0
    covariance, found = hessian.inverse(1e-6)
    none, expected = DenseHessian(hessian.dense()).inverse(1e-6)
    assert covariance is none is None
    assert len(found) == len(expected) == 4
    space, whole = (np.array([way for _, way in ways]) for ways in (found, expected))
    assert_close(space.T @ space, whole.T @ whole)
    np.testing.assert_allclose([value for value, _ in found], 0.0, atol=1e-12)
    assert not hessian.is_regular(1e-6)


def test_an_indefinite_block_is_found() -> None:
    hessian = bordered(3)
    hessian.own[2] -= 2.0 * np.diag(np.diag(hessian.own[2])) + np.diag(np.diag(hessian.own[2]) * -1.99)
    hessian = hessian.with_diagonal(np.abs(hessian.diagonal()))
    whole = DenseHessian(hessian.dense())
    assert hessian.is_regular(1e-6) == whole.is_regular(1e-6)
    assert len(hessian.inverse(1e-6)[1]) == len(whole.inverse(1e-6)[1])


def test_rows_and_pairs() -> None:
    hessian, random = bordered(2), np.random.default_rng(2)
    n = hessian.grouping.size
    meets = hessian.dense() != 0
    for k in range(n):
        slopes = random.standard_normal(n)
        whole = DenseHessian(hessian.dense()).with_row(k, np.where(meets[k], slopes, 0.0))
        assert_close(hessian.with_row(k, np.where(meets[k], slopes, 0.0)).dense(), whole.dense())
    rows, columns = np.nonzero(meets)
    values = random.standard_normal(rows.size)
    expected = hessian.dense()
    np.add.at(expected, (rows, columns), values)
    hessian.add(rows, columns, values)
    assert_close(hessian.symmetric().dense(), 0.5 * (expected + expected.T))


def test_those_that_are_moved_together_do_not_meet() -> None:
    hessian = bordered(5)
    parts = hessian.together()
    assert sorted(np.concatenate(parts).tolist()) == list(range(hessian.grouping.size))
    for part in parts:
        block = hessian.dense()[np.ix_(part, part)]
        np.testing.assert_array_equal(block, np.diag(np.diag(block)))
    assert len(parts) == 5


@pytest.fixture(name="both")
def made() -> tuple[BorderedCovariance, Array]:
    hessian = bordered(4)
    covariance = hessian.inverse(1e-7)[0]
    assert isinstance(covariance, BorderedCovariance)
    return covariance, np.asarray(covariance)


def test_a_covariance_answers_as_an_array_does(both: tuple[BorderedCovariance, Array]) -> None:
    covariance, whole = both
    n = len(whole)
    keep = np.arange(n) % 2 == 0
    assert covariance.shape == whole.shape
    assert len(covariance) == n
    assert covariance.any()
    assert_close(covariance.diagonal(), whole.diagonal())
    for key in ((1, 2), (slice(None), 1), (2, slice(None)), (slice(1, 4), slice(2, None)), np.ix_(keep, ~keep)):
        assert_close(covariance[key], whole[key])
    index = np.array([3, 0, 3])
    assert_close(covariance[index, index], whole[index, index])
    assert_close(covariance[:, index], whole[:, index])


def test_a_covariance_of_other_parameters(both: tuple[BorderedCovariance, Array]) -> None:
    """Left out, linked with a scale, and new ones; twice."""
    covariance, whole = both
    random = np.random.default_rng(1)
    source, slope = random.integers(-1, len(whole), 20), random.standard_normal(20)
    variances = random.uniform(1.0, 2.0, 20)
    once, expected = placed(covariance, source, slope, variances), placed(whole, source, slope, variances)
    assert_close(once, expected)
    again = random.integers(-1, 20, 15)
    assert_close(placed(once, again), placed(expected, again))


def test_variances_with_a_few_covariances() -> None:
    known, matrix = np.array([2, 0]), np.array([[4.0, 1.0], [1.0, 9.0]])
    covariance = diagonal_covariance(np.array([7.0, 1.0, 7.0, 2.0]), known, matrix)
    expected = np.diag([9.0, 1.0, 4.0, 2.0])
    expected[0, 2] = expected[2, 0] = 1.0
    np.testing.assert_array_equal(np.asarray(covariance), expected)
    np.testing.assert_array_equal(covariance.shared_positions(), [0, 2])
    np.testing.assert_array_equal(covariance.own_positions(), [1, 3])
    assert not no_covariance(3, is_dense=False).any()
