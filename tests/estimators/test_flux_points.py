"""Flux points against slow refits, on bands with and without data, and on instruments with different energies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, FluxPointsDataset
from gm.errors import UsageError
from gm.estimators import FluxPoint, FluxPoints, FluxPointsEstimator, NormEstimate
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import (
    BackgroundIRFModel,
    GaussianPrior,
    Link,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
)
from tests.samples import flux_points, log_parabola, on_off, power_law, read_reference, spectrum

EDGES = np.geomspace(0.5, 20.0, 4)
EXPOSURE = 1e12


def estimate(point: FluxPoint) -> NormEstimate:
    assert point.estimate is not None, point.reason
    return point.estimate


def run(datasets: Datasets, models: Models, edges: object = EDGES, **options: object) -> FluxPoints:
    return FluxPointsEstimator(source="source", energy_edges=edges, **options).run(datasets, models)  # type: ignore[arg-type]


def in_band(datasets: Datasets, low: float, high: float) -> Datasets:
    """The datasets with nothing but their bins in a band, whose edges are bin edges."""

    def masked(dataset: Dataset) -> Dataset:
        if isinstance(dataset, FluxPointsDataset):
            return dataset.with_(mask_fit=(dataset.points.energy >= low) & (dataset.points.energy < high))
        inside = dataset.energy.mask(low * (1 - 1e-6), high * (1 + 1e-6))
        return dataset.with_(mask_fit=inside & dataset.mask)

    return Datasets(map(masked, datasets))


def models_with(*more: object, index: Parameter | None = None) -> Models:
    """The source, another component on two of the datasets that is not negative, and ``more``."""
    amplitude = Parameter("amplitude", 2e-12, "TeV-1 s-1 cm-2", min=0.0)
    fixed = Parameter("index", 1.8, frozen=True)
    other = power_law("other", index=index or fixed, amplitude=amplitude, datasets_names=["a", "b"])
    return Models([power_law(), other, *more])  # type: ignore[list-item]


SAME_AXES = Datasets(
    [on_off("a", 1, exposure=EXPOSURE), on_off("c", 4, exposure=EXPOSURE), spectrum("b", 2, n_energy=6)]
)
TWO = models_with()
NORM = PowerLawNormSpectralModel(norm=Parameter("norm", 1.0, min=0.0))
WITH_NORM = models_with(BackgroundIRFModel(spectral_model=NORM, dataset_name="b"))
WITH_PRIOR = models_with(index=Parameter("index", 1.8, prior=GaussianPrior(mu=1.8, sigma=0.1)))


def refit(
    datasets: Datasets, models: Models, reoptimize: bool, norm: float | None = None
) -> tuple[float, float, float]:
    """Statistic, norm and its error by a fit of the amplitude; held at ``norm`` times its value when that is given."""
    amplitude = models.parameters["source.amplitude"].value
    edits: dict[str, object] = {"source.index": {"frozen": True}}
    if norm is not None:
        edits["source.amplitude"] = {"value": norm * amplitude, "frozen": True}
    if not reoptimize:
        others = [a for a in models.parameters.addresses if not a.startswith("source.")]
        edits |= {address: {"frozen": True} for address in others}
    held = models.with_parameters(edits)
    likelihood = JointLikelihood(datasets, held)
    if not likelihood.layout.n_free:
        return likelihood.value(likelihood.layout.start), norm or 0.0, 0.0
    result = Fit(datasets).run(held)
    assert result.success, result.message
    fitted = next(p for p in result.parameters if p.name == "source.amplitude")
    return result.statistic, fitted.value / amplitude, (fitted.error or 0.0) / amplitude


@pytest.mark.parametrize("reoptimize", [False, True])
@pytest.mark.parametrize("models", [TWO, WITH_NORM, WITH_PRIOR], ids=["two", "background norm", "prior"])
def test_a_slow_refit_finds_the_same(models: Models, reoptimize: bool) -> None:
    """Each number by a general fit of the amplitude to the bins of the band, everything else frozen or free."""
    for point in run(SAME_AXES, models, reoptimize=reoptimize).points:
        found, band = estimate(point), in_band(SAME_AXES, point.e_min, point.e_max)
        statistic, norm, error = refit(band, models, reoptimize)
        assert found.stat == pytest.approx(statistic, abs=1e-4)
        assert found.norm == pytest.approx(norm, abs=0.01 * error)
        assert found.norm_err == pytest.approx(error, rel=0.01)
        assert found.stat_null == pytest.approx(refit(band, models, reoptimize, 0.0)[0], abs=1e-4)
        assert found.norm_errp is not None
        assert found.norm_errn is not None
        assert found.norm_ul is not None
        for at, delta in (
            (found.norm + found.norm_errp, 1.0),
            (found.norm - found.norm_errn, 1.0),
            (found.norm_ul, 4.0),
        ):
            assert refit(band, models, reoptimize, at)[0] - statistic == pytest.approx(delta, abs=1e-3)
        for k in (0, 5, 10):
            scanned = refit(band, models, reoptimize, float(np.geomspace(0.2, 5.0, 11)[k]))[0]
            assert found.stat_scan[k] == pytest.approx(scanned, abs=1e-4)


@pytest.mark.parametrize("reoptimize", [False, True])
def test_predicted_counts_belong_to_the_best_norm(reoptimize: bool) -> None:
    """And, with reoptimize, to the other components as fitted in the band."""
    amplitude = TWO.parameters["source.amplitude"].value
    for point in run(SAME_AXES, TWO, reoptimize=reoptimize).points:
        band = in_band(SAME_AXES, point.e_min, point.e_max)
        edits: dict[str, object] = {
            "source.index": {"frozen": True},
            "source.amplitude": {"value": estimate(point).norm * amplitude, "frozen": True},
        }
        held = TWO.with_parameters(edits)
        best = Fit(band).optimize(held).models if reoptimize else held
        likelihood = JointLikelihood(band, best)
        for summary in likelihood.summarize(likelihood.layout.start):
            mine = point.datasets[summary.name]
            assert summary.components is not None
            assert mine.counts == summary.counts
            assert mine.excess == pytest.approx(summary.components["source"], rel=1e-3)
            assert mine.predicted == pytest.approx(summary.predicted, rel=2e-3)


def test_all_instruments_of_the_joint_crab(shared: Path) -> None:
    """Five instruments with four energy axes in twelve bands: Gammapy refuses them, here every row has a status."""
    datasets = read_reference(shared, "joint-crab")
    start = Models.read(shared / "reference" / "joint-crab" / "models_start_lp.yaml")
    models = Fit(datasets).optimize(start).models
    edges = np.geomspace(0.03, 20.0, 13)
    found = FluxPointsEstimator(source="crab", energy_edges=edges).run(datasets, models)
    assert found.success
    assert len(found.points) == 12
    assert [point.status for point in found.points].count("no_data") == 0
    assert found.points[0].e_min >= 0.03
    for point in found.points:
        assert point.status in ("ok", "upper_limit")
        numbers = estimate(point)
        assert None not in (numbers.norm_err, numbers.norm_errn, numbers.norm_errp, numbers.norm_ul)
        assert numbers.stat <= min(numbers.stat_null, numbers.stat_scan.min()) + 1e-9
        assert point.datasets
        # every point within 3.5 of its errors of the best-fit spectrum, of which it is a norm
        error = numbers.norm_errp if numbers.norm < 1 else numbers.norm_errn
        assert error is not None
        assert abs(numbers.norm - 1) < 3.5 * error
    # Bands partition the bins: what enters the fit enters one band, but for bins that no edge can split.
    in_fit = sum(dataset.counts[dataset.mask].sum() for dataset in datasets)
    in_bands = sum(d.counts or 0.0 for point in found.points for d in point.datasets.values())
    assert in_bands == in_fit


def test_bands_add_up_to_the_joint_statistic() -> None:
    """At the norm 1 the bands' statistics are those of the global model, cut into pieces."""
    likelihood = JointLikelihood(SAME_AXES, TWO)
    points = run(SAME_AXES, TWO, norm_scan=[1.0]).points
    total = sum(float(estimate(point).stat_scan[0]) for point in points)
    assert total == pytest.approx(likelihood.value(likelihood.layout.start), rel=1e-12)


