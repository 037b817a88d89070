"""Toys: what is drawn, what is fitted, and what many of them say together."""

from __future__ import annotations

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import DataError
from gm.estimators.toy_studies import Observed, Share
from gm.estimators.toy_summary import summarize
from gm.estimators.toys import Toy, ToyFit, Truth
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import GaussianPrior, Models
from tests.samples import flux_points, on_off, power_law, spectrum

MANY = 200


@pytest.fixture(scope="module")
def truth() -> Truth:
    """An On/Off spectrum, one with a known background and flux points under one power law, at their best fit."""
    datasets = Datasets([on_off(exposure=2e12), spectrum(exposure=2e12), flux_points()])
    return Truth(datasets, Fit(datasets).run(Models([power_law("crab")])).models)


@pytest.fixture(scope="module")
def toys(truth: Truth) -> list[Toy]:
    fit = ToyFit(minos=["crab.index"], test=["crab"], limits=["crab"])
    return [fit.run(truth, 1, number) for number in range(MANY)]


def test_the_same_number_is_the_same_toy_and_another_another(truth: Truth) -> None:
    first, again, other = (truth.draw(1, number)[0]["on-off"] for number in (3, 3, 4))
    assert (first.counts == again.counts).all()
    assert (first.counts_off == again.counts_off).all()
    assert (first.counts != other.counts).any()
    assert (truth.draw(2, 3)[0]["on-off"].counts != first.counts).any()


def test_counts_are_drawn_around_what_is_predicted(truth: Truth) -> None:
    """On average over toys, within 5 standard errors in every bin: ON, and OFF around the most likely background."""
    drawn = [truth.draw(1, number)[0] for number in range(MANY)]
    dataset = truth.datasets["on-off"]
    likelihood = JointLikelihood(truth.datasets, truth.models)
    predicted = likelihood.predicted(likelihood.layout.start)[0]
    background = dataset.measurement().statistic(np.arange(dataset.counts.size)).background(predicted)
    for name, expected in (
        ("counts", predicted + background),
        ("counts_off", background * dataset.acceptance_off / dataset.acceptance),
    ):
        mean = np.mean([getattr(toy["on-off"], name) for toy in drawn], axis=0)
        assert (np.abs(mean - expected) < 5 * np.sqrt(expected / MANY) + 1e-12).all()


def test_masks_stay(truth: Truth) -> None:
    mask = np.arange(6) > 1
    masked = Datasets([on_off(exposure=2e12, mask_fit=mask)])
    drawn, _ = Truth(masked, truth.models).draw(1, 0)
    assert (drawn["on-off"].mask == mask).all()


def test_pulls_are_standard_normal_and_errors_cover(toys: list[Toy], truth: Truth) -> None:
    addresses = truth.models.parameters.addresses
    about = {name: (p.value, p.unit) for name, p in zip(addresses, truth.models.parameters, strict=True)}
    summary = summarize(toys, about, Observed(truth.statistic, truth.statistics, truth.deviances))
    assert summary.failed == 0
    assert not summary.deviations, summary.verdict
    assert [study.name for study in summary.parameters] == ["crab.index", "crab.amplitude"]
    for study in summary.parameters:
        pulls = study.pulls
        assert pulls.mean is not None
        assert pulls.width is not None
        assert abs(pulls.mean) < 4 / np.sqrt(MANY)
        assert abs(pulls.width - 1) < 4 / np.sqrt(2 * MANY)
        assert abs(study.coverage["error_1"].deviation) < 4
    assert "minos" in summary.parameters[0].coverage
    assert summary.limits["crab"].expected == pytest.approx(0.97725, abs=1e-5)
    assert abs(summary.limits["crab"].deviation) < 4
    assert summary.tests[0].n == MANY
    assert [study.name for study in summary.datasets] == ["on-off", "known", "points"]


