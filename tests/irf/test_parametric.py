"""The parametrised responses: laws that any response obeys, and the numbers that their sources give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from gm.irf.parametric import (
    INSTRUMENTS,
    CherenkovArray,
    FermiLat,
    UnknownInstrument,
    build_instrument,
    log_normal_edisp,
    power_law_integral,
)

TRUE_EDGES = np.geomspace(1e-4, 1e3, 141)
EDGES = np.geomspace(1e-2, 1e2, 41)
sigmas = st.floats(0.01, 0.8)
biases = st.floats(-0.5, 1.0)


@given(sigma=sigmas, bias=biases)
def test_edisp_is_a_probability(sigma: float, bias: float) -> None:
    matrix = log_normal_edisp(TRUE_EDGES, EDGES, sigma, bias)
    assert matrix.shape == (140, 40)
    assert (matrix >= 0.0).all()
    assert (matrix.sum(axis=1) <= 1.0 + 1e-12).all()


@given(sigma=st.floats(0.01, 0.3), bias=st.floats(-0.3, 0.3))
def test_edisp_rows_are_normalised_well_inside_the_range(sigma: float, bias: float) -> None:
    matrix = log_normal_edisp(TRUE_EDGES, EDGES, sigma, bias)
    far = np.exp(8.0 * sigma + abs(np.log1p(bias)))  # 8 sigma: 1e-15 of a Gaussian is outside
    inside = (TRUE_EDGES[:-1] > EDGES[0] * far) & (TRUE_EDGES[1:] < EDGES[-1] / far)
    assert inside.any()
    np.testing.assert_allclose(matrix[inside].sum(axis=1), 1.0, rtol=1e-11)


@given(sigma=sigmas, bias=biases)
def test_edisp_of_two_bins_joined_is_the_sum(sigma: float, bias: float) -> None:
    fine = log_normal_edisp(TRUE_EDGES, EDGES, sigma, bias)
    coarse = log_normal_edisp(TRUE_EDGES, EDGES[::2], sigma, bias)
    np.testing.assert_allclose(coarse, fine[:, ::2] + fine[:, 1::2], rtol=0, atol=1e-13)


def test_edisp_is_the_average_of_the_log_normal_over_the_true_bin() -> None:
    true_edges, edges, sigma, bias = np.array([0.9, 1.1]), np.array([0.8, 1.0, 1.3]), 0.12, 0.03

    def probability(t: float) -> float:
        shift = t + np.log1p(bias)
        return float(norm.cdf((np.log(1.3) - shift) / sigma) - norm.cdf((0.0 - shift) / sigma))

    expected = quad(probability, np.log(0.9), np.log(1.1), epsabs=1e-13)[0] / np.log(1.1 / 0.9)
    assert log_normal_edisp(true_edges, edges, sigma, bias)[0, 1] == pytest.approx(expected, rel=1e-10)


@given(index=st.floats(-1.0, 4.0))
def test_power_law_integral_matches_quadrature(index: float) -> None:
    edges = np.array([0.3, 1.0, 2.0])
    expected = [quad(lambda x: 2.0 * (x / 0.5) ** -index, lo, hi)[0] for lo, hi in ((0.3, 1.0), (1.0, 2.0))]
    np.testing.assert_allclose(power_law_integral(edges, 2.0, index, 0.5), expected, rtol=1e-6)


def test_power_law_integral_of_index_one_is_a_logarithm() -> None:
    np.testing.assert_allclose(power_law_integral(np.array([1.0, np.e]), 3.0, 1.0), [3.0], rtol=1e-12)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_is_positive_and_scales(name: str) -> None:
    instrument = build_instrument(name)
    lo, hi, per_decade = instrument.energy_bounds
    edges = np.geomspace(lo, hi, 1 + round(per_decade * np.log10(hi / lo)))
    true_edges = np.geomspace(lo / 3, hi * 3, 80)
    exposure = instrument.exposure(true_edges, instrument.livetime)
    background = instrument.background(true_edges, edges, instrument.livetime)
    assert exposure.shape == (79,)
    assert (exposure > 0).all()
    assert background.shape == (edges.size - 1,)
    assert (background > 0).all()
    np.testing.assert_allclose(instrument.exposure(true_edges, 2.0), 2 * instrument.exposure(true_edges, 1.0))
    np.testing.assert_allclose(
        build_instrument(name, background_scale=3.0).background(true_edges, edges, 1.0),
        3 * instrument.background(true_edges, edges, 1.0),
    )
    np.testing.assert_allclose(
        build_instrument(name, area_scale=0.5).effective_area(true_edges),
        0.5 * instrument.effective_area(true_edges),
    )


def test_cherenkov_area_is_that_of_abramowski_2010() -> None:
    # g1 (E/MeV)^-g2 exp(-g3/E) with g = 6.85e9 cm2, 0.0891, 5e5 MeV, by hand at 1 TeV
    area = CherenkovArray().effective_area(np.array([1.0]))
    assert area[0] == pytest.approx(6.85e9 * 10 ** (-6 * 0.0891) * np.exp(-0.5), rel=1e-12)
    assert 1e9 < area[0] < 2e9


def test_fermi_exposure_is_near_that_of_3fhl() -> None:
    # the 3FHL exposure at the Crab is 2.8e11 cm2 s at 100 GeV after seven years; typical means within 20 %
    exposure = FermiLat().exposure(np.array([0.09, 0.11]), 7 * 365.25 * 86400)
    assert exposure[0] == pytest.approx(2.8e11, rel=0.2)


def test_unknown_instrument_lists_the_known_ones() -> None:
    with pytest.raises(UnknownInstrument, match=r"'fermi_lat' is not an instrument.*did you mean 'fermi-lat'"):
        build_instrument("fermi_lat")