def test_twice_the_reference_is_half_the_norm() -> None:
    doubled = Models([power_law(amplitude="2e-11 TeV-1 s-1 cm-2"), *list(TWO)[1:]])
    for one, two in zip(run(SAME_AXES, TWO).points, run(SAME_AXES, doubled).points, strict=True):
        for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "norm_sensitivity"):
            assert getattr(estimate(two), name) == pytest.approx(0.5 * getattr(estimate(one), name), rel=1e-6), name
        assert estimate(two).ts == pytest.approx(estimate(one).ts, rel=1e-9, abs=1e-9)
        assert two.reference.dnde == pytest.approx(2 * one.reference.dnde, rel=1e-12, abs=0)


def test_sigmas_scale_what_they_should() -> None:
    """Two-sigma errors lie where the statistic has risen by 4, the upper limit of 3 sigma by 9."""
    datasets, options = SAME_AXES, {"sigma": 2.0, "sigma_ul": 3.0, "norm_scan": [0.3, 3.0]}
    for one, two in zip(run(datasets, TWO).points, run(datasets, TWO, **options).points, strict=True):
        first, second = estimate(one), estimate(two)
        assert second.norm == pytest.approx(first.norm, abs=1e-8)
        assert second.norm_err == pytest.approx(2 * (first.norm_err or 0.0), rel=1e-9)
        assert (second.norm_errp or 0.0) > 1.7 * (first.norm_errp or 0.0)
        assert (second.norm_ul or 0.0) > (first.norm_ul or 0.0)
        assert second.stat_scan.shape == (2,)


