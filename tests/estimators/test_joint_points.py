"""Flux points of several sources or bands in one fit: against slow dense fits, the usual points, and simulations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from gm.arrays import Array
from gm.datasets import Datasets, FluxPointsDataset, SpectrumDataset, read_dataset
from gm.errors import DataError, UsageError
from gm.estimators import FluxPoints, FluxPointsEstimator, JointFluxPoints, NormEstimate
from gm.estimators.joint_points import JointFluxPointsEstimator
from gm.estimators.norms_objective import NormsObjective, Part
from gm.estimators.smoothness import Smoothness
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import BackgroundIRFModel, GaussianPrior, Models, Parameter, PowerLawNormSpectralModel
from tests.samples import on_off, power_law, read_reference, spectrum

TRUE = EnergyAxis(np.geomspace(0.3, 40.0, 41), "energy_true")
MEASURED = EnergyAxis(np.geomspace(0.5, 20.0, 17))
BANDS = TRUE.edges[::8]  # five, from 0.3 to 40 TeV


def dispersed(name: str = "data", width: float = 0.35, exposure: float = 3e13, **changes: Any) -> SpectrumDataset:
    """An empty spectrum whose energies are measured to ``width`` in ln E, with a background of some counts."""
    distance = np.log(MEASURED.center / TRUE.center[:, None])
    density = np.exp(-0.5 * (distance / width) ** 2) / (np.sqrt(2 * np.pi) * width)
    edisp = density * np.diff(np.log(MEASURED.edges))
    background = 40.0 * MEASURED.center**-1.7
    dataset = SpectrumDataset(
        name=name,
        energy=MEASURED,
        energy_true=TRUE,
        exposure=np.full(TRUE.n_bins, exposure),
        edisp=edisp,
        counts=np.zeros(MEASURED.n_bins),
        background=background,
    )
    return dataset.with_(**changes)


def signal(dataset: SpectrumDataset, models: Models, source: str = "source") -> Array:
    """Counts in each measured energy from each true one, (n_true, n_energy), bin by bin."""
    spectral, edges = models[source].spectral_model, TRUE.edges
    flux = np.array([float(spectral.integral(low, high)) for low, high in pairwise(edges)])
    assert dataset.exposure is not None
    assert dataset.edisp is not None
    return np.asarray((flux * dataset.exposure)[:, None] * dataset.edisp)


def asimov(dataset: SpectrumDataset, models: Models, norms: Array | None = None) -> SpectrumDataset:
    """With the counts that are expected, where the source is its spectrum times a norm in each band."""
    counts = signal(dataset, models)
    if norms is not None:
        counts = np.repeat(norms, TRUE.n_bins // norms.size)[:, None] * counts
    assert dataset.background is not None
    return dataset.with_(counts=counts.sum(axis=0) + dataset.background)


def estimates(points: FluxPoints) -> list[NormEstimate]:
    found = [point.estimate for point in points.points]
    assert all(found), [point.reason for point in points.points]
    return [one for one in found if one is not None]


def norms_of(points: FluxPoints) -> Array:
    return np.array([one.norm for one in estimates(points)])


def joint(datasets: Datasets, models: Models, edges: Any = BANDS, **how: Any) -> JointFluxPoints:
    sources = how.pop("sources", ["source"])
    return JointFluxPointsEstimator(sources=sources, energy_edges=edges, **how).run(datasets, models)


def hessian(function: Callable[[Array], float], at: Array, steps: Array) -> Array:
    """Second derivatives by differences of values."""
    n, rows = at.size, np.eye(at.size)
    found = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            ends = [at + a * steps[i] * rows[i] + b * steps[j] * rows[j] for a in (1, -1) for b in (1, -1)]
            plus, cross, other, minus = (function(end) for end in ends)
            found[i, j] = (plus - cross - other + minus) / (4 * steps[i] * steps[j])
    return found


def test_bands_of_true_energy_are_those_of_the_dense_fit() -> None:
    """Norms to 1e-4 and covariance to 1 % of the errors of a simplex and differences on counts summed bin by bin."""
    models, bent = Models([power_law()]), np.array([1.1, 0.9, 1.2, 0.7, 1.5])
    expected = asimov(dispersed(), models, bent).counts
    data = dispersed(counts=np.random.default_rng(4).poisson(expected).astype(float))
    [points] = joint(Datasets([data]), models, method="unfold").tables
    by_band = signal(data, models).reshape(5, 8, -1).sum(axis=1)

    def statistic(norms: Array) -> float:
        predicted = norms @ by_band + data.background
        return float(np.sum(2 * (predicted - data.counts * np.log(predicted))))

    best = minimize(statistic, norms_of(points) * 1.05, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11,
                    "maxiter": 20000, "maxfev": 20000})  # fmt: skip
    errors = np.array([one.norm_err for one in estimates(points)])
    np.testing.assert_allclose(norms_of(points), best.x, atol=1e-4 * errors.min())
    assert points.points[0].estimate is not None
    assert points.points[0].estimate.stat == pytest.approx(best.fun, abs=1e-6)
    covariance = 2 * np.linalg.inv(hessian(statistic, best.x, 0.05 * errors))
    assert points.covariance is not None
    scale = np.outer(errors, errors)
    np.testing.assert_allclose(points.covariance / scale, covariance / scale, atol=0.01)
    assert points.covariance[0, 1] < -0.1 * errors[0] * errors[1]

    def without(k: int) -> float:
        others = np.delete(np.arange(5), k)

        def held(norms: Array) -> float:
            whole = np.zeros(5)
            whole[others] = norms
            return statistic(whole)

        found = minimize(
            held, best.x[others], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-9, "maxfev": 9000}
        )
        return float(found.fun)

    assert estimates(points)[4].ts == pytest.approx(without(4) - best.fun, abs=1e-4)


def test_usual_points_are_pulled_by_other_bands_and_those_of_true_energy_are_not() -> None:
    """A spectrum with a step, measured to 0.35 in ln E: its own norms from expected counts, to 1e-6.

    The usual points, folded as they are with the energy dispersion, see what spills over: up to 30 % here.
    """
    models, bent = Models([power_law()]), np.array([1.0, 1.0, 2.0, 2.0, 2.0])
    datasets = Datasets([asimov(dispersed(), models, bent)])
    [points] = joint(datasets, models, method="unfold").tables
    np.testing.assert_allclose(norms_of(points), bent, rtol=1e-4)
    usual = FluxPointsEstimator(source="source", energy_edges=MEASURED.edges[::4]).run(datasets, models)
    truth = np.array([1.0 if point.e_ref < BANDS[2] else 2.0 for point in usual.points])
    assert np.abs(norms_of(usual) / truth - 1).max() > 0.15


def test_simulated_norms_scatter_around_the_truth_with_their_covariance() -> None:
    """200 simulations with strong dispersion: means to 4 of their errors, chi-square of all five as its mean says."""
    models, bent = Models([power_law()]), np.array([1.0, 1.3, 0.8, 1.0, 1.2])
    empty = dispersed(exposure=1e14)
    expected, random = asimov(empty, models, bent).counts, np.random.default_rng(11)
    found, chi2 = [], []
    for _ in range(200):
        data = empty.with_(counts=random.poisson(expected).astype(float))
        [points] = joint(Datasets([data]), models, method="unfold", norm_scan=[1.0]).tables
        away = norms_of(points) - bent
        assert points.covariance is not None
        found.append(away)
        chi2.append(away @ np.linalg.solve(points.covariance, away))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(means) < 4 * errors).all(), means / errors
    assert np.mean(chi2) == pytest.approx(5.0, abs=4 * np.sqrt(10 / 200))


def test_edges_between_bins_divide_them_as_the_spectrum_says() -> None:
    """Norms of all bands at 1 are the spectrum itself, whatever the edges; what is beyond them stays."""
    models, data = Models([power_law()]), Datasets([asimov(dispersed(), Models([power_law()]))])
    likelihood = JointLikelihood(data, models)
    values = likelihood.layout.expand(likelihood.layout.start)
    edges = np.array([0.55, 1.234, 3.21, 17.0])
    parts = likelihood.bank.by_energy(values, "source", edges)
    whole = likelihood.bank.fluxes(values, ["source"])
    middle = (TRUE.edges[:-1] > edges[0]) & (TRUE.edges[1:] < edges[-1])
    np.testing.assert_allclose(parts.sum(axis=0)[middle], whole[middle], rtol=1e-12)
    k = int(np.searchsorted(TRUE.edges, 1.234)) - 1
    low, high, power = TRUE.edges[k], TRUE.edges[k + 1], -1.3
    share = (low**power - 1.234**power) / (low**power - high**power)
    np.testing.assert_allclose(parts[0, k] / whole[k], share, rtol=1e-10)
    [points] = joint(data, models, edges, method="unfold").tables
    np.testing.assert_allclose(norms_of(points), 1.0, atol=1e-6)
    assert any("outside of all bands" in text for text in points.warnings)


def test_gradient_and_information_of_all_norms() -> None:
    """By differences, with penalty, prior and a background that is fitted too."""
    norm = PowerLawNormSpectralModel(norm=Parameter("norm", 1.1, prior=GaussianPrior(mu=1.0, sigma=0.1)))
    models = Models([power_law(), BackgroundIRFModel(spectral_model=norm, dataset_name="data")])
    data = Datasets([asimov(dispersed(), Models([power_law()]))])
    likelihood = JointLikelihood(data, models)
    values = likelihood.layout.expand(likelihood.layout.start)
    signals = likelihood.bank.by_energy(values, "source", BANDS)
    penalty = Smoothness(3.0, np.arange(5), np.sqrt(BANDS[1:] * BANDS[:-1]))
    part = Part(likelihood.terms, np.arange(5), signals)
    nothing = np.zeros(likelihood.bank.n_columns)
    objective = NormsObjective(
        likelihood, [part], ["source"], [str(k) for k in range(5)], nothing, reoptimize=True, smoothness=[penalty]
    )
    at = objective.start * np.array([1.1, 0.8, 1.3, 0.9, 0.0005, *np.full(objective.layout.n_free, 1.02)])
    _, gradient = objective.value_and_gradient(at)
    for k in range(at.size):
        step = 1e-6 * max(abs(at[k]), 1e-3) * (np.arange(at.size) == k)
        slope = (objective.value(at + step) - objective.value(at - step)) / (2 * step[k])
        assert gradient[k] == pytest.approx(slope, rel=2e-5, abs=1e-4)
    bare = NormsObjective(likelihood, [part], ["source"], [str(k) for k in range(5)], nothing, reoptimize=False)
    start = bare.start
    counted = hessian(bare.value, start, np.full(5, 1e-3))
    np.testing.assert_allclose(bare.information(start), counted, rtol=1e-3, atol=1e-3 * counted.max())


def test_smoothness_is_nothing_for_a_power_law_and_counts_second_differences() -> None:
    energies = np.geomspace(0.5, 8.0, 5)
    penalty = Smoothness(2.0, np.arange(5), energies)
    uneven = Smoothness(2.0, np.arange(4), np.array([0.5, 0.7, 3.0, 20.0]))
    assert penalty.value(3.0 * energies**0.7) == pytest.approx(0.0, abs=1e-20)
    assert uneven.value(3.0 * uneven.energies**-1.2) == pytest.approx(0.0, abs=1e-20)
    norms = np.array([1.0, 1.2, 0.7, 0.9, 2.0])
    assert penalty.value(norms) == pytest.approx(2.0 * np.sum(np.diff(np.log(norms), 2) ** 2), rel=1e-12)


def test_smooth_points_hang_together_and_keep_their_ts() -> None:
    models, bent = Models([power_law()]), np.array([1.0, 1.3, 0.8, 1.0, 1.2])
    data = Datasets([asimov(dispersed(exposure=1e12), models, bent)])
    [free] = joint(data, models, method="unfold").tables
    [smooth] = joint(data, models, method="unfold", smoothness=50.0).tables
    assert np.abs(np.diff(np.log(norms_of(smooth)), 2)).max() < 0.2 * np.abs(np.diff(np.log(norms_of(free)), 2)).max()
    for one, other in zip(estimates(smooth), estimates(free), strict=True):
        assert one.ts == pytest.approx(other.ts, abs=2e-5)  # each of two minima is good to 5e-6
        assert one.norm_err is not None
        assert other.norm_err is not None
        assert one.norm_err < other.norm_err
    assert smooth.smoothness == 50.0


def test_without_other_parameters_all_bands_in_one_fit_are_the_usual_points(shared: Path) -> None:
    datasets, models = (
        read_reference(shared, "hess-crab-1d"),
        Models([power_law("crab", 2.6, "4.5e-11 TeV-1 s-1 cm-2")]),
    )
    edges = np.geomspace(0.7, 20.0, 6)
    usual = FluxPointsEstimator(source="crab", energy_edges=edges).run(datasets, models)
    [points] = joint(datasets, models, edges, sources=["crab"], method="joint").tables
    for one, other in zip(points.points, usual.points, strict=True):
        assert (one.e_min, one.e_max, one.status, one.datasets.keys()) == (
            other.e_min, other.e_max, other.status, other.datasets.keys()
        )  # fmt: skip
        assert one.estimate is not None
        assert other.estimate is not None
        for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts"):
            assert getattr(one.estimate, name) == pytest.approx(getattr(other.estimate, name), rel=2e-4, abs=1e-4)
    assert points.covariance is not None
    np.testing.assert_allclose(points.covariance - np.diag(np.diag(points.covariance)), 0.0, atol=1e-12)


def background_norm(prior: GaussianPrior | None = None) -> BackgroundIRFModel:
    norm = PowerLawNormSpectralModel(norm=Parameter("norm", 1.0, prior=prior))
    return BackgroundIRFModel(spectral_model=norm, dataset_name="data")


def test_points_with_covariance_fit_as_the_spectrum_does(tmp_path: Path) -> None:
    """A power law fitted to counts with a background known to 0.1 %, and to the points of one fit of all bands.

    The same parameters and errors, but for what the shape of the reference within bands tells of the background;
    without the covariance the error of the flux is too small.
    """
    models = Models([power_law(), background_norm(GaussianPrior(mu=1.0, sigma=0.001))])
    expected, random = asimov(dispersed(width=0.05, exposure=1e17), models), np.random.default_rng(2)
    assert expected.background is not None
    data = expected.with_(background=expected.background * 3e4)
    data = data.with_(counts=random.poisson(expected.counts + 29999 * expected.background).astype(float))
    fit = Fit(Datasets([data])).run(models)
    how = {"method": "joint", "reoptimize": True}
    [points] = joint(Datasets([data]), fit.models, MEASURED.edges[::2], **how).tables
    points.write(tmp_path / "points.fits")
    table = read_dataset("FluxPointsDataset", tmp_path / "points.fits")
    assert isinstance(table, FluxPointsDataset)
    assert table.is_correlated
    again = Fit(Datasets([table])).run(Models([power_law()]))
    alone = Fit(Datasets([replace(table, points=replace(table.points, covariance=None))])).run(Models([power_law()]))
    for name in ("source.index", "source.amplitude"):
        value, error = value_of(fit, name)
        from_points, its_error = value_of(again, name)
        assert from_points == pytest.approx(value, abs=0.1 * error)
        assert its_error == pytest.approx(error, rel=0.02)
    assert value_of(alone, "source.amplitude")[1] < 0.8 * value_of(fit, "source.amplitude")[1]


def value_of(result: Any, name: str) -> tuple[float, float]:
    found = next(one for one in result.parameters if one.name == name)
    return found.value, found.error


def test_points_of_true_energy_fit_as_the_spectrum_does(tmp_path: Path) -> None:
    """The same for bands of true energy, narrow ones, where the spectrum is none of its reference."""
    models = Models([power_law(index=2.5)])
    data = Datasets([asimov(dispersed(exposure=1e15), models)])
    fit = Fit(data).run(Models([power_law()]))
    [points] = joint(data, fit.models, TRUE.edges[::4], method="unfold").tables
    points.write(tmp_path / "points.fits")
    table = read_dataset("FluxPointsDataset", tmp_path / "points.fits")
    again = Fit(Datasets([table])).run(Models([power_law()]))
    for one, other in list(zip(again.parameters, fit.parameters, strict=True))[:2]:
        assert one.value == pytest.approx(other.value, abs=0.1 * (other.error or 0.0))
        assert one.error == pytest.approx(other.error, rel=0.05, abs=0)


def test_a_prior_that_bands_share_correlates_them() -> None:
    """``dn/da`` of each band by moving the prior's centre and fitting again; without priors bands are independent."""
    data = asimov(dispersed(), Models([power_law()])).with_(background=dispersed().background * 2)
    data = data.with_(counts=np.round(data.counts + 0.5 * data.background))
    width, edges = 0.05, MEASURED.edges[::4]

    def run(center: float) -> FluxPoints:
        models = Models([power_law(), background_norm(GaussianPrior(mu=center, sigma=width))])
        estimator = FluxPointsEstimator(source="source", energy_edges=edges, reoptimize=True)
        return estimator.run(Datasets([data]), models)

    points, up, down = run(1.0), run(1.01), run(0.99)
    along = width * (norms_of(up) - norms_of(down)) / 0.02
    assert points.covariance is not None
    expected = np.outer(along, along)
    np.fill_diagonal(expected, [float(one.norm_err or 0.0) ** 2 for one in estimates(points)])
    np.testing.assert_allclose(points.covariance, expected, rtol=0.02)
    free = Models([power_law(), background_norm()])
    estimator = FluxPointsEstimator(source="source", energy_edges=edges, reoptimize=True)
    assert estimator.run(Datasets([data]), free).covariance is None


