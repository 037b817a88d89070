"""Ends of a profile on functions with a closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.arrays import Array, BoolArray
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.objective import Objective
from gm.fit.profile import LowerMinimum, Profile

Function = Callable[[float], float]


class Valley:
    """``f(x) + (y - c x)^2``: minimised over y it is f."""

    def __init__(self, f: Function, slope: Function, c: float = 0.8) -> None:
        self.f, self.slope, self.c = f, slope, c

    def value(self, vector: Array) -> float:
        x, y = vector
        return float(self.f(x) + (y - self.c * x) ** 2)

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        x, y = vector
        across = 2 * (y - self.c * x)
        return self.value(vector), np.array([self.slope(x) - self.c * across, across])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return np.array([[2 + 2 * self.c**2, -2 * self.c], [-2 * self.c, 2.0]])

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        return None


def profile(
    valley: Valley,
    lower: tuple[float, float] = (-np.inf, -np.inf),
    is_left: Callable[[Array], bool] = lambda _: False,
) -> Profile:
    limits = np.array(lower), np.full(2, np.inf)

    def again(objective: Objective, start: Array, others: BoolArray) -> Minimum:
        return Minimizer(objective, limits[0][others], limits[1][others]).minimize(start)

    return Profile(valley, np.zeros(2), valley.value(np.zeros(2)), *limits, ["x", "y"], again, is_left)


ALONG = np.array([1.0, 0.0])


@pytest.mark.parametrize("rise", [1.0, 4.0, 25.0])
def test_where_it_has_risen(rise: float) -> None:
    """``x^2 + x^4 / 10 = rise``, and a straight ``|x|`` that Newton's method in the root does not expect."""
    quartic = profile(Valley(lambda x: x**2 + x**4 / 10, lambda x: 2 * x + 0.4 * x**3))
    expected = np.sqrt((-1 + np.sqrt(1 + 0.4 * rise)) / 0.2)
    assert quartic.end([0], ALONG, rise).distance == pytest.approx(expected, rel=1e-6)
    straight = profile(Valley(abs, np.sign))
    assert straight.end([0], -ALONG, rise).distance == pytest.approx(rise, rel=1e-6)


def test_a_direction_of_another_length_or_the_others_far_from_the_line() -> None:
    square = profile(Valley(lambda x: x**2, lambda x: 2 * x, c=50.0))
    assert square.end([0], 0.1 * ALONG, 1.0).distance == pytest.approx(10.0, rel=1e-4)
    assert square.end([0], 1e3 * ALONG, 1.0).distance == pytest.approx(1e-3, rel=1e-4)


def test_going_on_from_an_end() -> None:
    square = profile(Valley(lambda x: x**2, lambda x: 2 * x))
    first = square.end([0], ALONG, 1.0)
    assert square.end([0], ALONG, 9.0, first).distance == pytest.approx(3.0, rel=1e-6)


def test_a_limit_is_told() -> None:
    limited = profile(Valley(lambda x: x**2, lambda x: 2 * x), lower=(-0.5, -np.inf))
    assert limited.end([0], -ALONG, 1.0).reason == "the statistic has risen by 0.25 only at the lower limit of x"
    assert limited.end([0], -ALONG, 0.2).reason == ""
    at = profile(Valley(lambda x: x**2, lambda x: 2 * x), lower=(0.0, -np.inf))
    assert at.end([0], -ALONG, 1.0).reason == "it is at the lower limit of x"
    assert at.end([0], ALONG, 1.0).distance == pytest.approx(1.0, rel=1e-6)


def test_a_function_that_levels_off() -> None:
    """``0.7 (1 - exp(-x^2))`` never rises by 1."""
    flat = profile(Valley(lambda x: 0.7 * (1 - np.exp(-(x**2))), lambda x: 1.4 * x * np.exp(-(x**2))))
    assert flat.end([0], ALONG, 1.0).reason == "the statistic rises by 0.7 only"
    assert flat.end([0], ALONG, 0.5).reason == ""


@pytest.mark.parametrize("length", [0.3, 0.02, 0.003, 1e-3])
def test_a_far_end_that_is_come_near_to_from_below_has_not_levelled_off(length: float) -> None:
    """A straight line that rises slowly on the scale of the expected error, as of an empty band."""
    straight = profile(Valley(lambda x: length * abs(x), lambda x: length * np.sign(x), c=0.0))
    end = straight.end([0], ALONG, 1.0)
    assert (end.reason, end.distance) == ("", pytest.approx(1 / length, rel=1e-6))


def test_a_function_that_is_not_defined_beyond() -> None:
    short = profile(Valley(lambda x: x**2 if x < 0.5 else np.inf, lambda x: 2 * x))
    assert short.end([0], ALONG, 1.0).reason == "the statistic is not finite beyond"
    assert short.end([0], ALONG, 0.16).distance == pytest.approx(0.4, rel=1e-6)


def test_an_end_where_the_objective_does_not_hold() -> None:
    square = profile(Valley(lambda x: x**2, lambda x: 2 * x), is_left=lambda vector: abs(vector[0]) > 0.5)
    assert square.end([0], ALONG, 0.16).reason == ""
    assert square.end([0], ALONG, 1.0).reason == "a source is beyond the reach of its responses there"


def test_a_lower_minimum_is_handed_over() -> None:
    """``x^2 - 3 x^3 + x^4`` is below 0 between 0.4 and 2.6."""
    double = profile(Valley(lambda x: x**2 - 3 * x**3 + x**4, lambda x: 2 * x - 9 * x**2 + 4 * x**3))
    with pytest.raises(LowerMinimum) as caught:
        double.end([0], ALONG, 1.0)
    assert double._objective.value(caught.value.vector) < 0
    assert double.end([0], -ALONG, 1.0).distance == pytest.approx(0.572891, abs=1e-6)
