"""W statistic: published edge values, its definition as a minimum over the background, derivatives, information."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from gm.arrays import Array
from gm.statistics import WStat

counts = st.integers(0, 60).map(float)
alphas = st.floats(0.01, 3.0)
signals = st.floats(-30.0, 80.0)


def wstat(n_on: float, n_off: float, alpha: float) -> WStat:
    return WStat(np.array([n_on]), np.array([n_off]), np.array([alpha]))


def at(*predicted: float) -> Array:
    return np.array(predicted)


# Gammapy 2.1's wstat with n_on, n_off, alpha, signal; printed to nine digits or more.
@pytest.mark.parametrize(
    ("n_on", "n_off", "alpha", "signal", "expected", "background"),
    [
        (0, 0, 0.1, 2, 4.0, 0.0),
        (5, 0, 0.1, 0, 23.978952728, 0.1 * 5 / 1.1),
        (5, 0, 0.1, 3, 1.108256238, 0.0),
        (0, 5, 0.1, 2, 4.953101798, 0.1 * 5 / 1.1),
        (5, 3, 0.1, -1, 28.319343, None),
        (0, 3, 0.1, -1, 6.776163, 1.0),
    ],
)
def test_edge_values_of_the_reference(
    n_on: float, n_off: float, alpha: float, signal: float, expected: float, background: float | None
) -> None:
    statistic = wstat(n_on, n_off, alpha)
    assert statistic.value(at(signal))[0] == pytest.approx(expected, abs=5e-7 if signal < 0 else 5e-9)
    if background is not None:
        assert statistic.background(at(signal))[0] == pytest.approx(background, abs=1e-10)


def two_poissons(n_on: float, n_off: float, alpha: float, signal: float, off: float) -> float:
    """-2 ln L of both regions for a given background, relative to a perfect model; terms without counts dropped."""
    total = signal + alpha * off
    if total < 0 or off < 0 or (n_on > 0 and total == 0) or (n_off > 0 and off == 0):
        return inf
    value = total + off
    if n_on > 0:
        value += n_on * log(n_on / total) - n_on
    if n_off > 0:
        value += n_off * log(n_off / off) - n_off
    return 2 * value


@given(counts, counts, alphas, signals)
def test_it_is_the_minimum_over_the_background(n_on: float, n_off: float, alpha: float, signal: float) -> None:
    lowest = max(0.0, -signal / alpha)
    highest = lowest + n_off + n_on / alpha + 1.0
    slow = minimize_scalar(
        lambda off: two_poissons(n_on, n_off, alpha, signal, off),
        bounds=(lowest, highest),
        method="bounded",
        options={"xatol": 1e-9},
    )
    slowest_edge = two_poissons(n_on, n_off, alpha, signal, lowest)
    # The bounded search stops 1e-9 before an edge, where the slope is up to 2 (1 + 1 / alpha).
    expected = min(float(slow.fun), slowest_edge)
    assert wstat(n_on, n_off, alpha).value(at(signal))[0] == pytest.approx(expected, rel=1e-7, abs=1e-5)


@given(counts, counts, alphas, signals)
def test_the_profiled_background_is_stationary(n_on: float, n_off: float, alpha: float, signal: float) -> None:
    background = float(wstat(n_on, n_off, alpha).background(at(signal))[0])
    off, total = background / alpha, signal + background
    assume(off > 1e-3)
    assume(total > 1e-3)
    slope = 1 + alpha - n_off / off - alpha * n_on / total
    assert slope == pytest.approx(0, abs=1e-7 * (1 + n_off / off**2 + n_on / total**2))


def near_a_kink(n_on: float, n_off: float, alpha: float, signal: float, h: float) -> bool:
    """The curvature jumps where a region without counts loses its share of the background."""
    kinks = ([] if n_on else [-alpha * n_off / (1 + alpha)]) + ([] if n_off else [alpha * n_on / (1 + alpha)])
    return any(abs(signal - kink) <= 2 * h for kink in kinks)


@given(counts, counts, alphas, signals)
def test_derivative_and_curvature_are_those_of_the_value(
    n_on: float, n_off: float, alpha: float, signal: float
) -> None:
    h = 1e-4
    assume(not near_a_kink(n_on, n_off, alpha, signal, h))
    statistic = wstat(n_on, n_off, alpha)
    b = float(statistic.background(at(signal))[0])
    assume(not n_on or signal + b > 0.05)
    assume(not n_off or b > 0.05 * alpha or signal > 0)
    value, derivative = statistic.value_and_derivative(at(signal))
    assert value == pytest.approx(statistic.value(at(signal)), rel=1e-12, abs=1e-12)
    low, mid, high = (statistic.value(at(signal + x))[0] for x in (-h, 0.0, h))
    assert derivative[0] == pytest.approx((high - low) / (2 * h), rel=1e-4, abs=1e-4)
    slopes = [statistic.value_and_derivative(at(signal + x))[1][0] for x in (-h, h)]
    assert statistic.curvature(at(signal))[0] == pytest.approx((slopes[1] - slopes[0]) / (2 * h), rel=1e-3, abs=1e-4)
    assert mid <= max(low, high) + 1e-9


@given(counts, counts, alphas, signals, signals, st.floats(0, 1))
def test_it_is_convex(n_on: float, n_off: float, alpha: float, first: float, second: float, share: float) -> None:
    statistic = wstat(n_on, n_off, alpha)
    low, high, between = (
        float(statistic.value(at(x))[0]) for x in (first, second, share * first + (1 - share) * second)
    )
    assert between <= share * low + (1 - share) * high + 1e-9 * (1 + abs(low) + abs(high))
    assert statistic.curvature(at(first))[0] >= 0


@given(counts, counts, alphas, signals)
def test_the_excess_is_the_best_signal_and_costs_nothing(
    n_on: float, n_off: float, alpha: float, signal: float
) -> None:
    statistic = wstat(n_on, n_off, alpha)
    assert statistic.value(at(n_on - alpha * n_off))[0] == pytest.approx(0, abs=1e-10 * (1 + n_on + n_off) / alpha)
    assert statistic.value(at(signal))[0] >= -1e-10 * (1 + n_on + n_off) / alpha


@given(st.floats(0.1, 80.0), st.floats(0.5, 60.0), alphas)
def test_expected_curvature_is_the_fisher_information(signal: float, off: float, alpha: float) -> None:
    """On data equal to their expectation both curvatures agree; it is twice the inverse of the variance bound."""
    statistic = wstat(signal + alpha * off, off, alpha)
    expected = 2 / (signal + alpha * (1 + alpha) * off)
    assert statistic.expected_curvature(at(signal))[0] == pytest.approx(expected, rel=1e-10)
    assert statistic.curvature(at(signal))[0] == pytest.approx(expected, rel=1e-8)


@given(counts, counts, alphas, signals)
def test_expected_curvature_is_positive_everywhere(n_on: float, n_off: float, alpha: float, signal: float) -> None:
    expected = wstat(n_on, n_off, alpha).expected_curvature(at(signal))[0]
    assert np.isfinite(expected)
    assert expected > 0


@given(counts, alphas, st.floats(0.0, 80.0))
def test_bins_without_on_counts_are_linear(n_off: float, alpha: float, signal: float) -> None:
    statistic = WStat(at(0.0, 3.0), at(n_off, n_off), at(alpha, alpha))
    empty, slope, intercept = statistic.linear()
    assert empty.tolist() == [True, False]
    assert statistic.value(at(signal, signal))[0] == pytest.approx(slope * signal + intercept[0], rel=1e-10, abs=1e-10)
    assert statistic.value_and_derivative(at(signal, signal))[1][0] == pytest.approx(slope, abs=1e-10)


def test_without_off_counts_a_small_signal_has_no_curvature() -> None:
    """The background that is profiled out takes all counts: W is a straight line, to the last digit."""
    signal = np.geomspace(1e-9, 1.0, 20)
    assert not WStat(np.full(20, 3.0), np.zeros(20), np.full(20, 0.7)).curvature(signal).any()


@given(counts, counts, st.floats(0.01, 10.0), st.floats(0.1, 80.0))
def test_what_data_are_expected_to_say(n_on: float, n_off: float, alpha: float, signal: float) -> None:
    """Li & Ma's equation 17 with on counts of ``signal + alpha n_off``, whatever was measured."""
    expected = signal + alpha * n_off
    terms = [expected * np.log((1 + alpha) / alpha * expected / (expected + n_off))]
    if n_off:
        terms.append(n_off * np.log((1 + alpha) * n_off / (expected + n_off)))
    ts = wstat(n_on, n_off, alpha).expected_ts(at(0.0), at(signal))
    assert ts == pytest.approx(2 * sum(terms), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("signal", [-1e6, -1.0, 0.0, 1e-12, 1.0, 1e9])
@pytest.mark.parametrize("n_off", [0.0, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("n_on", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e4])
def test_nothing_overflows_far_from_the_data(signal: float, n_off: float, n_on: float, alpha: float) -> None:
    statistic = wstat(n_on, n_off, alpha)
    for number in (*statistic.value_and_derivative(at(signal)), statistic.curvature(at(signal))):
        assert np.isfinite(number).all()


def test_take_keeps_the_chosen_bins() -> None:
    statistic = WStat(at(1, 2, 0), at(3, 4, 5), at(0.1, 0.2, 0.3))
    kept = statistic.take(np.array([True, False, True]))
    assert kept.value(at(1.5, 2.5)) == pytest.approx(statistic.value(at(1.5, 9.0, 2.5))[[0, 2]], rel=1e-14)


@given(st.lists(st.tuples(counts, counts, alphas, signals), min_size=1, max_size=9))
def test_the_total_is_the_sum_over_the_bins(bins: list[tuple[float, float, float, float]]) -> None:
    n_on, n_off, alpha, signal = np.array(bins).T
    statistic = WStat(n_on, n_off, alpha)
    values, derivatives = statistic.value_and_derivative(signal)
    total, slopes = statistic.total_and_derivative(signal)
    np.testing.assert_array_equal(slopes, derivatives)
    assert total == statistic.total(signal) == pytest.approx(values.sum(), rel=1e-12, abs=1e-10)
    one_by_one = [wstat(*bin[:3]).value(at(bin[3]))[0] for bin in bins]
    np.testing.assert_array_equal(values, one_by_one)


def test_nothing_expected_where_nothing_is_counted_costs_nothing() -> None:
    nothing = wstat(0.0, 0.0, 0.3)
    assert nothing.value(at(0.0)).tolist() == [0.0]
    assert nothing.total(at(0.0)) == 0.0


def test_curvature_of_bins_without_counts_where_the_square_of_a_signal_is_no_number_any_more() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert WStat(np.zeros(1), np.zeros(1), np.ones(1)).curvature(np.array([-1e-200])).tolist() == [0.0]


@given(st.lists(st.tuples(counts, counts, alphas, signals), min_size=1, max_size=8))
def test_a_derivative_alone_has_the_bits_of_one_with_its_value(bins: list[tuple[float, float, float, float]]) -> None:
    n_on, n_off, alpha, signal = (np.array(column) for column in zip(*bins, strict=True))
    statistic = WStat(n_on, n_off, alpha)
    np.testing.assert_array_equal(statistic.derivative(signal), statistic.value_and_derivative(signal)[1])