def test_sources_in_one_band_are_fitted_together() -> None:
    """Two sources on one dataset, the other alone on a second one: against fits of both amplitudes in the band."""
    other = power_law("other", 1.8, "3e-12 TeV-1 s-1 cm-2")
    models = Models([power_law(datasets_names=["a"]), other])
    datasets = Datasets([spectrum("a", 1, n_energy=6, exposure=2e12), on_off("b", 2, n_energy=6, exposure=2e12)])
    edges = datasets[0].energy_edges()[0][[0, 3]]
    result = joint(datasets, models, edges, sources=["source", "other"], method="bands")
    free = models.with_parameters({"source.index": {"frozen": True}, "other.index": {"frozen": True}})
    inside = Datasets(one.with_(mask_fit=np.arange(6) < 3) for one in datasets)
    fit = Fit(inside).run(free)
    for table in result.tables:
        [estimate] = estimates(table)
        name = f"{table.source}.amplitude"
        found = next(one for one in fit.parameters if one.name == name)
        start = models.parameters[models.resolve(name)].value
        assert estimate.norm == pytest.approx(found.value / start, abs=1e-3 * found.error / start)
        assert estimate.norm_err == pytest.approx(found.error / start, rel=1e-3)
    assert result.covariance is not None
    correlation = result.covariance[0, 1] / np.sqrt(result.covariance[0, 0] * result.covariance[1, 1])
    assert -1 < correlation < -0.01
    document = result.to_dict("both")
    assert document["sources"] == ["source", "other"]
    assert [row["source"] for row in document["points"]] == ["source", "other"]
    assert document["points"][0]["correlations"] == {"other": pytest.approx(correlation)}


