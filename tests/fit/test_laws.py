"""What the algebra says of a fit: links, priors, Asimov data, pulls."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gm.fit import Fit, FitResult
from gm.likelihood import JointLikelihood
from gm.models import GaussianPrior, Link, Models, Parameter
from tests.samples import log_parabola, on_off, power_law, spectrum

FLUX = "TeV-1 s-1 cm-2"
DATASETS = Datasets([on_off("a", 1, exposure=1e12), spectrum("b", 2, exposure=1e12)])


def fitted(result: FitResult, name: str) -> tuple[float, float]:
    parameter = next(p for p in result.parameters if p.name == name)
    return parameter.value, parameter.error or 0.0


def test_a_linked_component_is_the_substituted_one() -> None:
    """two.amplitude = 0.5 one.amplitude with equal indices: together one power law of 1.5 times the amplitude."""
    pair = Models([power_law("one"), power_law("two")]).with_links(
        [Link("two.index", "one.index"), Link("two.amplitude", "one.amplitude", scale=0.5)]
    )
    linked, single = Fit(DATASETS).run(pair, minos=["one.index"]), Fit(DATASETS).run(Models([power_law("one")]))
    assert linked.status == "converged"
    assert linked.n_free == 2
    assert linked.statistic == pytest.approx(single.statistic, abs=1e-5)
    value, error = fitted(single, "one.amplitude")
    assert fitted(linked, "one.amplitude") == pytest.approx((value / 1.5, error / 1.5), rel=1e-3, abs=0)
    assert fitted(linked, "two.amplitude") == pytest.approx((value / 3.0, error / 3.0), rel=1e-3, abs=0)
    assert fitted(linked, "two.index") == fitted(linked, "one.index")
    value, error = fitted(single, "one.index")
    assert fitted(linked, "one.index")[0] == pytest.approx(value, abs=0.01 * error)
    assert next(p for p in linked.parameters if p.name == "two.index").link == "one.index"


def test_a_link_with_an_offset() -> None:
    """beta = 0.5 alpha - 1.0 in one component; the chain of derivatives is that of the substituted statistic."""
    models = Models([log_parabola()]).with_links([Link("source.beta", "source.alpha", scale=0.5, offset=-1.0)])
    result = Fit(DATASETS).run(models)
    alpha, beta = fitted(result, "source.alpha"), fitted(result, "source.beta")
    assert beta[0] == pytest.approx(0.5 * alpha[0] - 1.0, rel=1e-12)
    assert beta[1] == pytest.approx(0.5 * alpha[1], rel=1e-12)
    held = {"source.alpha": {"value": alpha[0], "frozen": True}, "source.beta": {"value": beta[0], "frozen": True}}
    substituted = Fit(DATASETS).optimize(Models([log_parabola()]).with_parameters(held))
    assert substituted.statistic == pytest.approx(result.statistic, abs=1e-5)


def test_a_link_with_a_scale_of_0_is_a_constant() -> None:
    models = Models([log_parabola()]).with_links([Link("source.beta", "source.alpha", scale=0.0, offset=0.1)])
    beta = next(p for p in Fit(DATASETS).run(models).parameters if p.name == "source.beta")
    assert (beta.value, beta.error, beta.error_reason) == (0.1, None, "its link has a scale of 0")


def test_limits_of_a_linked_parameter_hold_for_its_leader() -> None:
    two = power_law("two", index=Parameter("index", 1.6, max=1.8))
    models = Models([power_law("one", index=1.9), two]).with_links(
        [Link("two.index", "one.index", offset=-0.3), Link("two.amplitude", "one.amplitude")]
    )
    result = Fit(DATASETS).run(models)
    assert result.status == "at_limit"
    assert fitted(result, "one.index")[0] == pytest.approx(2.1, abs=1e-6)
    assert fitted(result, "two.index")[0] == pytest.approx(1.8, abs=1e-6)


def test_a_gaussian_prior_shifts_as_the_algebra_says() -> None:
    """Around its minimum the statistic is a parabola: mean and width are those of a product of two Gaussians.

    The prior is 0.3 sigma away and as wide as the measurement; the cubic term of few counts is 0.02 sigma.
    """
    amplitude = Parameter("amplitude", 1e-11, FLUX, frozen=True)
    free = Fit(DATASETS).run(Models([power_law(amplitude=amplitude)]))
    value, error = fitted(free, "source.index")
    prior = GaussianPrior(mu=value + 0.3 * error, sigma=error)
    index = Parameter("index", 2.3, prior=prior)
    result = Fit(DATASETS).run(Models([power_law(index=index, amplitude=amplitude)]))
    assert fitted(result, "source.index")[0] == pytest.approx(value + 0.15 * error, abs=0.02 * error)
    assert fitted(result, "source.index")[1] == pytest.approx(error / np.sqrt(2), rel=0.03)
    expected = 2 * 0.15**2 + np.log(2 * np.pi * error**2)
    assert result.statistic - free.statistic == pytest.approx(expected, abs=0.01)
    assert result.statistic_priors == pytest.approx(0.15**2 + np.log(2 * np.pi * error**2), abs=0.01)
    assert sum(d.statistic for d in result.datasets) + result.statistic_priors == pytest.approx(result.statistic)


def test_a_strong_prior_wins() -> None:
    index = Parameter("index", 2.3, prior=GaussianPrior(mu=3.0, sigma=1e-4))
    value, error = fitted(Fit(DATASETS).run(Models([power_law(index=index)])), "source.index")
    assert value == pytest.approx(3.0, abs=1e-4)
    assert error == pytest.approx(1e-4, rel=1e-3)


def asimov(truth: Models, exposure: float) -> Datasets:
    """Data equal to their expectation: signal of the truth, and a background of 0.3 per bin measured ten times."""
    known, off = spectrum("known", 2, exposure=exposure), on_off("off", 1, exposure=exposure)
    signal = predicted([off, known], truth)
    background = np.full(6, 0.3)
    return Datasets(
        [
            off.with_(
                counts=signal[0] + background,
                counts_off=10 * background,
                acceptance_off=np.full(6, 10.0),
            ),
            known.with_(counts=signal[1]),
        ]
    )


def predicted(datasets: list[SpectrumDatasetOnOff | SpectrumDataset], truth: Models) -> list[Array]:
    likelihood = JointLikelihood(Datasets(datasets), truth)
    return likelihood.predicted(likelihood.layout.start)


@pytest.mark.parametrize("exposure", [1e12, 1e14])
def test_asimov_data_give_back_the_truth(exposure: float) -> None:
    truth = Models([log_parabola(alpha=2.4, beta=0.15)])
    result = Fit(asimov(truth, exposure)).run(Models([log_parabola(alpha=2.0, beta=0.05)]))
    assert result.status == "converged"
    for parameter, true in zip(result.parameters, truth.parameters, strict=True):
        assert abs(parameter.value - true.value) <= 0.005 * (parameter.error or 0.0)


def test_errors_shrink_with_the_square_root_of_the_exposure() -> None:
    truth = Models([power_law()])
    few, many = (Fit(asimov(truth, exposure)).run(truth) for exposure in (1e14, 4e14))
    for one, other in zip(few.parameters, many.parameters, strict=True):
        if one.error is not None:
            # The background does not grow with it, and matters little.
            assert one.error / (other.error or 0.0) == pytest.approx(2.0, rel=0.03)


def test_pulls_are_normal() -> None:
    """200 experiments of some 600 counts: mean 0 within 3 / sqrt(200), width 1 within 3 / sqrt(400)."""
    n_experiments = 200
    truth = Models([power_law()])
    random = np.random.default_rng(20240501)
    off = on_off("off", 1, exposure=5e13)
    signal, background = predicted([off], truth)[0], np.geomspace(20.0, 1.0, 6)
    blank = off.with_(acceptance_off=np.full(6, 5.0))
    pulls, costs = [], []
    for _ in range(n_experiments):
        data = blank.with_(
            counts=random.poisson(signal + background).astype(float),
            counts_off=random.poisson(5 * background).astype(float),
        )
        result = Fit(Datasets([data])).run(truth)
        assert result.status == "converged"
        pulls.append(
            [
                (p.value - true.value) / p.error
                for p, true in zip(result.parameters, truth.parameters, strict=True)
                if p.error is not None
            ]
        )
        costs.append(result.statistic_start - result.statistic)
    sample = np.array(pulls)
    assert abs(sample.mean(axis=0)).max() < 3 / np.sqrt(n_experiments)
    assert sample.std(axis=0) == pytest.approx(np.ones(2), abs=3 / np.sqrt(2 * n_experiments))
    # Wilks: Delta(-2 ln L) of the truth is chi2 of two parameters, mean 2 and variance 4.
    assert np.mean(costs) == pytest.approx(2.0, abs=3 * 2 / np.sqrt(n_experiments))
