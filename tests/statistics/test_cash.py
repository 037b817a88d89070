"""Cash statistic: values and truncation as in Gammapy 2.1, derivatives, and the meaning of the information."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from gm.arrays import Array
from gm.statistics import Cash

counts = st.integers(0, 200).map(float)
positive = st.floats(1e-3, 500.0)


def at(*values: float) -> Array:
    return np.array(values)


@pytest.mark.parametrize(
    ("n", "mu", "expected"),
    [
        (0.0, 2.0, 4.0),
        (3.0, 2.0, 2 * (2 - 3 * np.log(2))),
        (2.5, 2.0, 2 * (2 - 2.5 * np.log(2))),
        # mu is cut at 1e-25, whatever is below
        (3.0, 0.0, -6 * np.log(1e-25)),
        (3.0, -4.0, -6 * np.log(1e-25)),
        (3.0, 1e-30, -6 * np.log(1e-25)),
        (0.0, -4.0, 0.0),
    ],
)
def test_values(n: float, mu: float, expected: float) -> None:
    """Cash, 1979, without the terms of the data alone; the cut is Gammapy's."""
    value, _ = Cash(at(n)).value_and_derivative(at(mu))
    assert value[0] == pytest.approx(expected, rel=1e-12, abs=1e-20)
    assert Cash(at(n)).value(at(mu))[0] == value[0]


@given(counts, positive)
def test_derivative_and_curvature_are_those_of_the_value(n: float, mu: float) -> None:
    statistic, h = Cash(at(n)), 1e-4 * mu
    values = [statistic.value(at(mu + x))[0] for x in (-h, h)]
    slopes = [statistic.value_and_derivative(at(mu + x))[1][0] for x in (-h, h)]
    assert slopes[0] <= slopes[1]
    slope = statistic.value_and_derivative(at(mu))[1][0]
    # central differences of a logarithm: relative error h^2 / 3, and rounding of the value over h
    assert slope == pytest.approx((values[1] - values[0]) / (2 * h), abs=1e-6 * (1 + n / mu))
    assert statistic.curvature(at(mu))[0] == pytest.approx((slopes[1] - slopes[0]) / (2 * h), rel=1e-6, abs=1e-9)


@given(counts, st.floats(-100.0, 0.0))
def test_below_the_cut_the_statistic_is_flat(n: float, mu: float) -> None:
    statistic = Cash(at(n))
    assert statistic.value_and_derivative(at(mu))[1][0] == 0
    assert statistic.curvature(at(mu))[0] == 0
    assert np.isfinite(statistic.value(at(mu))[0])


@given(st.floats(0.05, 60.0))
def test_expected_curvature_is_the_mean_over_the_data(mu: float) -> None:
    """The average of 2 n / mu^2 over Poisson counts, summed term by term, is 2 / mu."""
    n = np.arange(0.0, 400.0)
    mean = float(poisson.pmf(n, mu) @ Cash(n).curvature(np.full_like(n, mu)))
    assert Cash(at(1.0)).expected_curvature(at(mu))[0] == pytest.approx(mean, rel=1e-9)


@given(counts, st.floats(-100.0, 500.0))
def test_expected_curvature_is_positive_wherever_the_prediction_counts(n: float, mu: float) -> None:
    """In an empty bin it does not matter how far below nothing the prediction is."""
    expected = Cash(at(n)).expected_curvature(at(mu))[0]
    assert np.isfinite(expected)
    assert (expected > 0) == (n > 0 or mu > 1e-25)


@given(st.lists(st.integers(0, 3).map(float), min_size=1, max_size=8), st.floats(1e-20, 100.0))
def test_empty_bins_are_linear(n: list[float], mu: float) -> None:
    statistic = Cash(np.array(n))
    empty, slope, intercept = statistic.linear()
    assert empty.tolist() == [count == 0 for count in n]
    value = statistic.value(np.full(len(n), mu))
    assert value[empty] == pytest.approx(slope * mu + intercept[empty], rel=1e-14)


@given(positive, st.floats(0.0, 100.0))
def test_expected_ts_is_that_of_data_as_predicted(null: float, mu: float) -> None:
    asimov = Cash(at(mu))
    assert asimov.value_and_derivative(at(mu))[1][0] == pytest.approx(0, abs=1e-12)
    expected = asimov.value(at(null))[0] - asimov.value(at(mu))[0]
    assert Cash(at(0.0)).expected_ts(at(null), at(mu)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_take_keeps_the_chosen_bins() -> None:
    assert Cash(at(1, 2, 3)).take(np.array([2, 0])).counts.tolist() == [3, 1]


@given(st.lists(st.tuples(counts, st.floats(-5.0, 500.0)), min_size=1, max_size=8))
def test_a_derivative_alone_has_the_bits_of_one_with_its_value(bins: list[tuple[float, float]]) -> None:
    n, predicted = (np.array(column) for column in zip(*bins, strict=True))
    np.testing.assert_array_equal(Cash(n).derivative(predicted), Cash(n).value_and_derivative(predicted)[1])
