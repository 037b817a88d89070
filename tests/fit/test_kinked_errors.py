"""Errors of a parameter in whose direction the statistic has a kink at the minimum."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.fit.covariance import measure_errors

WIDE = np.full(2, np.inf)


class Tent:
    """``a |x| + x^2 + y^2`` with a slope that does not say where the kink is; far away it may be flat, or undefined."""

    def __init__(self, a: float, far: float = np.inf, beyond: float = np.nan) -> None:
        self.a, self.far, self.beyond = a, far, beyond

    def value(self, vector: Array) -> float:
        x, y = vector
        return float(self.a * abs(x) + x * x + y * y) if abs(x) < self.far else self.beyond

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        return self.value(vector), np.array([self.a * np.sign(vector[0]) + 2 * vector[0], 2 * vector[1]])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return 2 * np.eye(2)

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        return None


def error_of(tent: Tent, lower: Array = -WIDE, upper: Array = WIDE) -> float:
    errors = measure_errors(tent, np.zeros(2), lower, upper, ["x", "y"], lambda steps: [0])
    assert errors.covariance is not None
    return float(np.sqrt(errors.covariance[0, 0]))


@pytest.mark.parametrize("a", [0.0, 1.0, 10.0, 300.0])
def test_the_error_is_where_the_statistic_has_risen_by_one(a: float) -> None:
    """Root of ``x^2 + a x = 1``."""
    assert error_of(Tent(a)) == pytest.approx((-a + np.sqrt(a * a + 4)) / 2, rel=1e-3)


@pytest.mark.parametrize("beyond", [0.5, np.nan, np.inf])
def test_a_statistic_that_never_rises_by_one(beyond: float) -> None:
    """The search ends, and the error is that of differences beside the kink."""
    assert np.isfinite(error_of(Tent(1.0, far=0.3, beyond=beyond)))


def test_a_limit_before_the_statistic_has_risen() -> None:
    assert np.isfinite(error_of(Tent(1.0), lower=np.array([-0.1, -np.inf])))
