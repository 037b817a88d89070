"""Impacts: against fits with the nuisance frozen, what the covariance tells, priors, limits and links."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators import Impact, ImpactEstimator, Impacts
from gm.fit import Fit
from gm.models import GaussianPrior, GeneralizedGaussianPrior, Link, ModelError, Models, UniformPrior
from tests.map_samples import background
from tests.samples import log_parabola, on_off, power_law, spectrum

DATASETS = Datasets([on_off("on-off", 3, exposure=4e12), spectrum("known", 4, exposure=4e12)])
TOLERANCE = 3e-3  # of an error: each of two fits ends within 5e-6 of the statistic, which is 2e-3 of an error
PRIOR = {
    "known-bkg.tilt": {"frozen": True},
    "known-bkg.norm": {"frozen": False, "prior": GaussianPrior(mu=1.1, sigma=0.1)},
}


def with_background() -> Models:
    """A log parabola, and a background whose norm is free with a prior."""
    return Models([log_parabola("crab"), background("known")]).with_parameters(PRIOR)


def frozen_shift(models: Models, parameter: str, nuisance: str, value: float) -> float:
    """How far a whole fit takes the parameter when the nuisance is frozen at a value."""
    best = Fit(DATASETS).run(models).models
    moved = Fit(DATASETS).run(best.with_parameters({nuisance: {"value": value, "frozen": True}})).models
    return float(moved.parameters[parameter].value - best.parameters[parameter].value)


def row(impacts: Impacts, name: str) -> Impact:
    return next(row for row in impacts.rows if row.name == name)


def test_they_are_fits_with_the_nuisance_frozen() -> None:
    models = with_background()
    impacts = ImpactEstimator(parameter="crab.amplitude").run(DATASETS, models)
    assert {row.name for row in impacts.rows} == {"crab.alpha", "crab.beta", "known-bkg.norm"}
    assert impacts.error is not None
    for found in impacts.rows:
        assert found.error is not None
        assert found.post_fit is not None
        for shift, sign in zip(found.post_fit, (-1, 1), strict=True):
            assert shift.value == pytest.approx(found.value + sign * found.error, rel=1e-12)
            slow = frozen_shift(models, "crab.amplitude", found.name, shift.value)
            assert shift.shift == pytest.approx(slow, abs=TOLERANCE * impacts.error)
    norm = row(impacts, "known-bkg.norm")
    assert norm.pre_fit is not None
    assert [shift.value - norm.value for shift in norm.pre_fit] == pytest.approx([-0.1, 0.1])
    slow = frozen_shift(models, "crab.amplitude", norm.name, norm.pre_fit[1].value)
    assert norm.pre_fit[1].shift == pytest.approx(slow, abs=TOLERANCE * impacts.error)
    sizes = [found.size for found in impacts.rows]
    assert sizes == sorted(sizes, reverse=True)


def test_pulls_and_what_the_covariance_tells() -> None:
    """Shifts of a statistic that is nearly a parabola; the error with all nuisances held is that of such a fit."""
    models = with_background()
    best = Fit(DATASETS).run(models)
    impacts = ImpactEstimator(parameter="crab.amplitude").run(DATASETS, models)
    norm, fitted = row(impacts, "known-bkg.norm"), next(p for p in best.parameters if p.name == "known-bkg.norm")
    assert norm.pull == pytest.approx((fitted.value - 1.1) / 0.1, abs=1e-3)
    assert norm.constraint == pytest.approx((fitted.error or 0.0) / 0.1, rel=1e-3)
    for found in impacts.rows:
        assert found.linear is not None
        assert found.post_fit is not None
        down, up = (shift.shift or 0.0 for shift in found.post_fit)
        assert (up - down) / 2 == pytest.approx(found.linear, rel=0.05)
    held = {found.name: {"frozen": True} for found in impacts.rows}
    alone = next(p for p in Fit(DATASETS).run(best.models.with_parameters(held)).parameters if not p.frozen)
    assert impacts.error_fixed == pytest.approx(alone.error, rel=1e-3)


def test_widths_of_priors() -> None:
    """Where -2 ln of the density has risen by 1 from its peak, weight included."""
    for prior in (GaussianPrior(mu=2, sigma=0.3, weight=4), GeneralizedGaussianPrior(mu=2, sigma=0.3, eta=0.8)):
        assert prior.center == 2
        assert prior.width is not None
        for side in (-1, 1):
            assert prior.value(2 + side * prior.width) - prior.value(2) == pytest.approx(1, rel=1e-12)
    assert GaussianPrior(sigma=0.3, weight=4).width == pytest.approx(0.15)
    assert GeneralizedGaussianPrior(sigma=0.3).width == pytest.approx(0.3)
    assert GaussianPrior(weight=0).width is None
    flat = UniformPrior()
    assert (flat.center, flat.width) == (None, None)


def test_a_nuisance_goes_no_further_than_its_limits() -> None:
    norm = {"frozen": False, "min": 0.0, "max": 1.005, "prior": UniformPrior(min=0, max=2)}
    models = with_background().with_parameters({"known-bkg.norm": norm})
    impacts = ImpactEstimator(parameter="crab.alpha", nuisances="*-bkg.*").run(DATASETS, models)
    (norm,) = impacts.rows
    assert norm.pre_fit is None
    assert norm.pull is None
    sides = norm.post_fit
    if sides is None:  # the fit itself ends at the limit
        assert "at a limit" in norm.reason
    else:
        assert (sides[1].value, sides[1].limit) == (1.005, "upper")


def test_a_parameter_that_follows_another() -> None:
    """It moves as that one does, by the scale of its link; the one that it follows is no nuisance of it."""
    models = Models(
        [power_law("one"), power_law("two")], links=[Link("two.index", "one.index", scale=2.0, offset=-2.0)]
    )
    frozen = models.with_parameters({"two.amplitude": {"frozen": True}})
    one, two = (ImpactEstimator(parameter=f"{name}.index").run(DATASETS, frozen) for name in ("one", "two"))
    assert [found.name for found in two.rows] == ["one.amplitude"]
    shifts = [np.array([shift.shift for shift in found.rows[0].post_fit or ()]) for found in (one, two)]
    assert shifts[1] == pytest.approx(2 * shifts[0])
    assert two.error == pytest.approx(2 * (one.error or 0.0))


def test_what_cannot_be_asked() -> None:
    models = Models([power_law("crab")])
    with pytest.raises(UsageError, match=r"crab\.reference is not free"):
        ImpactEstimator(parameter="crab.reference").run(DATASETS, models)
    with pytest.raises(ModelError, match="no parameter matches 'norm'"):
        ImpactEstimator(parameter="crab.index", nuisances=["norm"]).run(DATASETS, models)


def test_an_error_is_what_is_left_and_the_impact() -> None:
    """The variance of a parameter is what the other adds to it, and what is left with that held."""
    impacts = ImpactEstimator(parameter="crab.amplitude", nuisances="crab.index").run(
        DATASETS, Models([power_law("crab")])
    )
    (index,) = impacts.rows
    assert impacts.error is not None
    assert impacts.error_fixed is not None
    assert index.linear is not None
    assert impacts.error == pytest.approx(sqrt(impacts.error_fixed**2 + index.linear**2), rel=1e-9)
