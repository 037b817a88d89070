"""A step within limits is the minimum of the quadratic model there, as every choice of held parameters finds it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gm.arrays import Array
from gm.fit.steps import candidates, model_step
from gm.matrices import DenseHessian


def slow_minimum(information: Array, gradient: Array, down: Array, up: Array) -> float:
    """The lowest value of the model over all choices of which parameters lie at which limit."""
    best = 0.0
    for choice in product((-1, 0, 1), repeat=gradient.size):
        sides = np.array(choice)
        move = np.where(sides < 0, down, np.where(sides > 0, up, 0.0))
        free = sides == 0
        if free.any():
            slope = (gradient + information @ move)[free]
            move[free] = -np.linalg.solve(information[np.ix_(free, free)], slope)
        if ((move >= down) & (move <= up)).all():
            best = min(best, float(gradient @ move + 0.5 * move @ information @ move))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_the_minimum_within_limits(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 1 + seed % 4
    jacobian, gradient = random.normal(size=(n + 2, n)), 3.0 * random.normal(size=n)
    information = jacobian.T @ jacobian
    down, up = -random.exponential(size=n), random.exponential(size=n)
    move, promised = model_step(DenseHessian(information), gradient, 0.0, down, up)
    assert ((move >= down) & (move <= up)).all()
    assert promised == pytest.approx(-slow_minimum(information, gradient, down, up), rel=1e-9, abs=1e-12)


def test_a_parameter_that_pushes_against_its_limit_is_held() -> None:
    information = np.array([[2.0, 1.0], [1.0, 2.0]])
    move, promised = model_step(
        DenseHessian(information), np.array([3.0, -1.0]), 0.0, np.array([0.0, -9.0]), np.array([9.0, 9.0])
    )
    assert move == pytest.approx([0.0, 0.5])
    assert promised == pytest.approx(0.25)


def test_one_amplitude_that_vanishes_does_not_shorten_the_others() -> None:
    """While there is much to gain it keeps a tenth of itself, then it arrives."""
    amplitudes, lower, upper = np.array([True, True]), np.zeros(2), np.full(2, np.inf)
    vector = np.array([0.5, 0.5])
    for slope, expected in ((2.0, [0.05, 1.5]), (0.2, [0.0, 0.6])):
        information, gradient = np.diag([0.2 * slope, 2.0]), np.array([slope, -slope])
        move, _ = model_step(DenseHessian(information), gradient, 0.0, lower - vector, upper - vector)
        straight = candidates(vector, move, DenseHessian(information), gradient, 0.0, lower, upper, amplitudes)[0]
        assert straight == pytest.approx(expected)


def test_shapes_stay_where_an_amplitude_goes_through_zero() -> None:
    information, amplitudes = np.array([[0.2, 0.05], [0.05, 0.2]]), np.array([True, False])
    vector, gradient, free = np.array([0.5, 2.0]), np.array([0.2, 0.1]), np.full(2, np.inf)
    move, _ = model_step(DenseHessian(information), gradient, 0.0, -free, free)
    straight = candidates(vector, move, DenseHessian(information), gradient, 0.0, -free, free, amplitudes)[0]
    assert straight == pytest.approx([-0.5, 2.0])


def test_a_curvature_without_an_inverse_is_none() -> None:
    """As of a tilt that has made its spectrum 1e-160: the others go on."""
    information = np.array([[6.5e-321, -4.3e-321], [-4.3e-321, 28.0]])
    move, promised = model_step(
        DenseHessian(information), np.array([0.0, 56.0]), 0.0, np.full(2, -np.inf), np.full(2, np.inf)
    )
    assert move == pytest.approx([0.0, -2.0])
    assert promised == pytest.approx(56.0)


@pytest.mark.parametrize(("slope", "expected"), [(-0.2, 0.1), (0.2, 5.0)])
def test_the_shape_of_what_is_nothing_yet_waits_for_its_amplitude(slope: float, expected: float) -> None:
    """Beside a bright source: one that is to rise by 100 times itself goes 2 / 100 of the way; not if it vanishes."""
    information, amplitudes = np.diag([0.2, 0.2, 0.2]), np.array([True, True, False])
    vector, gradient, free = np.array([0.01, 100.0, 0.0]), np.array([slope, 0.0, -1.0]), np.full(3, np.inf)
    move, _ = model_step(DenseHessian(information), gradient, 0.0, -free, free)
    bent = candidates(vector, move, DenseHessian(information), gradient, 0.0, -free, free, amplitudes)[1]
    assert bent[2] == pytest.approx(expected)
