"""What limits do to MIGRAD and to second derivatives, on functions whose derivatives are known."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.fit.covariance import observed_hessian
from gm.fit.minimizer import Minimizer, _Lowest


class Bowl:
    """``sum of (x - center)^2``, which `_hold` asks for its slope."""

    def __init__(self, center: Array) -> None:
        self.center = center

    def value(self, vector: Array) -> float:
        return float(np.sum((vector - self.center) ** 2))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        return self.value(vector), 2 * (vector - self.center)

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return 2 * np.eye(vector.size)

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        return None

    def n_cut_off(self, vector: Array) -> int:
        return 0


def test_only_what_is_pushed_against_its_own_limit_is_held() -> None:
    """Near either limit, pushed outwards and pulled inwards, and in the middle; what is pulled
    back later is free again."""
    lower, upper = np.zeros(6), np.ones(6)
    vector = np.array([5e-4, 5e-4, 1 - 5e-4, 1 - 5e-4, 0.5, 0.5])
    bowl = Bowl(np.array([-1.0, 0.3, 2.0, 0.7, -1.0, 2.0]))
    minimizer = Minimizer(bowl, lower, upper)
    minuit = minimizer._build(vector, bowl.information(vector), _Lowest(vector, bowl.value(vector)))
    assert minimizer._hold(minuit)
    assert list(minuit.fixed) == [True, False, True, False, False, False]
    assert list(minuit.values) == [0.0, *vector[1:2], 1.0, *vector[3:]]
    assert not minimizer._hold(minuit)
    bowl.center = np.array([0.3, -1.0, 2.0, 2.0, 0.5, 0.5])
    assert minimizer._hold(minuit)
    assert list(minuit.fixed) == [False, True, True, True, False, False]
    minuit.migrad()
    np.testing.assert_allclose(np.array(minuit.values), [0.3, 0.0, 1.0, 1.0, 0.5, 0.5], atol=1e-6)


def cubic() -> tuple[Array, Array]:
    """A symmetric matrix A and a vector b of ``x^T A x / 2 + sum of b x^3 / 6 + x0 x1 x2``."""
    random = np.random.default_rng(3)
    a = random.normal(size=(3, 3))
    return a + a.T, random.normal(size=3)


@pytest.mark.parametrize(
    "room", [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1e-3, 1.0), (1.0, 1e-3), (0.0, 0.01), (0.01, 0.0)]
)
def test_differences_next_to_limits_are_of_second_order(room: tuple[float, float]) -> None:
    """Of a cubic function they are exact, and nothing is asked for beyond the limits: (below, above) in sigma."""
    matrix, third = cubic()
    vector, scale = np.array([0.4, -0.7, 1.1]), np.array([0.5, 2.0, 0.1])
    lower, upper = vector - room[0] * scale, vector + room[1] * scale
    asked = []

    def gradient(x: Array) -> Array:
        asked.append(x)
        return matrix @ x + third * x**2 / 2 + np.array([x[1] * x[2], x[0] * x[2], x[0] * x[1]])

    x = vector  # of the formulae
    mixed = np.array([[0.0, x[2], x[1]], [x[2], 0.0, x[0]], [x[1], x[0], 0.0]])
    expected = matrix + np.diag(third * x) + mixed
    np.testing.assert_allclose(observed_hessian(gradient, vector, scale, lower, upper), expected, rtol=1e-9, atol=1e-9)
    assert all((lower <= x).all() and (x <= upper).all() for x in asked)
