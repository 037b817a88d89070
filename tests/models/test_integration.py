"""The log-log rule where spectra are zero, negative or change their sign."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from gm.conventions import Conventions
from gm.models.spectral.integration import EnergyBins, logarithmic_mean_slope

EDGES = np.array([1.0, 10.0])


def test_node_count_is_that_of_the_widest_bin_of_each_axis() -> None:
    bins = EnergyBins(np.array([1.0, 10.0, 15.0]), np.geomspace(1, 10, 21))
    # 100 nodes for a decade in the first axis; in the second 5 or, after rounding, 4
    assert len(bins.fine.nodes) in (2 * 99 + 1 + 20 * 4 + 1, 2 * 99 + 1 + 20 * 3 + 1)
    assert bins.offsets == (0, 2, 22)
    np.testing.assert_allclose(bins.fine.nodes[[0, 99, 198]], [1.0, 10.0, 15.0], rtol=1e-15)


def test_a_zero_end_contributes_nothing() -> None:
    rule = EnergyBins(EDGES).coarse
    integral, gradient = rule.integrate_with_gradient(np.array([1.0, 0.0]), np.ones((1, 2)))
    assert integral.tolist() == [0.0]
    assert gradient.tolist() == [[0.0]]


def test_negative_spectra_are_mirrored() -> None:
    rule = EnergyBins(EDGES).fine
    y = rule.nodes**-2.3
    np.testing.assert_array_equal(rule.integrate(-y), -rule.integrate(y))


def test_a_sign_change_is_a_trapezoid() -> None:
    rule = EnergyBins(EDGES).coarse
    integral, gradient = rule.integrate_with_gradient(np.array([-1.0, 0.3]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(integral, np.log(10) * (-1.0 + 3.0) / 2, rtol=1e-14)
    np.testing.assert_allclose(gradient, np.log(10) / 2, rtol=1e-14)


@given(st.floats(-60, 60))
def test_power_laws_are_exact_whatever_the_index(index: float) -> None:
    integral, gradient = EnergyBins(EDGES).coarse.integrate_with_gradient(
        EDGES**-index, (-np.log(EDGES) * EDGES**-index)[None]
    )
    v = 1 - index
    d = v * np.log(10.0)
    exact = np.log(10.0) * (np.expm1(d) / d if d else 1.0)
    np.testing.assert_allclose(integral, exact, rtol=1e-12)
    nodes = EnergyBins(EDGES).fine
    # Derivative by the index through many nodes: the same integral, cut finer.
    y = nodes.nodes**-index
    fine = nodes.integrate_with_gradient(y, (-np.log(nodes.nodes) * y)[None])
    np.testing.assert_allclose(fine[0], integral, rtol=1e-11)
    np.testing.assert_allclose(fine[1], gradient, rtol=1e-9)


@given(st.floats(-60, 60), st.floats(1e-3, 1e3))
def test_power_laws_in_closed_form_are_those_of_the_rule(index: float, reference: float) -> None:
    bins = EnergyBins(np.geomspace(0.01, 100.0, 9), np.array([0.5, 0.6, 7.0]))
    closed, rule = bins.power_law, bins.coarse
    assume(closed.holds(index, reference))
    x = np.log(rule.nodes / reference)
    y = np.exp(-index * x)
    integral, gradient = rule.integrate_with_gradient(y, (-x * y)[None])
    own, slope = closed.integrate_with_slope(index, reference)
    np.testing.assert_array_equal(own, closed.integrate(index, reference))
    np.testing.assert_allclose(own, integral, rtol=1e-12)
    np.testing.assert_allclose(slope, gradient[0] / integral, rtol=1e-12, atol=1e-12)


def test_the_closed_form_holds_for_ordinary_power_laws_alone() -> None:
    closed = EnergyBins(np.geomspace(0.1, 100.0, 61)).power_law
    assert all(closed.holds(index, 1.0) for index in (-5.0, 0.0, 1.5, 2.0, 4.0, 20.0))
    assert not any(closed.holds(index, 1.0) for index in (1.0, 1.001, 1e3, -1e3, np.nan, np.inf))
    assert not any(closed.holds(2.0, reference) for reference in (0.0, -1.0, np.nan, 1e-200))


@given(st.floats(-8, 8), st.floats(-1.5, 1.5), st.floats(1e-3, 1e3))
def test_log_parabolas_from_their_segments_are_those_of_the_rule(a: float, b: float, reference: float) -> None:
    bins = EnergyBins(np.geomspace(0.01, 100.0, 9), np.array([0.5, 0.6, 7.0]), np.array([1.0, 1.003]))
    segments, rule = bins.log_parabola, bins.fine
    assert segments is not None
    assume(segments.hold(a, b, reference))
    x = np.log(rule.nodes / reference)
    y = np.exp(-x * (a + b * x))
    integral, gradient = rule.integrate_with_gradient(y, np.stack([-x * y, -x * x * y]))
    own, slopes = segments.integrate_with_slopes(a, b, reference)
    np.testing.assert_array_equal(own, segments.integrate(a, b, reference))
    np.testing.assert_allclose(own, integral, rtol=1e-12)
    farthest = np.abs(x).max()
    np.testing.assert_allclose(slopes[0], gradient[0], rtol=1e-12, atol=1e-12 * farthest * integral.max())
    np.testing.assert_allclose(slopes[1], gradient[1], rtol=1e-12, atol=1e-12 * farthest**2 * integral.max())


def test_segments_on_which_a_log_parabola_is_flat_are_summed_as_all_others() -> None:
    """E f(E) is flat where a + 2 b x is 1: there terms of the closed form cancel, and at 0 there is no quotient."""
    bins = EnergyBins(np.geomspace(0.1, 10.0, 41))
    segments = bins.log_parabola
    assert segments is not None
    for a, b in ((1.0, 0.0), (1.0 + 1e-9, 0.0), (1.0, 1e-9), (1.0, 0.4), (1.7, 0.4)):
        own, slopes = segments.integrate_with_slopes(a, b, 1.0)
        step = 1e-5
        by_a = (segments.integrate(a + step, b, 1.0) - segments.integrate(a - step, b, 1.0)) / (2 * step)
        by_b = (segments.integrate(a, b + step, 1.0) - segments.integrate(a, b - step, 1.0)) / (2 * step)
        np.testing.assert_allclose(slopes, [by_a, by_b], rtol=1e-8, atol=1e-9 * own.max())
        x = np.log(bins.fine.nodes)
        np.testing.assert_allclose(own, bins.fine.integrate(np.exp(-x * (a + b * x))), rtol=1e-13)


def test_segments_hold_for_ordinary_log_parabolas_alone() -> None:
    bins = EnergyBins(np.geomspace(0.1, 100.0, 61))
    assert bins.log_parabola is not None
    assert all(bins.log_parabola.hold(a, b, 1.0) for a, b in ((2.0, 0.1), (1.0, 0.0), (-5.0, 0.5), (20.0, -1.0)))
    strange = ((np.nan, 0.1), (2.0, np.nan), (1e3, 0.1), (2.0, -1e2), (np.inf, 0.0))
    assert not any(bins.log_parabola.hold(a, b, 1.0) for a, b in strange)
    assert not any(bins.log_parabola.hold(2.0, 0.1, reference) for reference in (0.0, -1.0, np.nan, 1e-200))
    assert EnergyBins(np.geomspace(0.1, 100.0, 61), conventions=Conventions.EXACT).log_parabola is None


@given(st.floats(-30, 30))
def test_slope_of_the_logarithmic_mean(d: float) -> None:
    step = 1e-6
    up, down = (np.log(logarithmic_mean_slope(d + s)[0]) for s in (step, -step))
    assert abs(logarithmic_mean_slope(d)[1] - (up - down) / (2 * step)) < 1e-8


def test_what_is_not_finite_is_no_integral() -> None:
    """A model that overflows, or is no number, is not one that predicts nothing; where it is 0 it predicts nothing."""
    bins = EnergyBins(np.array([1.0, 2.0, 4.0, 8.0]))
    for broken in (np.nan, np.inf):
        y = np.where(bins.coarse.nodes == 1.0, broken, 1.0)
        assert np.isnan(bins.coarse.integrate(y)).tolist() == [True, False, False]
        assert np.isnan(bins.coarse.integrate_with_gradient(y, y[None])[0]).tolist() == [True, False, False]
    assert bins.coarse.integrate(np.where(bins.coarse.nodes == 1.0, 0.0, 1.0))[0] == 0.0
