"""Steps, verdicts and inverses of a whole matrix from its eigenvectors, against those of linear algebra as it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gm.arrays import Array
from gm.matrices.dense import DenseHessian

SEEDS = st.integers(0, 10_000)


def random(seed: int, n: int = 5) -> tuple[Array, Array]:
    """A positive definite matrix of parameters in units far apart, and a gradient."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n + 2))
    units = 10.0 ** rng.uniform(-12, 3, n)
    return root @ root.T * np.outer(units, units), rng.normal(size=n) * units


def least_squares(matrix: Array, gradient: Array, damping: float) -> Array:
    """The step by a decomposition of its own."""
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = matrix * np.outer(scale, scale) + damping * np.eye(scale.size)
    return np.asarray(-scale * np.linalg.lstsq(scaled, scale * gradient, rcond=1e-14)[0])


@given(SEEDS, st.sampled_from([0.0, 1e-10, 1e-4, 1.0, 1e8]))
def test_steps_are_those_of_least_squares(seed: int, damping: float) -> None:
    matrix, gradient = random(seed)
    hessian, expected = DenseHessian(matrix), least_squares(matrix, gradient, damping)
    scale = 1.0 / np.sqrt(matrix.diagonal())
    size = np.abs(expected / scale).max()
    np.testing.assert_allclose(hessian.newton(gradient, damping) / scale, expected / scale, rtol=1e-6, atol=1e-9 * size)


@given(SEEDS)
def test_a_saddle_is_stepped_to(seed: int) -> None:
    """As a solution of the equations: whether that is wanted is for others to say."""
    matrix, gradient = random(seed)
    matrix = matrix.copy()
    bound = np.sqrt(matrix[0, 0] * matrix[1, 1])
    matrix[0, 1] = matrix[1, 0] = 1.5 * bound  # no positive definite matrix has that
    step = DenseHessian(matrix).newton(gradient)
    scale = 1.0 / np.sqrt(matrix.diagonal())
    np.testing.assert_allclose(scale * (matrix @ step), -scale * gradient, atol=1e-9 * np.abs(step / scale).max())
    assert not DenseHessian(matrix).is_regular(0.0)


def test_along_a_direction_without_curvature_there_is_no_step() -> None:
    matrix = np.array([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 1e-20]])
    gradient = np.array([2.0, 2.0, 1e-10])
    step = DenseHessian(matrix).newton(gradient)
    np.testing.assert_allclose(step, [-0.25, -0.25, -1e10], rtol=1e-12)
    np.testing.assert_allclose(step, least_squares(matrix, gradient, 0.0), rtol=1e-12)
    covariance, weak = DenseHessian(matrix).inverse(1e-7)
    assert covariance is None
    ((eigenvalue, along),) = weak
    assert abs(eigenvalue) < 1e-15
    np.testing.assert_allclose(np.abs(along), [np.sqrt(0.5), np.sqrt(0.5), 0.0], atol=1e-12)


@given(SEEDS)
def test_the_inverse_is_twice_that_of_the_matrix(seed: int) -> None:
    matrix, _ = random(seed)
    hessian, scale = DenseHessian(matrix), 1.0 / np.sqrt(matrix.diagonal())
    smallest = np.linalg.eigvalsh(matrix * np.outer(scale, scale))[0]
    assert hessian.is_regular(0.5 * smallest)
    assert not hessian.is_regular(2.0 * smallest)
    covariance, weak = hessian.inverse(0.5 * smallest)
    assert covariance is not None
    assert not weak
    units = np.outer(scale, scale)
    np.testing.assert_allclose((np.asarray(covariance) / units) @ (matrix * units), 2.0 * np.eye(5), atol=1e-6)


def test_what_is_no_number_is_not_regular() -> None:
    for broken in (np.nan, np.inf):
        assert not DenseHessian(np.array([[1.0, broken], [broken, 1.0]])).is_regular(0.0)
        assert not DenseHessian(np.array([[broken, 0.0], [0.0, 1.0]])).is_regular(0.0)
    assert not DenseHessian(np.array([[0.0, 0.0], [0.0, 1.0]])).is_regular(0.0)
    assert DenseHessian(np.empty((0, 0))).is_regular(0.0)
    assert DenseHessian(np.empty((0, 0))).newton(np.empty(0)).shape == (0,)