def test_reference_fluxes_of_a_power_law() -> None:
    """Closed formulas: index 2.3 at 1 TeV, A = 1e-11."""
    for point in run(SAME_AXES, TWO).points:
        low, high, amplitude = point.e_min, point.e_max, 1e-11
        assert point.e_ref == pytest.approx(np.sqrt(low * high), rel=1e-12)
        assert point.reference.dnde == pytest.approx(amplitude * point.e_ref**-2.3, rel=1e-10, abs=0)
        assert point.reference.flux == pytest.approx(amplitude * (low**-1.3 - high**-1.3) / 1.3, rel=1e-10, abs=0)
        eflux = amplitude * (low**-0.3 - high**-0.3) / 0.3 * 1.602176634
        assert point.reference.eflux == pytest.approx(eflux, rel=1e-10, abs=0)
        assert point.reference.e2dnde == pytest.approx(amplitude * point.e_ref**-0.3 * 1.602176634, rel=1e-10, abs=0)


def test_quantities_with_units() -> None:
    numbers, texts = run(SAME_AXES, TWO, [0.5, 20.0]), run(SAME_AXES, TWO, ["500 GeV", "20 TeV"])
    assert estimate(numbers.points[0]).norm == pytest.approx(estimate(texts.points[0]).norm, rel=1e-12)


def no_counts(dataset: Dataset) -> Dataset:
    assert not isinstance(dataset, FluxPointsDataset)
    zero = np.zeros(dataset.energy.n_bins)
    return dataset.with_(counts=zero, counts_off=zero) if dataset.type.endswith("OnOff") else dataset.with_(counts=zero)


@pytest.mark.parametrize("reoptimize", [False, True])
def test_no_counts_in_on_and_off(reoptimize: bool) -> None:
    """W = 2 S norm above zero: the best norm is 0, and the limit of 2 sigma is where S norm = 2."""
    datasets = Datasets([no_counts(on_off("a", 1))])
    for point in run(datasets, Models([power_law()]), reoptimize=reoptimize).points:
        found = estimate(point)
        assert point.status == "upper_limit"
        assert point.reason
        band = in_band(datasets, point.e_min, point.e_max)
        likelihood = JointLikelihood(band, Models([power_law()]))
        signal = likelihood.predicted(likelihood.layout.start)[0].sum()
        assert found.norm == pytest.approx(0, abs=1e-6 / signal)
        assert found.norm_ul == pytest.approx(2 / signal, rel=1e-6)
        assert found.norm_errp == pytest.approx(0.5 / signal, rel=1e-6)
        assert found.ts == pytest.approx(0, abs=1e-6)
        assert found.norm_err is None or np.isfinite(found.norm_err)
        assert point.datasets["a"].counts == 0


