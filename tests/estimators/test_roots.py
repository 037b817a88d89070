"""Searches for the numbers of a norm: parabolas, kinks, jumps and plateaus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.arrays import Array
from gm.estimators.roots import distances, rising_root

SIDES = [(-1.0, 1.0), (1.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize("step", [1e-6, 0.01, 0.3, 1.0, 50.0])
@pytest.mark.parametrize(
    ("rise", "expected"),
    [
        (lambda x: (x / 0.3) ** 2, [0.3, 0.3, 0.6]),
        (lambda x: 5 * np.abs(x), [0.2, 0.2, 0.8]),
        (lambda x: np.where(x > 0, 4 * x, x**2), [1.0, 0.25, 1.0]),
        (lambda x: np.expm1(np.abs(x)), [np.log(2), np.log(2), np.log(5)]),
        (lambda x: np.where(np.abs(x) < 0.7, 0.0, 9.0), [0.7, 0.7, 0.7]),
        (lambda x: np.where(x < 0, 0.5 * np.tanh(x) ** 2, x), [None, 1.0, 4.0]),
        (lambda x: np.where(x < 0, np.nan, x**2), [None, 1.0, 2.0]),
    ],
    ids=["parabola", "kink", "two slopes", "steep", "jump", "never", "not finite"],
)
def test_distances(rise: Callable[[Array], Array], expected: list[float | None], step: float) -> None:
    for found, distance in zip(distances(rise, SIDES, step), expected, strict=True):
        assert found == (None if distance is None else pytest.approx(distance, rel=1e-9))


def test_a_rise_close_to_a_parabola_takes_few_calls() -> None:
    """All sides together: about ten each when asked for alone."""
    calls = []

    def rise(x: Array) -> Array:
        calls.append(x.size)
        return 2 * (100 * x - 100 * np.log1p(x))

    found = distances(rise, SIDES, 0.1)
    assert None not in found
    np.testing.assert_allclose(rise(np.array(found) * [-1, 1, 1]), [1, 1, 4], rtol=1e-9)  # type: ignore[arg-type]
    assert len(calls) <= 8


@pytest.mark.parametrize("step", [1e-6, 0.01, 1.0, 50.0])
@pytest.mark.parametrize(
    ("slope", "root"),
    [
        (lambda x: x - 3.0, 3.0),
        (lambda x: 5.0 - 15.0 / x if x > 0 else -np.inf, 3.0),
        (lambda x: -1.0 if x < -2.0 else 7.0, -2.0),
        (lambda x: 0.0 if x < 0.25 else 1.0, 0.25),
        (lambda x: x**3, 0.0),
    ],
    ids=["line", "hyperbola", "jump", "plateau", "flat"],
)
def test_rising_root(slope: Callable[[float], float], root: float, step: float) -> None:
    assert rising_root(slope, 1.0, step) == pytest.approx(root, rel=1e-9, abs=1e-6)


def test_a_jump_between_slopes_of_different_size_is_met_closely() -> None:
    """As where empty bins with hardly any signal end: false position alone creeps along the small slope."""
    root = rising_root(lambda x: -2.14 if x < 0 else 0.003 + 1e-3 * x, 1.0, 2.3)
    assert root == pytest.approx(0.0, abs=1e-15)
