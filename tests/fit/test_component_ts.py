"""The test statistic of a component: what is compared with what."""

from __future__ import annotations

import pytest

from gm.datasets import Datasets
from gm.fit import Fit, FitResult
from gm.fit.run import FitRun
from gm.models import GaussianPrior, Link, ModelError, Models, Parameter
from tests.samples import on_off, power_law, spectrum

DATASETS = Datasets([on_off("a", 1), spectrum("b", 2)])
FLUX = "TeV-1 s-1 cm-2"


def ts(result: FitResult, name: str = "source") -> float:
    value = next(component.ts for component in result.components if component.name == name)
    assert value is not None
    return value


@pytest.mark.parametrize("weight", [1.0, 3.0])
@pytest.mark.parametrize("sigma", [1e-9, 1e-12])
def test_a_prior_of_the_component_does_not_enter(sigma: float, weight: float) -> None:
    """TS is what the data lose: the statistic of the data with nothing there, minus that at the best fit."""
    prior = GaussianPrior(mu=1.1e-11, sigma=sigma, weight=weight)
    amplitude = Parameter("amplitude", 1e-11, FLUX, prior=prior)
    result = Fit(DATASETS).run(Models([power_law(amplitude=amplitude)]), test=["source"])
    free = Fit(DATASETS).run(Models([power_law()]), test=["source"])
    data = sum(dataset.statistic for dataset in result.datasets)
    null = sum(dataset.statistic for dataset in free.datasets) + ts(free)
    assert abs(result.statistic_priors) > 20
    assert ts(result) == pytest.approx(null - data, abs=1e-5)


def test_a_prior_of_a_frozen_parameter_does_not_enter() -> None:
    known = Parameter("index", 2.3, frozen=True, prior=GaussianPrior(mu=2.0, sigma=1e-3))
    result = Fit(DATASETS).run(Models([power_law(index=known)]), test=["source"])
    free = Fit(DATASETS).run(Models([power_law(index=Parameter("index", 2.3, frozen=True))]), test=["source"])
    assert ts(result) == pytest.approx(ts(free), abs=1e-5)


def test_a_prior_of_another_component_is_on_both_sides() -> None:
    """Removing ``other`` pulls ``source`` away from its prior, and that counts."""
    prior = GaussianPrior(mu=2.3, sigma=0.05)
    pair = Models([power_law(index=Parameter("index", 2.3, prior=prior)), power_law("other", index=1.0)])
    result = Fit(DATASETS).run(pair, test=["other"])
    alone = Fit(DATASETS).run(pair.without("other"))
    assert ts(result, "other") == pytest.approx(alone.statistic - result.statistic, abs=1e-5)


def test_a_fit_without_the_component_that_is_lower_leads_the_fit_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fit stays where it starts, as if in a minimum; the one without ``other`` finds the lower one."""
    minimize, runs = FitRun.minimize, list[FitRun]()

    def lazily(run: FitRun) -> None:
        runs.append(run)
        if len(runs) > 1:
            minimize(run)

    pair = Models([power_law(), power_law("other", amplitude=1e-11, index=Parameter("index", 1.0, frozen=True))])
    right = Fit(DATASETS).run(pair, test=["other"])
    monkeypatch.setattr(FitRun, "minimize", lazily)
    monkeypatch.setattr(FitRun, "check_errors", lambda run: None)  # which would find it before
    result = Fit(DATASETS).run(pair, test=["other"])
    assert len(runs) == 4
    assert result.statistic == pytest.approx(right.statistic, abs=1e-5)
    assert ts(result, "other") == pytest.approx(ts(right, "other"), abs=1e-5)
    assert "a lower minimum was found" in " ".join(result.warnings)


def test_without_a_minimum_there_is_no_ts() -> None:
    same = Parameter("index", 2.3, frozen=True)
    twins = Models([power_law("one", index=same), power_law("two", index=same)])
    component = Fit(DATASETS).run(twins, test=["one"]).components[0]
    assert component.ts is None
    assert component.ts_reason.startswith("the fit did not converge: the statistic does not change along")


def test_a_component_that_others_follow_is_refused_before_anything_is_fitted() -> None:
    pair = Models([power_law("a", datasets_names=["a"]), power_law("b", datasets_names=["b"])])
    models = pair.with_links([Link("b.index", "a.index")])
    told: list[float] = []
    with pytest.raises(ModelError, match=r"'b\.index' follows 'a\.index', which would go with component 'a'"):
        Fit(DATASETS).run(models, test=["a"], progress=lambda _, value: told.append(value))
    assert told == []
    assert Fit(DATASETS).run(models, test=["b"]).components[1].ts is not None
