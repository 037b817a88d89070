"""Bins of time, which datasets lie in them, and what is measured there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table as AstropyTable
from scipy import stats

from gm.datasets import Datasets, SpectrumDatasetOnOff
from gm.errors import DataError, UsageError
from gm.estimators import FluxPointsEstimator, LightCurve, LightCurveEstimator
from gm.estimators.time_bins import BayesianBlocks, TimeBin, mjd_tt, time_binning, utc
from gm.estimators.variability import chi2_probability
from gm.io.tables import Column, Table
from gm.models import GaussianPrior, LightCurveTemplateTemporalModel, Models, SkyModel
from tests.samples import on_off, power_law

DAY = 86400.0
EDGES = ("0.5 TeV", "5 TeV")
MODELS = Models([power_law("crab")])


def good_time(*intervals: tuple[float, float]) -> Table:
    """A GTI of intervals in days after MJD 53000 (TT)."""
    start, stop = np.array(intervals).T * DAY
    cards = {"MJDREFI": 53000, "MJDREFF": 0.0, "TIMESYS": "tt"}
    return Table("GTI", (Column("START", start, "s"), Column("STOP", stop, "s")), cards)


def run(number: int, *intervals: tuple[float, float], **changes: Any) -> SpectrumDatasetOnOff:
    return on_off(f"run-{number}", number, gti=good_time(*intervals) if intervals else None, **changes)


RUNS = Datasets([run(1, (0.0, 0.02)), run(2, (0.03, 0.05)), run(3, (2.0, 2.02)), run(4, (4.0, 4.01), (4.02, 4.03))])


def bins(time_bins: object, datasets: Datasets = RUNS) -> list[tuple[float | None, tuple[str, ...]]]:
    """Where they begin, in days after MJD 53000, and who is in them."""
    curve = LightCurveEstimator(source="crab", time_bins=time_bins, energy_edges=EDGES).run(datasets, MODELS)
    return [
        (None if row.bin.start is None else round(row.bin.start - 53000, 6), row.bin.datasets) for row in curve.rows
    ]


def norms(curve: LightCurve) -> list[float]:
    return [row.points[0].estimate.norm for row in curve.rows if row.points and row.points[0].estimate]


def test_a_bin_for_every_observation() -> None:
    assert bins("per-observation") == [
        (0.0, ("run-1",)), (0.03, ("run-2",)), (2.0, ("run-3",)), (4.0, ("run-4",)),
    ]  # fmt: skip
    backwards = Datasets(reversed(list(RUNS)))
    assert bins("per-observation", backwards) == bins("per-observation")


def test_observations_that_overlap_share_a_bin_and_without_times_have_one_each() -> None:
    datasets = Datasets([run(1, (0.0, 0.02)), run(2, (0.01, 0.05)), run(3), run(4)])
    assert bins("per-observation", datasets) == [(0.0, ("run-1", "run-2")), (None, ("run-3",)), (None, ("run-4",))]
    with pytest.raises(UsageError, match=r"without good time intervals \(GTI\): run-3, run-4"):
        bins({"width": "1 d"}, datasets)


def test_bins_of_equal_width() -> None:
    """From the start of the data, or from any moment; those without datasets are counted."""
    assert bins({"width": "1 d"}) == [(0.0, ("run-1", "run-2")), (2.0, ("run-3",)), (4.0, ("run-4",))]
    shifted = LightCurveEstimator(source="crab", time_bins={"width": "12 h", "start": 53001.9, "scale": "tt"})
    curve = shifted.run(RUNS, MODELS)
    assert [row.bin.start for row in curve.rows] == pytest.approx([52999.9, 53001.9, 53003.9])
    assert curve.n_empty == 6
    assert "6 time bins without datasets are left out" in curve.warnings


def test_edges_and_intervals_keep_bins_without_datasets() -> None:
    mjd = [53000.0, 53001.0, 53001.5, 53005.0]
    curve = LightCurveEstimator(source="crab", time_bins={"edges": mjd, "scale": "tt"}).run(RUNS, MODELS)
    assert [row.bin.datasets for row in curve.rows] == [("run-1", "run-2"), (), ("run-3", "run-4")]
    empty = curve.rows[1].points
    assert empty is not None
    assert (empty[0].status, empty[0].reason) == ("no_data", "no dataset lies in this time bin")
    given = {"intervals": [[53003.0, 53005.0], [53000.0, 53001.0]], "scale": "tt"}
    curve = LightCurveEstimator(source="crab", time_bins=given).run(RUNS, MODELS)
    assert [row.bin.datasets for row in curve.rows] == [("run-1", "run-2"), ("run-4",)]
    assert curve.outside == ("run-3",)
    assert any("in no time bin, and left out: run-3" in text for text in curve.warnings)


def test_good_time_intervals_are_bins() -> None:
    assert bins("gti", RUNS[:3]) == bins("per-observation", RUNS[:3])
    with pytest.raises(UsageError, match="longer than a time bin, or across its edges: run-4"):
        bins("gti")


@pytest.mark.parametrize("given", [{"width": "10 min"}, {"edges": [53000.01, 53010.0], "scale": "tt"}])
def test_a_dataset_longer_than_a_bin_is_named(given: object) -> None:
    with pytest.raises(UsageError, match=r"across its edges: run-1.*the same time_bins"):
        bins(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("per-run", "'per-run' are no time bins; known: per-observation"),
        ({"width": "1 d", "edges": [1, 2]}, "one of width, edges"),
        ({"widht": "1 d"}, "'widht' is no key of time bins.*did you mean 'width'"),
        ({"width": "0 d"}, "is above zero"),
        ({"edges": [53002, 53001]}, "end after they begin"),
        ({"intervals": [[1, 3], [2, 4]]}, "time bins overlap"),
        ({"intervals": [53001, 53002]}, "53001 is no interval of time; give two times"),
        ({"edges": ["2004-13-01", "2005-01-01"]}, "'2004-13-01' is no time"),
    ],
)
def test_what_are_no_time_bins(given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        time_binning(given)


def test_dates_are_utc() -> None:
    """TT - UTC is 64.184 s in 2004."""
    assert mjd_tt("2004-12-04") == pytest.approx(53343 + 64.184 / DAY, abs=1e-9)
    assert mjd_tt(53343.0, "tt") == 53343.0
    assert utc(mjd_tt("2004-12-04T22:08:10")) == pytest.approx(53343 + (22 * 3600 + 490) / DAY, abs=1e-9)


def test_bayesian_blocks_join_what_does_not_differ() -> None:
    found = [TimeBin(float(k), k + 0.5, (f"run-{k}",)) for k in range(6)]
    joined = BayesianBlocks().blocks(found, [1.0, 1.1, 0.9, 3.0, 3.1, 2.9], [0.1] * 6)
    assert [(one.start, one.stop, len(one.datasets)) for one in joined] == [(0.0, 2.5, 3), (3.0, 5.5, 3)]
    curve = LightCurveEstimator(source="crab", time_bins="bayesian_blocks", energy_edges=EDGES).run(RUNS, MODELS)
    assert [row.bin.datasets for row in curve.rows] == [tuple(RUNS.names)]


def test_blocks_are_those_of_one_standard_deviation() -> None:
    """However many of them errors are told for."""
    runs = Datasets([run(k, (k, k + 0.5), exposure=2e12 if k < 5 else 4e11) for k in range(1, 9)])
    first, *others = (
        [
            row.bin
            for row in LightCurveEstimator(source="crab", time_bins="bayesian_blocks", sigma=s).run(runs, MODELS).rows
        ]
        for s in (1.0, 0.2, 5.0)
    )
    assert others == [first, first]


def test_runs_without_an_error_are_in_the_block_that_they_lie_in() -> None:
    """Without counts a norm of nothing is as likely as a negative one: it tells of no change, and is not left out."""
    times = [TimeBin(float(k), k + 0.5, (f"run-{k}",)) for k in range(6)]
    blocks = BayesianBlocks().blocks(times, [1.0, 1.0, 0.0, 1.1, 9.0, 9.0], [0.1, 0.1, np.inf, 0.1, 0.1, 0.1])
    assert [block.datasets for block in blocks] == [("run-0", "run-1", "run-2", "run-3"), ("run-4", "run-5")]


@pytest.mark.parametrize("options", [{}, {"joint": True}, {"free": ["crab.index"]}], ids=["fixed", "joint", "free"])
def test_a_bin_without_exposure_has_no_data_and_the_others_have_theirs(options: dict[str, Any]) -> None:
    """As without the run: also whether the flux varies, by the likelihood."""
    blind = RUNS[1].with_(exposure=np.zeros_like(RUNS[1].exposure))
    seeing = [RUNS[0], *list(RUNS)[2:]]
    estimator = LightCurveEstimator(source="crab", energy_edges=EDGES, **options)
    found, expected = (estimator.run(Datasets(runs), MODELS).to_dict() for runs in ([*seeing, blind], seeing))
    first, none, *others = found["points"]
    assert none["status"] == "no_data"
    assert [point["norm"] for point in (first, *others)] == [point["norm"] for point in expected["points"]]
    ratio, its = (document["variability"][0]["likelihood_ratio"] for document in (found, expected))
    assert (ratio["degrees_of_freedom"], ratio["reason"]) == (its["degrees_of_freedom"], its["reason"])
    if not options.get("free"):
        assert ratio["value"] == pytest.approx(its["value"], rel=1e-9)
        assert (ratio["degrees_of_freedom"], ratio["reason"]) == (2, None)


@pytest.mark.parametrize("options", [{"joint": True}, {"free": ["crab.index"]}], ids=["joint", "free"])
def test_a_bin_after_the_end_of_the_light_curve_of_the_source_has_no_data(
    options: dict[str, Any], tmp_path: Path
) -> None:
    """The source is 0 there: as without the run. Where it ends within a run, half of it is what is predicted."""
    curve = AstropyTable(
        {"TIME": [0.0, 3.0], "NORM": [1.0, 1.0]}, meta={"MJDREFI": 53000, "MJDREFF": 0.0, "TIMESYS": "tt"}
    )
    curve["TIME"].unit = "d"
    curve.write(tmp_path / "curve.fits")
    varies = LightCurveTemplateTemporalModel(filename=str(tmp_path / "curve.fits"))
    models = Models([SkyModel(name="crab", spectral_model=MODELS["crab"].spectral_model, temporal_model=varies)])
    partly, after = run(1, (2.5, 3.5)), run(3, (4.0, 5.0))
    estimator = LightCurveEstimator(source="crab", energy_edges=EDGES, **options)
    seen = [run(1, (0.0, 1.0)), partly.with_(name="partly")]
    found, expected = (estimator.run(Datasets(runs), models).to_dict() for runs in ([*seen, after], seen))
    assert [point["status"] for point in found["points"]][2] == "no_data"
    assert [p["norm"] for p in found["points"][:2]] == pytest.approx([p["norm"] for p in expected["points"]], rel=1e-6)
    assert found["points"][1]["norm"] == pytest.approx(2 * found["points"][0]["norm"], rel=5e-3)  # 0.01 sigma
    assert any("does not cover, 100 %, 50 %" in text or "does not cover, 50 %" in text for text in found["warnings"])


def test_a_source_that_no_run_sees_has_no_joint_light_curve() -> None:
    blind = Datasets(dataset.with_(exposure=np.zeros_like(dataset.exposure)) for dataset in RUNS)
    with pytest.raises(DataError, match="no dataset of any time bin sees it in the band"):
        LightCurveEstimator(source="crab", energy_edges=EDGES, joint=True).run(blind, MODELS)


def test_runs_without_any_counts() -> None:
    """Upper limits, no variation, and no fraction of a mean of 0."""
    nothing = np.zeros(6)
    empty = Datasets(dataset.with_(counts=nothing, counts_off=nothing) for dataset in RUNS)
    document = LightCurveEstimator(source="crab", energy_edges=EDGES).run(empty, MODELS).to_dict()
    assert {(point["status"], point["norm"]) for point in document["points"]} == {("upper_limit", 0.0)}
    [row] = document["variability"]
    assert row["chi2"]["value"] == 0
    assert row["excess_variance"]["squared"] is None
    assert row["excess_variance"]["reason"] == "their mean is 0"


def test_priors_are_no_variability() -> None:
    """One norm for all bins has them once, norms of their own in each bin: they cancel."""
    prior = {"crab.index": {"prior": GaussianPrior(mu=2.3, sigma=0.01)}}
    with_prior = MODELS.with_parameters(prior)
    one, other = (
        LightCurveEstimator(source="crab", energy_edges=EDGES).run(RUNS, models).to_dict()["variability"][0]
        for models in (MODELS, with_prior)
    )
    ratio, its = one["likelihood_ratio"], other["likelihood_ratio"]
    assert its["value"] == pytest.approx(ratio["value"], abs=1e-9)
    points = LightCurveEstimator(source="crab", energy_edges=EDGES).run(RUNS, MODELS)
    stats = [row.points[0].estimate.stat for row in points.rows if row.points and row.points[0].estimate]
    whole = points.constant.points[0].estimate
    assert whole is not None
    assert ratio["value"] == pytest.approx(whole.stat - sum(stats), abs=1e-9)


def test_each_bin_is_the_flux_points_of_its_datasets() -> None:
    edges = ("0.5 TeV", "2 TeV", "8 TeV")
    curve = LightCurveEstimator(source="crab", time_bins={"width": "1 d"}, energy_edges=edges).run(RUNS, MODELS)
    for row in curve.rows:
        alone = FluxPointsEstimator(source="crab", energy_edges=edges).run(RUNS.select(row.bin.datasets), MODELS)
        assert row.points is not None
        assert [point.estimate.norm_ul for point in row.points if point.estimate] == [
            point.estimate.norm_ul for point in alone.points if point.estimate
        ]
    assert [row.livetime for row in curve.rows] == pytest.approx([0.04 * DAY, 0.02 * DAY, 0.02 * DAY])


def test_only_the_bins_that_are_wanted() -> None:
    estimator = LightCurveEstimator(source="crab", energy_edges=EDGES)
    every, some = estimator.run(RUNS, MODELS), estimator.run(RUNS, MODELS, wanted=[2])
    assert [row.points is None for row in some.rows] == [True, True, False, True]
    assert norms(some) == norms(every)[2:3]


def test_variability_by_likelihood_is_uniform_under_a_constant_source() -> None:
    """One norm for all against one for each: 100 light curves of six runs of few counts."""
    random, found = np.random.default_rng(5), []
    truth = [run(k, (float(k), k + 0.02), exposure=2e12) for k in range(6)]
    for _ in range(100):
        drawn = Datasets(
            d.with_(
                counts=random.poisson(_expected(d)).astype(float),
                counts_off=random.poisson(np.full(d.counts.size, 4.0)).astype(float),
            )
            for d in truth
        )
        curve = LightCurveEstimator(source="crab", energy_edges=EDGES, norm_scan=()).run(drawn, MODELS)
        together = curve.constant.points[0].estimate
        assert together is not None
        each = [row.points[0].estimate.stat for row in curve.rows if row.points and row.points[0].estimate]
        assert len(each) == 6
        found.append(chi2_probability(together.stat - sum(each), 5))
    assert stats.kstest(found, "uniform").pvalue > 0.01


def _expected(dataset: SpectrumDatasetOnOff) -> Any:
    """Counts of the source and of 4 off counts."""
    edges = dataset.energy_true.edges
    flux = 1e-11 / 1.3 * (edges[:-1] ** -1.3 - edges[1:] ** -1.3)
    return (flux * dataset.exposure) @ dataset.edisp + 4.0 * dataset.acceptance / dataset.acceptance_off


GAMMAPY = """
import json, sys
import astropy.units as u
from gammapy.datasets import Datasets
from gammapy.estimators import LightCurveEstimator
from gammapy.modeling.models import Models
datasets, folder = Datasets.read(sys.argv[1] + "/datasets.yaml"), sys.argv[1]
datasets.models = Models.read(folder + "/models_start.yaml")
curve = LightCurveEstimator(energy_edges=[1, 10] * u.TeV, source="crab", selection_optional=["ul"]).run(datasets)
table = curve.to_table(format="lightcurve", sed_type="flux")
names = ("time_min", "time_max", "flux", "flux_err", "flux_ul", "ts")
print(json.dumps({name: [float(value) for value in table[name].data.ravel()] for name in names}))
"""


def test_runs_on_the_crab_nebula_as_gammapy_has_them(shared: Path, gammapy: Callable[..., Any]) -> None:
    """Its norms are those at which a minimiser stops, 0.02 errors from the minimum at most."""
    folder = shared / "reference" / "hess-crab-1d"
    theirs = gammapy(GAMMAPY, folder)
    datasets, models = Datasets.read(folder / "datasets.yaml"), Models.read(folder / "models_start.yaml")
    curve = LightCurveEstimator(source="crab", energy_edges=["1 TeV", "10 TeV"]).run(datasets, models)
    assert [row.bin.start for row in curve.rows] == pytest.approx(theirs["time_min"], abs=1e-9)
    assert [row.bin.stop for row in curve.rows] == pytest.approx(theirs["time_max"], abs=1e-9)
    for k, row in enumerate(curve.rows):
        assert row.points is not None
        estimate, flux = row.points[0].estimate, row.points[0].reference.flux
        assert estimate is not None
        assert estimate.norm_err is not None
        assert estimate.norm_ul is not None
        error = estimate.norm_err * flux
        assert estimate.norm * flux == pytest.approx(theirs["flux"][k], abs=0.02 * error)
        assert error == pytest.approx(theirs["flux_err"][k], rel=1e-2)
        assert estimate.norm_ul * flux == pytest.approx(theirs["flux_ul"][k], abs=0.02 * error)
        assert estimate.ts == pytest.approx(theirs["ts"][k], rel=1e-4)
