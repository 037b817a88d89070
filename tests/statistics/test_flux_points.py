"""Statistics of flux points against their formulas, and the profile against SciPy's interpolation."""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from gm.arrays import Array
from gm.statistics import Chi2, Distribution, Profile, Statistic

numbers = st.floats(-20.0, 20.0)


def at(*values: float) -> Array:
    return np.array(values)


def distribution(dnde: float, low: float, high: float, limit: float, is_limit: bool) -> Distribution:
    return Distribution(at(dnde), at(low), at(high), at(limit), np.array([is_limit]))


@given(numbers, st.floats(0.1, 5.0), numbers)
def test_chi2(dnde: float, error: float, predicted: float) -> None:
    value, slope = Chi2(at(dnde), at(error)).value_and_derivative(at(predicted))
    assert value[0] == pytest.approx(((dnde - predicted) / error) ** 2, rel=1e-12, abs=1e-14)
    assert slope[0] == pytest.approx(2 * (predicted - dnde) / error**2, rel=1e-12, abs=1e-12)
    assert Chi2(at(dnde), at(error)).curvature(at(predicted))[0] == pytest.approx(2 / error**2, rel=1e-12)


@given(numbers, st.floats(0.1, 5.0), st.floats(0.1, 5.0), numbers)
def test_distrib_takes_the_error_on_the_side_of_the_model(
    dnde: float, low: float, high: float, predicted: float
) -> None:
    error = high if predicted >= dnde else low
    value = distribution(dnde, low, high, np.nan, False).value(at(predicted))
    assert value[0] == pytest.approx(((predicted - dnde) / error) ** 2, rel=1e-12, abs=1e-14)


@given(st.floats(0.5, 5.0), st.floats(-10.0, 20.0))
def test_distrib_of_an_upper_limit(limit: float, predicted: float) -> None:
    """2 ln[erfc((ul - m) / ul) / erfc(1)]: 0 at m = 0, and growing."""
    x = (limit - predicted) / limit
    assume(x < 20)
    statistic = distribution(np.nan, np.nan, np.nan, limit, True)
    assert statistic.value(at(predicted))[0] == pytest.approx(2 * log(erfc(x) / erfc(1.0)), rel=1e-9, abs=1e-9)
    assert statistic.value(at(0.0))[0] == pytest.approx(0, abs=1e-12)
    assert statistic.value_and_derivative(at(predicted))[1][0] >= 0


@pytest.mark.parametrize("multiple", [-1e4, -40.0, -27.0, 27.0, 40.0, 1e4])
def test_an_upper_limit_stays_finite_far_away(multiple: float) -> None:
    """Far below zero erfc is smaller than any float; its logarithm is not: -x^2 - ln(x sqrt(pi))."""
    statistic = distribution(np.nan, np.nan, np.nan, 2.0, True)
    value, slope = statistic.value_and_derivative(at(2.0 * multiple))
    x = 1 - multiple
    expected = -(x**2) - log(x * np.pi**0.5) if x > 0 else log(2.0)
    assert value[0] == pytest.approx(2 * (expected - log(erfc(1.0))), rel=1e-3)
    assert slope[0] == pytest.approx(2 * x if x > 0 else 0.0, rel=1e-3, abs=1e-100)


NORMS = np.array([[0.2, 0.5, 1.0, 2.0, 5.0], [0.1, 0.4, 0.9, 2.5, 6.0]])
DELTAS = np.array([[30.0, 8.0, 0.1, 9.0, 60.0], [12.0, 5.0, 0.5, 4.0, 25.0]])
REFERENCE = np.array([2.0, 0.5])


@given(st.floats(0.0, 10.0))
def test_profile_is_gammapys_interpolation(norm: float) -> None:
    """SciPy's quadratic interp1d, extrapolating, is what Gammapy 2.1 evaluates."""
    expected = [
        interp1d(x, y, kind="quadratic", fill_value="extrapolate", bounds_error=False)(norm)
        for x, y in zip(NORMS, DELTAS, strict=True)
    ]
    value = Profile(REFERENCE, NORMS, DELTAS).value(norm * REFERENCE)
    assert value == pytest.approx(np.array(expected, dtype=float), rel=1e-10, abs=1e-10)


STATISTICS: dict[str, tuple[Statistic, Callable[[float], bool]]] = {
    "chi2": (Chi2(at(3.0), at(0.7)), lambda _: False),
    "distrib": (distribution(3.0, 0.7, 0.4, np.nan, False), lambda x: abs(x - 3.0) < 1e-3),
    "limit": (distribution(np.nan, np.nan, np.nan, 2.0, True), lambda _: False),
    # a quadratic spline of five points has its knots half-way between the inner ones
    "profile": (Profile(REFERENCE[:1], NORMS[:1], DELTAS[:1]), lambda x: min(abs(x - 1.5), abs(x - 3.0)) < 1e-3),
}


@pytest.mark.parametrize("name", STATISTICS)
@given(predicted=st.floats(-3.0, 12.0))
def test_derivative_is_that_of_the_value(name: str, predicted: float) -> None:
    statistic, kink = STATISTICS[name]
    assume(not kink(predicted))
    h = 1e-5
    low, high = (statistic.value(at(predicted + x))[0] for x in (-h, h))
    slope = statistic.value_and_derivative(at(predicted))[1][0]
    assert slope == pytest.approx((high - low) / (2 * h), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["chi2", "distrib", "profile"])
@given(predicted=st.floats(0.5, 9.0))
def test_curvature_is_that_of_the_value_where_that_is_positive(name: str, predicted: float) -> None:
    statistic, kink = STATISTICS[name]
    assume(not kink(predicted))
    h = 1e-5
    low, high = (statistic.value_and_derivative(at(predicted + x))[1][0] for x in (-h, h))
    curvature = statistic.curvature(at(predicted))[0]
    assert curvature == pytest.approx(max(0.0, (high - low) / (2 * h)), rel=1e-5, abs=1e-6)
    assert statistic.expected_curvature(at(predicted))[0] == curvature


def test_take_keeps_the_chosen_bins() -> None:
    both = np.array([False, True])
    assert Profile(REFERENCE, NORMS, DELTAS).take(both).value(at(0.5)) == pytest.approx(
        Profile(REFERENCE, NORMS, DELTAS).value(at(0.0, 0.5))[both]
    )
    assert Chi2(at(1, 2), at(0.1, 0.2)).take(both).value(at(2.2)) == pytest.approx(1.0)
