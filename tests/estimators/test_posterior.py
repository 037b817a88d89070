"""Draws from the posterior: against integrals over a grid, closed formulas, and each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gm.arrays import Array
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.posterior import nested as nested_module
from gm.estimators.posterior.coordinates import Coordinates
from gm.estimators.posterior.density import Density, Freely
from gm.estimators.posterior.marginals import marginal, problems
from gm.estimators.posterior.nuts import Nuts
from gm.estimators.posterior.result import Posterior
from gm.estimators.posterior.sampler import PosteriorSampler
from gm.estimators.quantity import Quantity
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models
from gm.models.prior import (
    GaussianPrior,
    GeneralizedGaussianPrior,
    LogUniformPrior,
    Prior,
    UniformPrior,
)
from tests.samples import on_off, power_law, spectrum


def datasets(exposure: float = 1e13) -> Datasets:
    return Datasets([on_off("run 1", 1, exposure=exposure), spectrum("run-2", 2, exposure=exposure)])


def models(**edits: dict[str, Any]) -> Models:
    found = Models([power_law("crab")])
    return found.with_parameters({f"crab.{name}": edit for name, edit in edits.items()}) if edits else found


def fitted(data: Datasets, start: Models) -> dict[str, tuple[float, float]]:
    """Best values and errors of the free parameters, by their short names."""
    rows = Fit(data).run(start).parameters
    return {row.name.split(".")[1]: (row.value, row.error or 0.0) for row in rows if not row.frozen}


def on_a_grid(data: Datasets, start: Models, widths: float = 6.0, n: int = 241) -> tuple[Array, Array, float]:
    """Means, standard deviations (2,) and ln of the integral of the posterior of two parameters, by brute force."""
    result = Fit(data).run(start)
    likelihood = JointLikelihood(data, result.models)
    layout, best = likelihood.layout, likelihood.layout.start
    error = np.array([row.error for row in result.parameters if not row.frozen], dtype=np.float64)
    low = np.maximum(best - widths * error, layout.lower)
    high = np.minimum(best + widths * error, layout.upper)
    axes = [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]
    lowest = likelihood.value(best)
    values = np.array([[likelihood.value(np.array([x, y])) for y in axes[1]] for x in axes[0]])
    density = np.exp(-0.5 * (values - lowest))
    rule = [np.full(n, axis[1] - axis[0]) for axis in axes]
    for weights in rule:
        weights[[0, -1]] /= 2
    density *= np.outer(*rule)
    total = density.sum()
    one = [density.sum(axis=1) / total, density.sum(axis=0) / total]
    mean = np.array([p @ axis for p, axis in zip(one, axes, strict=True)])
    std = np.sqrt([p @ (axis - m) ** 2 for p, axis, m in zip(one, axes, mean, strict=True)])
    return mean, std, float(np.log(total) - 0.5 * lowest)


def agree(posterior: Posterior, mean: Array, std: Array, n: float = 4.5) -> None:
    """Within so many errors of the draws, of means and of standard deviations."""
    for row, m, s in zip(posterior.marginals, mean, std, strict=False):
        assert row.ess_bulk is not None
        assert row.mean == pytest.approx(m, abs=n * s / row.ess_bulk**0.5)
        assert row.std == pytest.approx(s, rel=n / (row.ess_bulk / 2) ** 0.5)


def test_nuts_gives_the_moments_of_the_posterior() -> None:
    """Few counts, so that it is no Gaussian."""
    data = datasets(exposure=2e12)
    posterior = PosteriorSampler(draws=1500, tune=500, chains=2, seed=5).run(data, models())
    assert posterior.success, posterior.problems
    mean, std, _ = on_a_grid(data, models(), widths=8)
    agree(posterior, mean, std)
    assert abs(mean[0] - posterior.marginals[0].best) > 0.05 * std[0]


def test_limits_and_priors_are_kept() -> None:
    data = datasets(exposure=2e12)
    prior = {"prior": GaussianPrior(mu=2.0, sigma=0.1)}
    best = fitted(data, models(index=prior))["amplitude"][0]
    start = models(index=prior, amplitude={"min": 0.9 * best, "max": 1.3 * best})
    posterior = PosteriorSampler(draws=1500, tune=500, chains=2, seed=2).run(data, start)
    amplitude = posterior.draws[..., 1]
    assert amplitude.min() >= 0.9 * best
    assert amplitude.max() <= 1.3 * best
    agree(posterior, *on_a_grid(data, start, widths=12)[:2])
    assert [row.prior.split("(")[0].split(" ")[0] for row in posterior.marginals] == ["GaussianPrior", "flat"]


def test_a_minimum_at_a_limit_is_left() -> None:
    data = datasets()
    free = fitted(data, models())["index"][0]
    start = models(index={"value": free + 0.5, "min": free + 0.3})
    posterior = PosteriorSampler(draws=1000, tune=500, chains=2, seed=3).run(data, start)
    index = posterior.draws[..., 0]
    assert index.min() > free + 0.3
    assert np.median(index) < free + 0.5
    assert posterior.marginals[0].error is None
    assert posterior.marginals[0].prior == "flat"


def test_nested_sampling_gives_the_evidence() -> None:
    data = datasets()
    edges = {name: (value - 6 * error, value + 8 * error) for name, (value, error) in fitted(data, models()).items()}
    start = models(
        index={"prior": UniformPrior(*edges["index"])},
        amplitude=dict(zip(("min", "max"), edges["amplitude"], strict=True)),
    )
    posterior = PosteriorSampler(method="nested", draws=2000, live_points=300, seed=4).run(data, start)
    mean, std, ln_z = on_a_grid(data, start, widths=8)
    agree(posterior, mean, std)
    assert posterior.evidence is not None
    volume = edges["amplitude"][1] - edges["amplitude"][0]  # the prior of the index is in the statistic already
    assert posterior.evidence.ln_z == pytest.approx(ln_z - np.log(volume), abs=4 * posterior.evidence.error)
    assert posterior.evidence.error < 0.3
    assert posterior.marginals[0].r_hat is None


def test_nested_sampling_asks_for_priors() -> None:
    start = models(index={"prior": GaussianPrior(mu=2, sigma=0.1, weight=2)})
    with pytest.raises(UsageError) as told:
        PosteriorSampler(method="nested").run(datasets(), start)
    assert "crab.index has one of weight 2, which is no density" in str(told.value)
    assert "crab.amplitude has none, nor two limits" in str(told.value)


@pytest.mark.parametrize(
    "prior",
    [GaussianPrior(1, 0.3), UniformPrior(0.2, 2), LogUniformPrior(0.1, 3), GeneralizedGaussianPrior(1, 0.3, 0.8)],
)
def test_the_distribution_of_a_prior_is_the_prior(prior: Prior) -> None:
    for x in (0.3, 0.9, 1.7):
        assert -2 * prior.distribution.logpdf(x) == pytest.approx(prior.value(x), rel=1e-10)


def test_a_prior_within_limits_is_drawn_within_them() -> None:
    """Shares of probability become quantiles of the prior as the limits cut it."""
    start = models(index={"prior": GaussianPrior(2, 0.2), "min": 1.9, "max": 2.6}, amplitude={"min": 0, "max": 1e-10})
    density = Density(Fit(datasets()).converge(start))
    priors = nested_module.Priors(density)
    cut = stats.truncnorm(-0.5, 3.0, 2, 0.2)
    for share in (0.0, 0.1, 0.5, 0.99, 1.0):
        assert priors.parameters(np.array([share, share])) == pytest.approx([cut.ppf(share), 1e-10 * share])


def test_chains_depend_on_seed_and_number_alone() -> None:
    density = Density(Fit(datasets()).converge(models()))
    nuts = Nuts(draws=120, tune=60, seed=1)
    first, again, other = nuts.chain(density, 1), nuts.chain(density, 1), nuts.chain(density, 2)
    assert np.array_equal(first.parameters, again.parameters)
    assert not np.array_equal(first.parameters, other.parameters)
    seeded = replace(nuts, seed=2).chain(density, 1)
    assert not np.array_equal(first.parameters, seeded.parameters)
    at = first.parameters[17]
    assert first.statistic[17] == density.value(at)


def test_quantities_follow_from_the_draws(tmp_path: Path) -> None:
    quantity = Quantity.parse("flux(crab, 1 TeV, 10 TeV)")
    posterior = PosteriorSampler(draws=100, tune=60, chains=1, quantities=[quantity]).run(datasets(), models())
    assert [*posterior.names] == ["crab.index", "crab.amplitude", "flux(crab, 1 TeV, 10 TeV)"]
    index, amplitude, flux = posterior.draws[0].T
    assert flux == pytest.approx(amplitude * (1 - 10 ** (1 - index)) / (index - 1), rel=1e-9)
    assert posterior.problems  # a hundred draws are too few
    assert np.diag(posterior.correlation()) == pytest.approx(np.ones(3))
    posterior.write(tmp_path / "sample.yaml")
    again = Posterior.read(tmp_path / "sample.yaml")
    assert again.to_dict() == posterior.to_dict()
    assert np.array_equal(again.draws, posterior.draws)
    assert np.array_equal(again.chains[0].parameters, posterior.chains[0].parameters)
    assert (again.told(), again.problems, again.tune) == (posterior.told(), posterior.problems, 60)
    with pytest.raises(UsageError, match="is no component"):
        PosteriorSampler(quantities=[Quantity.parse("flux(carb, 1 TeV, 10 TeV)")]).run(datasets(), models())


def test_no_best_fit_no_draws() -> None:
    one_bin = datasets()["run 1"].with_(mask_fit=np.arange(6) == 2)
    with pytest.raises(DataError, match="no best fit to draw around"):
        PosteriorSampler().run(Datasets([one_bin]), models())
    with pytest.raises(UsageError, match="methods: nuts, nested"):
        PosteriorSampler(method="mcmc").run(datasets(), models())  # type: ignore[arg-type]


LIMITS = st.sampled_from([(-np.inf, np.inf), (-1.0, np.inf), (-np.inf, 2.0), (-1.0, 2.0)])


@given(st.lists(LIMITS, min_size=1, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_coordinates_there_and_back(limits: list[tuple[float, float]], data: st.DataObject) -> None:
    coordinates = Coordinates(*np.array(limits).T)
    x = np.array([data.draw(st.floats(-0.9, 1.9)) for _ in limits])
    there = coordinates.to(x)
    assert coordinates.back(there) == pytest.approx(x, rel=1e-9, abs=1e-9)
    step = 1e-6
    moved = [
        (coordinates.back(there + step * e) - coordinates.back(there - step * e)) / (2 * step) for e in np.eye(x.size)
    ]
    assert coordinates.slopes(there) == pytest.approx(np.diag(moved), rel=1e-6)
    volume = [
        (coordinates.log_volume(there + step * e)[0] - coordinates.log_volume(there - step * e)[0]) / (2 * step)
        for e in np.eye(x.size)
    ]
    assert coordinates.log_volume(there)[1] == pytest.approx(volume, abs=1e-6)
    shift = coordinates.log_volume(there)[0] - np.log(np.abs(coordinates.slopes(there))).sum()
    other = coordinates.to(np.full(x.size, 0.5))
    assert coordinates.log_volume(other)[0] - np.log(np.abs(coordinates.slopes(other))).sum() == pytest.approx(shift)


def test_the_gradient_is_that_of_the_density() -> None:
    start = models(index={"min": 1.5, "max": 2.8}, amplitude={"min": 0})
    free = Freely(Density(Fit(datasets()).converge(start)))
    random, step = np.random.default_rng(1), 1e-5
    for there in random.normal(size=(5, 2)):
        slopes = [(free.value(there + step * e) - free.value(there - step * e)) / (2 * step) for e in np.eye(2)]
        assert free.gradient(there) == pytest.approx(slopes, rel=1e-5, abs=1e-6)


def test_chains_that_do_not_agree_are_told() -> None:
    random = np.random.default_rng(2)
    apart = random.normal(loc=[[0.0], [3.0]], size=(2, 500))
    row = marginal(apart, "x", "")
    assert row.r_hat is not None
    assert row.r_hat > 1.5
    posterior = PosteriorSampler(draws=100, tune=60, chains=2).run(datasets(), models())
    told = list(problems([row], posterior.chains))
    assert told[0] == "the chains do not agree on x (r_hat above 1.01); draw more"
    good = marginal(random.normal(size=(2, 500)), "x", "")
    assert list(problems([good], posterior.chains)) == []
    still = marginal(np.ones((2, 500)), "x", "")
    assert (still.std, still.r_hat, still.ess_bulk) == (0.0, None, None)
