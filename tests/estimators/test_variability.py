"""Tests of variation against closed forms, other programs' numbers, and their distributions under a constant source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from gm.arrays import Array
from gm.estimators.variability import Fluxes, chi2_probability, constancy, excess_variance, fastest


def fluxes(value: Any, error: Any, time: Any = None, errn: Any = None) -> Fluxes:
    values = np.asarray(value, dtype=float)
    errors = np.broadcast_to(np.asarray(error, dtype=float), values.shape)
    times = np.arange(values.size, dtype=float) if time is None else np.asarray(time, dtype=float)
    return Fluxes(values, errors if errn is None else np.asarray(errn, dtype=float), errors, errors, times)


def test_a_constant_is_the_weighted_mean() -> None:
    found = constancy(fluxes([1.0, 2.0, 4.0], [0.5, 1.0, 2.0]))
    assert found is not None
    weights = np.array([4.0, 1.0, 0.25])
    mean = weights @ [1, 2, 4] / weights.sum()
    assert found.constant == pytest.approx(mean)
    assert found.value == pytest.approx(weights @ (np.array([1, 2, 4]) - mean) ** 2)
    assert (found.dof, found.probability) == (2, pytest.approx(stats.chi2(2).sf(found.value)))


def test_the_error_that_counts_is_the_one_that_faces_the_constant() -> None:
    """(f - m)^2 / sigma^2 with the lower error above and the upper one below: its minimum by a scan of m."""
    given = fluxes([1.0, 3.0], [0.4, 1.0], errn=[0.2, 0.5])
    found = constancy(given)
    assert found is not None
    m = np.linspace(1.0, 3.0, 200001)
    chi2 = ((m - 1.0) / 0.4) ** 2 + ((3.0 - m) / 0.5) ** 2
    assert found.value == pytest.approx(chi2.min(), rel=1e-8)
    assert found.constant == pytest.approx(m[chi2.argmin()], abs=1e-4)


def test_a_systematic_fraction_widens_the_errors() -> None:
    given = fluxes([1.0, 1.4, 0.6], 0.1)
    found = constancy(given, systematic=0.3)
    assert found is not None
    assert found.value == pytest.approx(2 * 0.4**2 / (0.1**2 + 0.3**2))


def test_with_a_covariance() -> None:
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    found = constancy(fluxes([1.0, 1.5], 1.0), covariance=covariance)
    assert found is not None
    difference = np.array([1.0, -1.0])
    assert found.value == pytest.approx(0.5**2 / (difference @ covariance @ difference))


def test_excess_variance_and_paces_as_gammapy_computes_them() -> None:
    """compute_fvar, compute_flux_doubling of Gammapy 2.1 for the same numbers."""
    given = fluxes([1.0, 2.0, 1.5, 4.0, 0.5], [0.1, 0.2, 0.1, 0.4, 0.1], time=[0.0, 1.0, 3.0, 4.0, 6.0])
    excess = excess_variance(given)
    assert excess is not None
    assert (excess.value, excess.error) == (pytest.approx(0.7409953266209404), pytest.approx(0.053630374278256274))
    rise, fall = fastest(given, rising=True), fastest(given, rising=False)
    assert rise is not None
    assert fall is not None
    assert (rise.time, rise.error) == (pytest.approx(0.70669505, rel=1e-7), pytest.approx(0.08659425, rel=1e-6))
    assert (rise.start, rise.stop) == (3.0, 4.0)
    assert (fall.time, fall.error) == (pytest.approx(2 / 3), pytest.approx(0.07168809, rel=1e-6))


def test_no_excess_is_no_number() -> None:
    excess = excess_variance(fluxes([1.0, 1.01, 0.99], 0.5))
    assert excess is not None
    assert excess.value is None
    assert excess.squared == pytest.approx(1e-4 - 0.25)
    assert constancy(fluxes([1.0], 0.1)) is None
    assert excess_variance(fluxes([1.0], 0.1)) is None


def test_no_excess_of_nothing() -> None:
    """Runs without a count: a fraction of a mean of 0 is no number."""
    excess = excess_variance(fluxes([0.0, 0.0], 0.1))
    assert excess is not None
    assert np.isnan([excess.squared, excess.squared_err]).all()
    assert (excess.value, excess.error) == (None, None)


def test_no_pace_without_two_fluxes_above_0_and_their_times() -> None:
    assert fastest(fluxes([1.0, -1.0, 2.0], 0.1), rising=True) is None
    assert fastest(fluxes([1.0, 2.0], 0.1, time=[np.nan, np.nan]), rising=True) is None
    assert fastest(fluxes([1.0, 2.0], 0.1), rising=False) is None


@pytest.mark.parametrize("n", [2, 5, 20])
def test_probabilities_are_uniform_under_a_constant_source(n: int) -> None:
    random = np.random.default_rng(n)
    found: list[float] = []
    for _ in range(1000):
        errors: Array = random.uniform(0.1, 0.3, n)
        test = constancy(fluxes(random.normal(1.0, errors), errors))
        assert test is not None
        found.append(test.probability)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_chi2_probability() -> None:
    assert chi2_probability(11.3, 4) == pytest.approx(stats.chi2(4).sf(11.3))
    assert chi2_probability(-1e-9, 4) == 1.0
