"""Priors: known numbers, and derivatives against differences."""

from __future__ import annotations

import math

import pytest

from gm.models.prior import GaussianPrior, GeneralizedGaussianPrior, LogUniformPrior, Prior, UniformPrior

PRIORS: list[tuple[Prior, list[float]]] = [
    (GaussianPrior(2.2, 0.1, weight=0.7), [1.9, 2.0, 2.5]),
    (UniformPrior(1.0, 3.0), [1.5, 2.0]),
    (LogUniformPrior(1e-13, 1e-11, weight=2.0), [2e-13, 5e-12]),
    (GeneralizedGaussianPrior(2.2, 0.1, eta=0.3), [2.0, 2.5]),
    (GeneralizedGaussianPrior(2.2, 0.1, eta=1.0), [2.0, 2.5]),
]


def test_gaussian_golden_value() -> None:
    # formats/models.md section 8: 4 + ln(2 pi 0.01)
    assert GaussianPrior(2.2, 0.1).value(2.0) == pytest.approx(1.2327068804, abs=1e-9)


def test_generalised_gaussian_is_gaussian_at_one_half_and_laplace_at_one() -> None:
    assert GeneralizedGaussianPrior(2.2, 0.1, eta=0.5).value(2.05) == pytest.approx(GaussianPrior(2.2, 0.1).value(2.05))
    s = 0.1 * math.sqrt(2)
    laplace = -2 * math.log(math.exp(-abs(2.05 - 2.2) / s) / (2 * s))
    assert GeneralizedGaussianPrior(2.2, 0.1, eta=1.0).value(2.05) == pytest.approx(laplace, rel=1e-12)


def test_uniform_priors_are_densities() -> None:
    assert UniformPrior(1.0, 3.0).value(2.0) == pytest.approx(-2 * math.log(0.5), rel=1e-12)
    assert LogUniformPrior(1.0, 10.0).value(2.0) == pytest.approx(-2 * math.log(1 / (2 * math.log(10))), rel=1e-12)
    assert UniformPrior(1.0, 3.0).value(3.5) == math.inf
    assert LogUniformPrior(1.0, 10.0).value(0.5) == math.inf


@pytest.mark.parametrize(("prior", "points"), PRIORS)
def test_derivatives_are_those_of_differences(prior: Prior, points: list[float]) -> None:
    for x in points:
        h = 1e-5 * abs(x)
        first = (prior.value(x + h) - prior.value(x - h)) / (2 * h)
        second = (prior.gradient(x + h) - prior.gradient(x - h)) / (2 * h)
        assert prior.gradient(x) == pytest.approx(first, rel=1e-6, abs=1e-9)
        assert prior.curvature(x) == pytest.approx(second, rel=1e-6, abs=1e-9)


def test_nothing_is_undefined_at_the_peak() -> None:
    for eta in (0.3, 0.5, 0.8, 1.0):
        prior = GeneralizedGaussianPrior(2.2, 0.1, eta=eta)
        assert prior.gradient(2.2) == 0.0
        assert math.isfinite(prior.curvature(2.2))


@pytest.mark.parametrize("x", [1e200, -1e200])
@pytest.mark.parametrize("prior", [GaussianPrior(2.2, 0.1), GeneralizedGaussianPrior(2.2, 0.1, eta=0.25)])
def test_far_beyond_all_numbers_a_prior_is_infinite(prior: Prior, x: float) -> None:
    assert prior.value(x) == math.inf
    assert math.copysign(1.0, prior.gradient(x)) == math.copysign(1.0, x)
