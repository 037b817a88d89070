"""Errors under priors that are no parabolas: half the width of the profile where it has risen by 1."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit, FittedParameter
from gm.models import GeneralizedGaussianPrior, LogUniformPrior, Models, Parameter
from tests.samples import on_off, power_law, spectrum

FLUX = "TeV-1 s-1 cm-2"
DATASETS = Datasets([on_off("a", 1, exposure=1e14), spectrum("b", 2, exposure=1e14)])  # parabolas to 1 %
FREE = {p.name: p for p in Fit(DATASETS).run(Models([power_law()])).parameters}


def prior(name: str, shift: float, width: float, eta: float) -> GeneralizedGaussianPrior:
    """``shift`` away from what the data say and ``width`` wide, both in units of the error without it."""
    fitted = FREE[f"source.{name}"]
    error = fitted.error or 0.0
    return GeneralizedGaussianPrior(mu=fitted.value + shift * error, sigma=width * error, eta=eta)


def half_width(parameter: FittedParameter) -> float:
    lower, upper = parameter.minos or (None, None)
    assert lower is not None
    assert upper is not None
    return 0.5 * (upper - lower)


@pytest.mark.parametrize("eta", [0.25, 0.55, 0.8, 1.0])
@pytest.mark.parametrize(("shift", "width"), [(0.0, 0.3), (0.0, 1.0), (0.3, 1.0), (1.0, 3.0), (2.0, 0.3)])
def test_one_prior(eta: float, shift: float, width: float) -> None:
    """In the kink and outside it, a strong prior and a weak one. The amplitude is correlated with the index, and its
    profile goes over the prior as over a parabola of that width: 6 %."""
    index = Parameter("index", 2.3, prior=prior("index", shift, width, eta))
    result = Fit(DATASETS).run(Models([power_law(index=index)]), minos=["*"])
    assert result.status == "converged"
    own, other = result.parameters[:2]
    assert own.error == pytest.approx(half_width(own), rel=0.02, abs=0)
    assert other.error == pytest.approx(half_width(other), rel=0.06, abs=0)


def test_two_priors() -> None:
    """Each profile goes over the other one: 6 %."""
    index = Parameter("index", 2.3, prior=prior("index", 0.2, 1.0, 0.8))
    amplitude = Parameter("amplitude", 1e-11, FLUX, prior=prior("amplitude", -0.1, 1.0, 1.0))
    result = Fit(DATASETS).run(Models([power_law(index=index, amplitude=amplitude)]), minos=["*"])
    for fitted in result.parameters[:2]:
        assert fitted.error == pytest.approx(half_width(fitted), rel=0.06, abs=0)


def test_a_limit_inside_the_width() -> None:
    """Half a sigma above the limit: the side that is there counts twice."""
    sharp = prior("index", 0.0, 0.5, 0.8)
    limited = Parameter("index", 2.3, prior=sharp, min=sharp.mu - 0.1 * sharp.sigma)
    fitted = Fit(DATASETS).run(Models([power_law(index=limited)]), minos=["source.index"]).parameters[0]
    assert fitted.minos is not None
    assert fitted.error == pytest.approx(fitted.minos[1], rel=0.02)


@pytest.mark.parametrize(("eta", "expected"), [(1.0, 2**-0.5), (0.5, 1.0), (0.25, 2**0.5 * 0.5**0.25)])
def test_a_prior_alone(eta: float, expected: float) -> None:
    """Without data ``2 |x / (sigma sqrt 2)|^(1 / eta) = 1`` at the end of the error."""
    index = Parameter("index", 2.6, prior=GeneralizedGaussianPrior(mu=2.5, sigma=0.3, eta=eta))
    dark = power_law(
        "dark", index=index, amplitude=Parameter("amplitude", 1e-11, FLUX, frozen=True), datasets_names=["no"]
    )
    fitted = Fit(DATASETS).run(Models([power_law(), dark])).models["dark"].spectral_model.index
    assert fitted.value == pytest.approx(2.5, abs=0.1 * 0.3)
    assert fitted.error == pytest.approx(0.3 * expected, rel=0.01)


def test_a_prior_that_is_hollow() -> None:
    """``2 ln x`` bends down: the error is that of the profile."""
    amplitude = Parameter("amplitude", 1e-11, FLUX, prior=LogUniformPrior(1e-13, 1e-9, weight=500.0))
    result = Fit(DATASETS).run(Models([power_law(amplitude=amplitude)]), minos=["source.amplitude"])
    fitted = result.parameters[1]
    assert np.isfinite(fitted.value)
    assert fitted.error == pytest.approx(half_width(fitted), rel=0.02, abs=0)