def test_one_source_in_bands_is_the_usual_one() -> None:
    datasets, models = Datasets([spectrum("a", 3, exposure=2e12)]), Models([power_law()])
    usual = FluxPointsEstimator(source="source", energy_edges=[0.5, 2.0, 20.0]).run(datasets, models)
    [points] = joint(datasets, models, [0.5, 2.0, 20.0], method="bands").tables
    for one, other in zip(estimates(points), estimates(usual), strict=True):
        assert (one.norm, one.norm_err, one.norm_ul) == (other.norm, other.norm_err, other.norm_ul)


def test_bands_without_data_say_so() -> None:
    data, models = Datasets([asimov(dispersed(), Models([power_law()]))]), Models([power_law()])
    [points] = joint(data, models, [1.0, 4.0, 60.0, 90.0], method="joint").tables
    assert [point.status for point in points.points] == ["ok", "ok", "no_data"]
    [points] = joint(data, models, [1.0, 4.0, 45.0, 90.0], method="unfold").tables
    assert [point.status for point in points.points] == ["ok", "ok", "no_data"]
    assert points.covariance is not None
    assert np.isnan(points.covariance[2]).all()
    assert np.isfinite(points.covariance[:2, :2]).all()


@pytest.mark.parametrize("kind", ["yaml", "fits", "ecsv"])
def test_files_give_them_back(tmp_path: Path, kind: str) -> None:
    data, models = Datasets([asimov(dispersed(), Models([power_law()]))]), Models([power_law()])
    [points] = joint(data, models, method="unfold").tables
    points.write(tmp_path / f"points.{kind}")
    again = FluxPoints.read(tmp_path / f"points.{kind}")
    assert again.covariance is not None
    np.testing.assert_allclose(again.covariance, points.covariance, rtol=1e-12)
    if kind == "yaml":
        assert again.method is points.method


