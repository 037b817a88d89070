"""Light curves with the spectrum fitted too: in every bin of its own, or in one fit of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators import FluxPoint, LightCurve, LightCurveEstimator, NormEstimate
from gm.estimators.joint_light_curve import joint_models
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import AddressError, GaussianPrior, Link, Models, PowerLaw2SpectralModel, SkyModel
from tests.estimators.test_light_curve import good_time, run
from tests.samples import power_law, spectrum

EDGES = ("0.5 TeV", "8 TeV")
RUNS = Datasets([run(k, (float(k), k + 0.02), exposure=2e12) for k in range(3)])
MODELS = Models([power_law("crab")])


def points(curve: LightCurve) -> list[FluxPoint]:
    return [row.points[0] for row in curve.rows if row.points]


def estimates(curve: LightCurve) -> list[NormEstimate]:
    return [point.estimate for point in points(curve) if point.estimate]


def test_a_free_index_is_that_of_a_fit_of_the_bin() -> None:
    """With the flux between the same energies as the amplitude of `PowerLaw2SpectralModel`: errors by MINOS.

    Both end within 0.002 errors of the minimum.
    """
    curve = LightCurveEstimator(source="crab", energy_edges=EDGES, free=["crab.index"]).run(RUNS, MODELS)
    for dataset, point in zip(RUNS, points(curve), strict=True):
        inside = dataset.with_(mask_fit=dataset.energy_mask(point.e_min - 1e-6, point.e_max + 1e-6))
        spectrum = PowerLaw2SpectralModel(
            amplitude="1e-11 s-1 cm-2", index=2.3, emin=f"{point.e_min} TeV", emax=f"{point.e_max} TeV"
        )
        fit = Fit(Datasets([inside])).run(
            Models([SkyModel(name="crab", spectral_model=spectrum)]), minos=["*"], test=["*"]
        )
        flux, index = fit.parameters[:2]
        estimate, scale = point.estimate, point.reference.flux
        assert estimate is not None
        assert estimate.norm * scale == pytest.approx(flux.value, abs=3e-3 * flux.error)
        assert estimate.norm_err * scale == pytest.approx(flux.error, rel=1e-3)
        assert (-estimate.norm_errn * scale, estimate.norm_errp * scale) == pytest.approx(flux.minos, rel=3e-3)
        assert estimate.ts == pytest.approx(fit.components[0].ts, abs=1e-3)
        [fitted] = point.parameters
        assert (fitted.name, fitted.value) == ("crab.index", pytest.approx(index.value, abs=3e-3 * index.error))
        assert fitted.error == pytest.approx(index.error, rel=1e-3)
        assert point.spectrum["dnde"].value == pytest.approx(fit.models["crab"].spectral_model(point.e_ref), rel=1e-3)


def test_the_profile_has_its_minimum_at_the_norm() -> None:
    scan = (0.5, 1.0, 2.0)
    estimator = LightCurveEstimator(source="crab", energy_edges=EDGES, free=["crab.index"], norm_scan=scan)
    for estimate in estimates(estimator.run(RUNS, MODELS)):
        assert (estimate.stat_scan > estimate.stat - 1e-6).all()
        assert estimate.norm_errp is not None
        beyond = scan[2] > estimate.norm + estimate.norm_errp
        assert (estimate.stat_scan[2] - estimate.stat > 1.0) == beyond


def test_one_fit_with_all_shapes_frozen_is_a_fit_for_each_bin() -> None:
    frozen = MODELS.with_parameters({"crab.index": {"frozen": True}})
    each = LightCurveEstimator(source="crab", energy_edges=EDGES).run(RUNS, frozen)
    together = LightCurveEstimator(source="crab", energy_edges=EDGES, joint=True).run(RUNS, frozen)
    for one, other in zip(estimates(each), estimates(together), strict=True):
        assert one.norm_err is not None
        assert other.norm == pytest.approx(one.norm, abs=2e-3 * one.norm_err)
        assert other.norm_err == pytest.approx(one.norm_err, rel=2e-3)
        assert other.norm_errn == pytest.approx(one.norm_errn, rel=2e-3)
        assert other.norm_ul == pytest.approx(one.norm_ul, rel=2e-3)
        assert other.ts == pytest.approx(one.ts, abs=1e-3)
    assert together.covariance is not None
    errors = [one.norm_err for one in estimates(each)]
    assert together.covariance == pytest.approx(np.diag(np.square(np.array(errors, dtype=float))), rel=5e-3, abs=1e-12)
    assert together.parameters == ()
    assert together.joint_stat is not None
    total, constant = together.joint_stat
    assert total == pytest.approx(sum(one.stat for one in estimates(each)), abs=1e-4)
    whole = each.constant.points[0].estimate
    assert whole is not None
    assert constant == pytest.approx(whole.stat, abs=1e-4)


def test_a_shared_index_is_where_the_sum_over_bins_is_lowest() -> None:
    """A light curve for each of many indices, of which the lowest sum over bins is the joint statistic."""

    def total(index: float) -> float:
        fixed = MODELS.with_parameters({"crab.index": {"value": index, "frozen": True}})
        return sum(
            one.stat for one in estimates(LightCurveEstimator(source="crab", energy_edges=EDGES).run(RUNS, fixed))
        )

    lowest = minimize_scalar(total, bounds=(1.5, 3.5), method="bounded", options={"xatol": 1e-5})
    together = LightCurveEstimator(source="crab", energy_edges=EDGES, joint=True).run(RUNS, MODELS)
    assert together.joint_stat is not None
    assert together.joint_stat[0] == pytest.approx(lowest.fun, abs=1e-3)
    [index] = together.parameters
    assert index.name == "crab.index"
    assert index.error is not None
    assert index.value == pytest.approx(lowest.x, abs=5e-3 * index.error)
    covariance = together.covariance
    assert covariance is not None
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 1e-6  # fluxes share the index


def test_bins_without_data_have_no_covariance() -> None:
    bins = {"intervals": [[53000.0, 53000.5], [53000.6, 53000.7], [53001.0, 53001.5]], "scale": "tt"}
    curve = LightCurveEstimator(source="crab", time_bins=bins, energy_edges=EDGES, joint=True).run(RUNS, MODELS)
    assert [point.status for point in points(curve)] == ["ok", "no_data", "ok"]
    assert curve.covariance is not None
    assert np.isnan(curve.covariance[1]).all()
    assert np.isfinite(curve.covariance[np.ix_([0, 2], [0, 2])]).all()


def test_links_of_the_source_are_those_of_all_copies() -> None:
    models = Models(
        [power_law("other", datasets_names=["run-1"]), power_law("crab"), power_law("third", datasets_names=["run-2"])],
        links=[Link("crab.index", "other.index", offset=0.5), Link("third.index", "crab.index", scale=2.0)],
    ).with_parameters({"crab.reference": {"frozen": True}})
    grown, names = joint_models(models, "crab", [["run-0", "run-1"], ["run-2"]])
    assert names == ["crab-1", "crab-2"]
    assert grown.names == ["other", "crab-1", "crab-2", "third"]
    assert grown["crab-1"].datasets_names == ("run-0", "run-1")
    assert [(link.parameter, link.equals, link.scale, link.offset) for link in grown.links] == [
        ("crab-1.index", "other.index", 1.0, 0.5),
        ("crab-2.index", "other.index", 1.0, 0.5),
        ("third.index", "crab-1.index", 2.0, 0.0),
    ]
    likelihood = JointLikelihood(RUNS, grown), JointLikelihood(RUNS, models)
    assert likelihood[0].value(likelihood[0].layout.start) == pytest.approx(
        likelihood[1].value(likelihood[1].layout.start)
    )


def test_what_cannot_be_free() -> None:
    two = Models([power_law("crab"), power_law("other")], links=[Link("other.amplitude", "crab.amplitude")])
    for models, options, error, why in (
        (MODELS, {"free": ["crab.gamma"]}, AddressError, "crab.gamma"),
        (two, {"free": ["other.index"]}, UsageError, "is no parameter of 'crab'"),
        (two, {"joint": True}, UsageError, "'other.amplitude' follows 'crab.amplitude'"),
        (MODELS, {"joint": True, "free": ["crab.index"]}, UsageError, "one band of energy"),
    ):
        with pytest.raises(error, match=why):
            LightCurveEstimator(source="crab", energy_edges=EDGES, **options).run(RUNS, models)  # type: ignore[arg-type]


INDEX_PRIOR = {"prior": GaussianPrior(mu=2.3, sigma=0.05)}
OF_THE_MEAN = MODELS.with_parameters({"crab.amplitude": {"prior": GaussianPrior(mu=1e-11, sigma=1e-12)}})


@pytest.mark.parametrize("options", [{"free": ["crab.index"]}, {"joint": True}], ids=["free", "joint"])
def test_a_prior_of_the_amplitude_is_none_of_single_bins(options: dict[str, Any]) -> None:
    """It would enter each bin, and its TS."""
    one, other = (
        LightCurveEstimator(source="crab", energy_edges=EDGES, **options).run(RUNS, models)
        for models in (MODELS, OF_THE_MEAN)
    )
    for first, second in zip(estimates(one), estimates(other), strict=True):
        assert (second.norm, second.stat, second.ts) == (first.norm, first.stat, first.ts)
    assert other.joint_stat == one.joint_stat
    assert "the prior of crab.amplitude is none of the fluxes of single bins, and left out" in other.warnings


def test_a_prior_of_the_index_is_no_part_of_the_ts_of_a_bin() -> None:
    """What the data alone lose without the source, which has no index then."""
    models = MODELS.with_parameters({"crab.index": INDEX_PRIOR})
    curve = LightCurveEstimator(source="crab", energy_edges=EDGES, free=["crab.index"]).run(RUNS, models)
    for dataset, point in zip(RUNS, points(curve), strict=True):
        masked = Datasets([dataset.with_(mask_fit=dataset.energy_mask(point.e_min - 1e-6, point.e_max + 1e-6))])
        values = {"crab.index": point.parameters[0].value, "crab.amplitude": {"value": 0.0, "frozen": True}}
        nothing = JointLikelihood(masked, MODELS.with_parameters(values))
        estimate = point.estimate
        assert estimate is not None
        penalty = INDEX_PRIOR["prior"].value(point.parameters[0].value)
        assert estimate.ts == pytest.approx(nothing.value(nothing.layout.start) - (estimate.stat - penalty), abs=1e-6)


def test_a_shared_index_has_its_prior_once() -> None:
    """As many sources with amplitudes of their own whose indices follow the first, which has the prior."""
    models = MODELS.with_parameters({"crab.index": INDEX_PRIOR})
    curve = LightCurveEstimator(source="crab", energy_edges=EDGES, joint=True).run(RUNS, models)
    masked = Datasets(
        dataset.with_(mask_fit=dataset.energy_mask(point.e_min - 1e-6, point.e_max + 1e-6))
        for dataset, point in zip(RUNS, points(curve), strict=True)
    )
    names = [dataset.name for dataset in masked]
    copies = Models([power_law(f"{name} source", datasets_names=[name]) for name in names])
    copies = copies.with_parameters({f"{names[0]} source.index": INDEX_PRIOR})
    copies = copies.with_links([Link(f"{name} source.index", f"{names[0]} source.index") for name in names[1:]])
    fitted = Fit(masked).optimize(copies)
    assert curve.joint_stat is not None
    assert curve.joint_stat[0] == pytest.approx(fitted.statistic, abs=1e-4)
    assert curve.parameters[0].value == pytest.approx(
        fitted.models.parameters[f"{names[0]} source.index"].value, rel=1e-4
    )


def test_a_flux_that_a_limit_holds_at_0_is_an_upper_limit() -> None:
    """One bin without counts on, amplitudes not below 0: it has a limit, and the others are as without it."""
    empty = RUNS[0].with_(counts=np.zeros_like(RUNS[0].counts))
    models = MODELS.with_parameters({"crab.amplitude": {"min": 0.0}})
    curve = LightCurveEstimator(source="crab", energy_edges=EDGES, joint=True).run(
        Datasets([empty, *list(RUNS)[1:]]), models
    )
    first, *others = points(curve)
    assert (first.status, first.reason) == ("upper_limit", "norm 0, TS 0: TS has to reach 4")
    estimate = first.estimate
    assert estimate is not None
    assert estimate.missing["norm_err"] == "at its lower limit"
    assert (estimate.norm, estimate.norm_err, estimate.norm_errn) == (0.0, None, None)
    assert estimate.norm_ul is not None
    inside = empty.with_(mask_fit=empty.energy_mask(first.e_min - 1e-6, first.e_max + 1e-6))
    shared = {"crab.index": curve.parameters[0].value}

    def lost(norm: float) -> float:
        held = MODELS.with_parameters({**shared, "crab.amplitude": norm * 1e-11})
        likelihood = JointLikelihood(Datasets([inside]), held)
        return likelihood.value(likelihood.layout.start)

    assert lost(estimate.norm_ul) - lost(0.0) == pytest.approx(4.0, rel=0.1)  # the index hardly goes along
    assert {point.status for point in others} == {"ok"}


def test_datasets_have_the_energies_of_their_own_bins() -> None:
    """And those that do not see the source none of the point's."""
    six, seven = run(1, (1.0, 1.5), exposure=2e12), spectrum("seven", 2, exposure=2e12, gti=good_time((1.1, 1.4)))
    for names in (["run-1", "seven"], ["seven"]):
        models = Models([power_law("crab", datasets_names=names)])
        both = Datasets([six, seven])
        [fixed] = points(LightCurveEstimator(source="crab", energy_edges=EDGES).run(both, models))
        [free] = points(LightCurveEstimator(source="crab", energy_edges=EDGES, free=["crab.index"]).run(both, models))
        assert (free.e_min, free.e_max) == (fixed.e_min, fixed.e_max)
        for name in names:
            mine, its = free.datasets[name], fixed.datasets[name]
            assert (mine.e_min, mine.e_max, mine.counts) == (its.e_min, its.e_max, its.counts)
