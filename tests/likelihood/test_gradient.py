"""Gradients and information of the joint likelihood against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets
from gm.likelihood import JointLikelihood
from gm.models import (
    BackgroundIRFModel,
    GaussianPrior,
    Link,
    LogUniformPrior,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
    SkyModel,
    SpectralModel,
)
from gm.models.registry import all_models
from tests.samples import flux_points, log_parabola, on_off, power_law, spectrum


def differences(likelihood: JointLikelihood, vector: Array, relative: float = 1e-5) -> Array:
    """Central differences of the value; a step of 1e-5 balances rounding against the third derivative: 1e-6 or so."""
    steps = np.diag(relative * np.where(vector != 0, abs(vector), 1.0))
    return np.array([(likelihood.value(vector + h) - likelihood.value(vector - h)) / (2 * h.max()) for h in steps])


def check(likelihood: JointLikelihood, vector: Array) -> None:
    value, gradient = likelihood.value_and_gradient(vector)
    assert value == pytest.approx(likelihood.value(vector), rel=1e-12)
    assert (likelihood.gradient(vector) == gradient).all()
    size = np.where(vector != 0, abs(vector), 1.0)
    scale = np.max(abs(gradient * size)) + abs(value)
    assert gradient * size == pytest.approx(differences(likelihood, vector) * size, rel=1e-5, abs=1e-7 * scale)


def all_free(model: SpectralModel) -> list[Parameter]:
    return [Parameter(p.name, p.value, p.unit) for p in model.parameters]


DATASETS = Datasets([on_off("a", 1), spectrum("b", 2), spectrum("c", 3, n_true=5), flux_points("d", 4)])
MODELS = [cls for cls in all_models("spectral") if cls.defaults and not cls.is_norm]


@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.tags[0])
def test_every_spectral_model(cls: type[SpectralModel]) -> None:
    """All parameters free, on data of every kind, a little beside the defaults, where some formulas change branches."""
    model = cls()
    component = SkyModel(name="source", spectral_model=model.with_parameters(all_free(model)))
    likelihood = JointLikelihood(DATASETS, Models([component]))
    start = likelihood.layout.start
    check(likelihood, np.where(start != 0, start, 0.01) * (1.01 + 0.02 * np.arange(start.size)))


def full_model() -> Models:
    """Three sources, one of them negative in some bins, a background norm, links across units, and priors."""
    prior = GaussianPrior(mu=2.4, sigma=0.2)
    first = power_law("first", index=Parameter("index", 2.2, prior=prior))
    second = log_parabola("second", datasets_names=["b", "d"])
    third = power_law("third", amplitude=Parameter("amplitude", 2.0, "1e-12 cm-2 s-1 TeV-1"))
    spectral = PowerLawNormSpectralModel(norm=1.2, tilt=Parameter("tilt", 0.1))
    background = BackgroundIRFModel(spectral_model=spectral, dataset_name="c")
    models = Models([first, second, third, background])
    return models.with_links(
        [
            Link("second.alpha", "first.index", scale=0.9, offset=0.1),
            Link("third.amplitude", "first.amplitude", scale=0.2),
        ]
    )


def test_links_priors_and_a_background_norm() -> None:
    likelihood = JointLikelihood(DATASETS, full_model())
    assert "second.alpha" not in likelihood.layout.free_addresses
    check(likelihood, likelihood.layout.start)
    check(likelihood, likelihood.layout.start * 1.07)


@pytest.mark.parametrize("sign", [1.0, -0.2])
@pytest.mark.parametrize("stat_type", ["chi2", "distrib", "profile"])
def test_flux_points_and_negative_amplitudes(stat_type: str, sign: float) -> None:
    datasets = Datasets([flux_points("d", 4, stat_type), on_off("a", 1)])
    likelihood = JointLikelihood(datasets, Models([power_law(), power_law("other")]))
    start = likelihood.layout.start.copy()
    start[3] *= sign
    check(likelihood, start)


def test_log_uniform_prior() -> None:
    prior = LogUniformPrior(1e-13, 1e-9)
    amplitude = Parameter("amplitude", 1e-11, "TeV-1 s-1 cm-2", prior=prior)
    likelihood = JointLikelihood(DATASETS, Models([power_law(amplitude=amplitude)]))
    check(likelihood, likelihood.layout.start)


def linear_model() -> Models:
    """Predictions proportional to every free parameter, so that the information is the Hessian."""
    frozen = Parameter("index", 2.2, frozen=True)
    prior = GaussianPrior(mu=1.0, sigma=0.3)
    norm = PowerLawNormSpectralModel(norm=Parameter("norm", 1.2, prior=prior))
    first, second = power_law("first", index=frozen), power_law("second", index=Parameter("index", 3.0, frozen=True))
    background = BackgroundIRFModel(spectral_model=norm, dataset_name="b")
    return Models([first, second, background])


def test_information_is_the_hessian_of_a_linear_model() -> None:
    likelihood = JointLikelihood(DATASETS, linear_model())
    vector = likelihood.layout.start
    assert likelihood.layout.free_addresses == ("first.amplitude", "second.amplitude", "b-bkg.norm")
    steps = np.diag(1e-5 * vector)
    hessian = np.array(
        [(likelihood.gradient(vector + h) - likelihood.gradient(vector - h)) / (2 * h.max()) for h in steps]
    )
    size = np.outer(vector, vector)
    assert likelihood.information(vector) * size == pytest.approx(hessian * size, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_expected_information_is_positive_from_anywhere(factor: float) -> None:
    likelihood = JointLikelihood(DATASETS, linear_model())
    vector = likelihood.layout.start * factor
    information = likelihood.information(vector, expected=True) * np.outer(vector, vector)
    assert np.linalg.eigvalsh(information).min() > 0


def test_a_parameter_without_effect_is_known() -> None:
    models = Models([power_law(), power_law("elsewhere", datasets_names=["not there"])])
    likelihood = JointLikelihood(DATASETS, models)
    assert likelihood.depends_on().tolist() == [True, True, False, False]
    assert likelihood.gradient(likelihood.layout.start)[2:].tolist() == [0, 0]