def test_the_deviance_of_a_good_model_is_about_the_number_of_bins(toys: list[Toy], truth: Truth) -> None:
    """Flux points: chi2 of as many points as enter, less about a parameter."""
    n_points = truth.datasets["points"].mask.sum()
    mean = np.mean([toy.deviances["points"] for toy in toys])
    assert n_points - 2 - 5 * np.sqrt(2 * n_points / MANY) < mean < n_points + 5 * np.sqrt(2 * n_points / MANY)


def test_gaussian_priors_are_measurements_that_are_drawn(truth: Truth) -> None:
    prior = GaussianPrior(mu=2.3, sigma=0.1)
    models = truth.models.with_parameters({"crab.index": {"value": 2.4, "prior": prior}})
    centres = [Truth(truth.datasets, models).draw(1, n)[1].parameters["crab.index"].prior.mu for n in range(200)]
    assert np.mean(centres) == pytest.approx(2.4, abs=5 * 0.1 / np.sqrt(200))
    assert np.std(centres) == pytest.approx(0.1, rel=0.3)


def test_a_fit_that_fails_is_a_row_with_a_reason(truth: Truth) -> None:
    frozen = truth.models.with_parameters({"*": {"frozen": True}})
    toy = ToyFit().run(Truth(truth.datasets, frozen), 1, 0)
    assert (toy.status, toy.reason) == ("failed", "nothing to fit: no parameter is free")
    assert not toy.success


def test_profiles_of_flux_points_cannot_be_drawn(truth: Truth) -> None:
    with pytest.raises(DataError, match="cannot be drawn"):
        Truth(Datasets([flux_points(stat_type="profile")]), truth.models).draw(1, 0)


def test_wrong_errors_are_found() -> None:
    """Errors half as large as they should be, and a bias of half an error."""
    random = np.random.default_rng(1)
    values = random.normal(1.5, 1.0, 1000)
    toys = [Toy(k, "converged", statistic=0.0, values={"x": v}, errors={"x": 0.5}) for k, v in enumerate(values)]
    summary = summarize(toys, {"x": (1.0, "")}, Observed(0.0, {}, {}))
    assert [text.partition(":")[0] for text in summary.deviations] == ["x"] * 4
    assert summary.verdict.startswith("not as it should be: x: pulls are +0.89 ± 0.06 off")
    assert summary.parameters[0].bias == pytest.approx(0.5, abs=0.15)


def test_few_toys_say_nothing_and_none_are_no_error() -> None:
    assert "too few" in summarize([], {}, Observed(0.0, {}, {})).verdict
    assert Share.of([]) == Share(0, None, None)


def test_conventions_are_those_of_the_fit(truth: Truth) -> None:
    toy = ToyFit(conventions=Conventions.EXACT).run(truth, 1, 0)
    assert toy.success


def test_a_bias_that_hardly_matters_is_told_and_no_fault() -> None:
    values = np.random.default_rng(2).normal(1.06, 1.0, 20000)
    toys = [Toy(k, "converged", statistic=0.0, values={"x": v}, errors={"x": 1.0}) for k, v in enumerate(values)]
    summary = summarize(toys, {"x": (1.0, "")}, Observed(0.0, {}, {}))
    assert summary.deviations == ()
    assert summary.verdict.startswith("good to a tenth of an error, though no chance: x: pulls are +0.0")


def test_a_spectrum_that_is_ever_steeper_ends() -> None:
    """Counts above background in the first bin alone: the steeper, the better, by less and less."""
    datasets = Datasets([on_off("run 1", 1, exposure=1e12), spectrum("run-2", 2, exposure=1e12)])
    truth = Truth(datasets, Fit(datasets).run(Models([power_law("crab")])).models)
    toy = ToyFit().run(truth, 3, 11)
    limit = Fit(truth.draw(3, 11)[0]).optimize(
        truth.models.with_parameters({"crab.index": {"value": 50.0, "frozen": True}})
    )
    assert toy.success, toy.reason
    assert toy.statistic is not None
    assert toy.statistic < limit.statistic + 1e-3