def test_no_counts_above_a_known_background() -> None:
    """The best norm is negative, where nothing is expected any more; the limit is 4 above that."""
    datasets = Datasets([no_counts(spectrum("b", 2))])
    for point in run(datasets, Models([power_law()])).points:
        found = estimate(point)
        assert point.status == "upper_limit"
        assert found.norm < 0
        assert found.stat == pytest.approx(0, abs=1e-9)
        assert found.norm_ul is not None
        band = in_band(datasets, point.e_min, point.e_max)
        assert refit(band, Models([power_law()]), False, found.norm_ul)[0] == pytest.approx(4.0, abs=1e-6)


def test_sensitivity_does_not_ask_what_was_measured_on() -> None:
    dataset = on_off("a", 1, exposure=EXPOSURE)
    more = dataset.with_(counts=dataset.counts + 50.0)
    for one, two in zip(*(run(Datasets([d]), Models([power_law()])).points for d in (dataset, more)), strict=True):
        assert estimate(two).norm_sensitivity == pytest.approx(estimate(one).norm_sensitivity, rel=1e-8)


def test_published_flux_points_have_a_weighted_mean() -> None:
    """chi2: the norm in a band is the mean of dnde / f, weighted with (f / error)^2."""
    dataset = flux_points()
    points = dataset.points
    for point in run(Datasets([dataset]), Models([power_law()]), [0.3, 2.0, 10.0]).points:
        inside = (points.energy >= point.e_min) & (points.energy < point.e_max) & dataset.mask
        model = 1e-11 * points.energy[inside] ** -2.3
        weight = (model / points.dnde_err[inside]) ** 2
        found = estimate(point)
        assert found.norm == pytest.approx(np.sum(weight * points.dnde[inside] / model) / weight.sum(), rel=1e-8)
        for error in (found.norm_err, found.norm_errn, found.norm_errp):
            assert error == pytest.approx(1 / np.sqrt(weight.sum()), rel=1e-6)
        assert found.norm_sensitivity is None
        assert point.datasets["points"].counts is None


def test_spectra_and_flux_points_together() -> None:
    datasets = Datasets([flux_points(), *SAME_AXES])
    both, alone = run(datasets, TWO), run(SAME_AXES, TWO)
    for point, fewer in zip(both.points, alone.points, strict=True):
        assert (estimate(point).norm_err or 0.0) < (estimate(fewer).norm_err or 0.0)
        assert next(iter(point.datasets)) == "points"


@pytest.mark.parametrize("reoptimize", [False, True])
@pytest.mark.parametrize("leader", ["source", "other"])
def test_linked_parameters(leader: str, reoptimize: bool) -> None:
    """The source keeps its spectrum: what it shares with other components is held in the bands."""
    follower = "other" if leader == "source" else "source"
    both = models_with(index=Parameter("index", 2.3))
    linked = both.with_links([Link(f"{follower}.index", f"{leader}.index")])
    held = both.with_parameters({"source.index": {"frozen": True}, "other.index": {"frozen": True}})
    one, two = (run(SAME_AXES, models, reoptimize=reoptimize).points for models in (linked, held))
    for point, expected in zip(one, two, strict=True):
        error = estimate(expected).norm_err or 1.0
        assert estimate(point).norm == pytest.approx(estimate(expected).norm, abs=1e-3 * error)
        assert estimate(point).stat == pytest.approx(estimate(expected).stat, abs=1e-4)


def few_counts() -> Datasets:
    """Seven counts above a background of four, in six bins."""
    counts = np.array([0.0, 3.0, 1.0, 2.0, 0.0, 1.0, 0.0])
    return Datasets([spectrum("b", 2, counts=counts, background=np.full(7, 0.6))])


