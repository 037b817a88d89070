"""Contours of regions that bend or fall apart: what rays from the minimum do not see is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.arrays import Array, BoolArray
from gm.fit.ellipsoid import Ellipsoid
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.objective import Objective
from gm.fit.profile import Profile

Surface = Callable[[Array, Array], Array]
RISES = 1.0, 2.3, 6.2


class Statistic:
    """A function of two parameters, with derivatives by differences."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    def value(self, vector: Array) -> float:
        return float(self._surface(*vector))

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return 2.0 * np.eye(2)

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        """Not known."""

    def n_cut_off(self, vector: Array) -> int:
        return 0

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        steps = 1e-6 * np.eye(2)
        slopes = [(self.value(vector + step) - self.value(vector - step)) / 2e-6 for step in steps]
        return self.value(vector), np.array(slopes)


def minimize(objective: Objective, start: Array, others: BoolArray) -> Minimum:
    far = np.full(int(others.sum()), np.inf)
    return Minimizer(objective, -far, far).minimize(start)


def contours(surface: Surface, variances: tuple[float, float]) -> list[tuple[float, Array, str]]:
    far = np.full(2, np.inf)
    profile = Profile(Statistic(surface), np.zeros(2), 0.0, -far, far, ["x", "y"], minimize)
    return Ellipsoid(profile, np.diag(variances), np.ones(2)).rays([0, 1], RISES)


def banana(x: Array, y: Array) -> Array:
    return np.asarray(x**2 / 9 + (y - 0.3 * x**2) ** 2)


def two_valleys(angle: float) -> Surface:
    """The second one 5 away, in a direction [deg], where it is 1.5 higher."""
    at = 5 * np.cos(np.radians(angle)), 5 * np.sin(np.radians(angle))
    return lambda x, y: np.asarray(np.minimum(x**2 + y**2, (x - at[0]) ** 2 + (y - at[1]) ** 2 + 1.5))


def is_star_shaped(surface: Surface, rise: float) -> bool:
    """Whether no ray crosses the border twice, on 720 of them in 4000 steps."""
    angle, radius = np.linspace(0, 2 * np.pi, 721)[:, None], np.linspace(0, 20, 4001)
    inside = surface(radius * np.cos(angle), radius * np.sin(angle)) < rise
    return bool((np.abs(np.diff(inside.astype(int), axis=1)).sum(axis=1) == 1).all())


def test_a_round_region_has_forty_points_and_nothing_to_tell() -> None:
    for rise, points, why in contours(lambda x, y: x**2 + y**2, (1.0, 1.0)):
        assert (len(points), why) == (40, "")
        assert np.hypot(*points.T) == pytest.approx(np.sqrt(rise))


def test_a_region_that_bends() -> None:
    """Rays from the minimum see its near side: points are close where it turns, and that more is there is told."""
    for rise, points, why in contours(banana, (9.0, 1.0)):
        assert why == ("" if is_star_shaped(banana, rise) else "what lies behind a bend is missing")
        assert banana(*points.T) == pytest.approx(rise, rel=1e-3)
    assert [is_star_shaped(banana, rise) for rise in RISES] == [True, False, False]


@pytest.mark.parametrize("angle", [0.0, 11.0, 22.0, 30.0, 45.0, 160.0])
def test_a_region_of_two_parts(angle: float) -> None:
    """On a ray that is followed beyond the contour, or between two of them, from where the statistic falls again."""
    apart, surface = "the statistic falls below it again beyond: another part is missing", two_valleys(angle)
    for rise, points, why in contours(surface, (1.0, 1.0)):
        assert why == (apart if rise > 1.5 else "")
        assert surface(*points.T) == pytest.approx(rise, rel=1e-3)