def test_points_of_several_sources_have_tables_of_their_own(tmp_path: Path) -> None:
    models = Models([power_law(datasets_names=["a"]), power_law("other", 1.8, "3e-12 TeV-1 s-1 cm-2")])
    datasets = Datasets([spectrum("a", 1, exposure=2e12), spectrum("b", 2, exposure=2e12)])
    both = joint(datasets, models, [0.5, 1.0, 4.0], sources=["source", "other"], method="bands")
    file = tmp_path / "both.yaml"
    both.write(file)
    with pytest.raises(DataError, match=r"points of 2 sources: source, other\n.*source='source'.*JointFluxPoints.read"):
        FluxPoints.read(file)
    with pytest.raises(DataError, match=r"no points of 'otter'\n.*did you mean 'other'"):
        FluxPoints.read(file, source="otter")
    again = JointFluxPoints.read(file)
    assert [table.source for table in again] == ["source", "other"]
    assert len(again) == 2
    assert again.covariance is not None
    np.testing.assert_array_equal(again.covariance, both.covariance)
    for table in both.tables:
        one = FluxPoints.read(file, source=table.source)
        assert one.to_dict()["points"] == again[table.source].to_dict()["points"]
        assert norms_of(one) == pytest.approx(norms_of(table), rel=1e-15)
        assert one.covariance is not None
        np.testing.assert_array_equal(one.covariance, table.covariance)
        spectra = [Models([points.reference_model]).to_dict() for points in (one, table)]
        assert spectra[0]["components"][0]["spectral"] == spectra[1]["components"][0]["spectral"]
    with pytest.raises(UsageError, match="no points of 'otter'; sources: source, other      did you mean 'other'"):
        again["otter"]
    again["source"].write(tmp_path / "one.fits")
    with pytest.raises(UsageError, match="a table has one"):
        FluxPoints.read(tmp_path / "one.fits", source="source")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"method": "all"}, "no method"),
        ({"smoothness": 1.0}, "of points with the method unfold"),
        ({"ul": "cls"}, "those of a norm alone"),
        ({"sources": []}, "at least one"),
        ({"sources": ["source", "source"]}, "each once"),
        ({"nuisance_prior": 3.0}, "of the method bands"),
        ({"strict": True, "method": "unfold"}, "true energies"),
    ],
)
def test_what_has_no_meaning_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        joint(Datasets([spectrum()]), Models([power_law()]), **how)