@pytest.mark.parametrize("datasets", [SAME_AXES, few_counts()], ids=["many counts", "few counts"])
def test_one_band_over_everything_is_the_fit(datasets: Datasets) -> None:
    """TS, asymmetric errors and, for what they are worth, second derivatives are the same from both."""
    models = Models([power_law(index=Parameter("index", 2.3, frozen=True)), WITH_NORM["b-bkg"]])
    result = Fit(datasets).run(models, minos=["source.amplitude"], test=["source"])
    fitted = next(p for p in result.parameters if p.name == "source.amplitude")
    assert fitted.minos is not None
    [point] = run(datasets, models, [0.5, 20.0], reoptimize=True).points
    found = estimate(point)
    assert found.stat == pytest.approx(result.statistic, abs=1e-5)
    assert found.ts == pytest.approx(next(c.ts for c in result.components if c.name == "source"), abs=1e-4)
    assert found.norm == pytest.approx(fitted.value / 1e-11, abs=1e-3 * (fitted.error or 0.0) / 1e-11)
    assert found.norm_err == pytest.approx((fitted.error or 0.0) / 1e-11, rel=1e-3)
    for mine, theirs in ((found.norm_errn, fitted.minos[0]), (found.norm_errp, fitted.minos[1])):
        assert mine is not None
        assert theirs is not None
        assert mine == pytest.approx(abs(theirs) / 1e-11, rel=1e-3)


def test_what_a_band_cannot_tell_of_the_others_leaves_the_norm_its_error() -> None:
    """In one bin norm and tilt of a background are one number: errors are those with the tilt held."""
    counted = spectrum("b", 2, counts=np.array([9.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]))
    datasets = Datasets([on_off("a", 1, n_energy=7, exposure=EXPOSURE), counted])
    edges = datasets[0].energy.edges[[2, 3, 4]].tolist()  # type: ignore[union-attr]
    free, held = (
        Models(
            [
                power_law(),
                BackgroundIRFModel(
                    spectral_model=PowerLawNormSpectralModel(tilt=Parameter("tilt", 0.1, frozen=frozen)),
                    dataset_name="b",
                ),
            ]
        )
        for frozen in (False, True)
    )
    pairs = zip(*(run(datasets, models, edges, reoptimize=True).points for models in (free, held)), strict=True)
    for one, two in pairs:
        assert estimate(one).missing == {}
        for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "stat", "stat_null"):
            assert getattr(estimate(one), name) == pytest.approx(getattr(estimate(two), name), rel=1e-4), name


def test_a_norm_that_another_component_can_be_in_place_of() -> None:
    """The same spectrum twice: the norm's error does not exist, and the result says why."""
    models = Models([power_law(), power_law("twin", index=Parameter("index", 2.3, frozen=True))])
    [point] = run(Datasets([on_off("a", 1, exposure=EXPOSURE)]), models, [0.5, 20.0], reoptimize=True).points
    found = estimate(point)
    assert found.norm_err is None
    assert "the statistic does not change along" in found.missing["norm_err"]
    assert "twin.amplitude" in found.missing["norm_err"]
    assert (found.norm_errn, found.norm_errp, found.norm_ul) == (None, None, None)


def test_reoptimize_without_anything_to_fit_is_the_plain_norm() -> None:
    models = Models([power_law()])
    for one, two in zip(run(SAME_AXES, models).points, run(SAME_AXES, models, reoptimize=True).points, strict=True):
        assert estimate(one).norm == estimate(two).norm
        assert estimate(one).norm_ul == estimate(two).norm_ul


def test_models_stay_and_results_repeat() -> None:
    before = WITH_PRIOR.to_dict()
    first, second = (run(SAME_AXES, WITH_PRIOR, reoptimize=True) for _ in range(2))
    assert WITH_PRIOR.to_dict() == before
    assert [estimate(p).norm_ul for p in first.points] == [estimate(p).norm_ul for p in second.points]


