"""Simplexes where gradients lead nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.estimators.rough import risen
from gm.fit.simplex import Simplex


class Polytope:
    """Empty bins of a norm and another component, which cost twice what is predicted and as much below nothing."""

    slopes = np.array([[1.0, 0.5], [0.3, 1.0], [0.2, 0.1]])

    def value(self, vector: Array) -> float:
        return float(2 * np.abs(self.slopes @ vector).sum())

    def n_cut_off(self, vector: Array) -> int:
        return int(vector[1] < -5)


def simplex() -> Simplex:
    limits = np.full(2, np.inf)
    return Simplex(Polytope(), -limits, limits, np.ones(2))  # type: ignore[arg-type]


def test_the_lowest_of_a_polytope_lies_at_one_of_its_edges() -> None:
    value, vector = simplex().lowest([np.array([1.0, 0.0]), np.array([1.0, 3.0])], np.array([False, True]))
    edges = [Polytope().value(np.array([1.0, -a / b])) for a, b in Polytope.slopes]
    assert value == pytest.approx(min(edges), abs=1e-5)
    assert vector[0] == 1.0


def test_starts_on_the_plateau_are_left_where_another_is_not() -> None:
    value, vector = simplex().lowest([np.array([0.0, -6.0]), np.array([1.0, 3.0])], np.array([True, True]))
    assert value == pytest.approx(0.0, abs=1e-4)
    assert vector == pytest.approx(np.zeros(2), abs=1e-4)


def test_a_distance_too_short_goes_on_to_the_rise() -> None:
    assert risen(lambda x: x**2, 0.7, 4.0)[0] == pytest.approx(2.0, rel=1e-5)
    assert risen(lambda x: x**2, 5.0, 4.0)[0] == pytest.approx(2.0, rel=1e-5)


def test_a_rise_that_never_comes_is_told() -> None:
    distance, seen = risen(lambda x: 1 - np.exp(-x), 1.0, 4.0)
    assert distance is None
    assert seen == pytest.approx(1.0)


def test_a_profile_that_is_another_one_when_it_is_asked_again_has_an_end() -> None:
    asked: list[float] = []

    def rise(x: float) -> float:
        asked.append(x)
        return x + 1e-3 * (len(asked) - 2)

    distance, wanted = risen(rise, 1.0, 1.0)
    assert wanted == 1.0
    assert distance == pytest.approx(1.0, abs=0.02)