def test_what_the_result_remembers() -> None:
    seen: list[tuple[str, float]] = []
    estimator = FluxPointsEstimator(source="source", energy_edges=EDGES, sigma_ul=3.0)  # type: ignore[arg-type]
    found = estimator.run(SAME_AXES, TWO, progress=lambda text, part: seen.append((text, part)))
    assert (found.source, found.sigma, found.sigma_ul, found.reoptimize) == ("source", 1.0, 3.0, False)
    assert found.datasets == ("a", "c", "b")
    assert found.reference_model is TWO["source"]
    assert found.norm_scan == pytest.approx(np.geomspace(0.2, 5.0, 11))
    assert [part for _, part in seen] == pytest.approx([0, 1 / 3, 2 / 3])


def test_a_curved_spectrum_is_scaled_as_a_whole() -> None:
    """Counts migrate from the whole true spectrum: one band over everything is the fit of the amplitude."""
    models = Models([log_parabola()])
    frozen = models.with_parameters({"source.alpha": {"frozen": True}, "source.beta": {"frozen": True}})
    result = Fit(SAME_AXES).run(frozen)
    point = run(SAME_AXES, models, [0.5, 20.0]).points[0]
    fitted = next(p for p in result.parameters if p.name == "source.amplitude")
    assert estimate(point).norm == pytest.approx(fitted.value / 1e-11, rel=1e-4)
    assert estimate(point).norm_err == pytest.approx((fitted.error or 0.0) / 1e-11, rel=1e-3)


@pytest.mark.parametrize(
    ("source", "match"),
    [("crabb", "no component is called 'crabb'; components: source, other"), ("b-bkg", "not a sky component")],
)
def test_no_such_source(source: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        FluxPointsEstimator(source=source, energy_edges=[1, 2]).run(SAME_AXES, WITH_NORM)


def test_tables_of_flux_points_in_any_order() -> None:
    table = flux_points()
    mixed = table.take(np.random.default_rng(1).permutation(table.points.n_points))
    assert (np.diff(mixed.points.energy) < 0).any()
    one, other = (run(Datasets([dataset]), Models([power_law()])) for dataset in (table, mixed))
    assert [point.status for point in one.points] == [point.status for point in other.points]
    np.testing.assert_allclose(norms(other), norms(one), rtol=1e-12)


def test_without_datasets_there_are_no_flux_points() -> None:
    with pytest.raises(UsageError, match="no dataset was given"):
        FluxPointsEstimator(source="source", energy_edges=[1, 2]).run(Datasets(), TWO)


@pytest.mark.parametrize("edges", [[1.0], [2.0, 1.0], [1.0, 1.0, 2.0], [-1.0, 1.0], [0.0, 1.0]])
def test_edges_that_make_no_bands(edges: list[float]) -> None:
    with pytest.raises(UsageError, match="two positive energies, increasing"):
        FluxPointsEstimator(source="source", energy_edges=edges).run(SAME_AXES, TWO)


def test_a_prior_of_a_frozen_parameter_is_in_every_statistic() -> None:
    """As in the joint statistic; it cancels in TS and errors."""
    prior = GaussianPrior(mu=2.0, sigma=0.1)
    index = Parameter("index", 2.3, frozen=True, prior=prior)
    plain, more = Models([power_law()]), Models([power_law(index=index)])
    constant = 9.0 + float(np.log(2 * np.pi * 0.01))
    for one, two in zip(run(SAME_AXES, plain).points, run(SAME_AXES, more).points, strict=True):
        assert estimate(two).stat == pytest.approx(estimate(one).stat + constant, rel=1e-9)
        assert estimate(two).ts == pytest.approx(estimate(one).ts, rel=1e-9, abs=1e-9)


def norms(points: FluxPoints) -> Array:
    return np.array([estimate(point).norm for point in points.points])


def test_asimov_data_have_norms_of_one() -> None:
    """Data equal to what is predicted, without background: every norm is 1, whatever the bands."""
    blank = spectrum("b", 2, exposure=1e13, background=None)
    likelihood = JointLikelihood(Datasets([blank]), Models([power_law()]))
    data = blank.with_(counts=likelihood.predicted(likelihood.layout.start)[0])
    assert norms(run(Datasets([data]), Models([power_law()]))) == pytest.approx(np.ones(3), rel=1e-8)
