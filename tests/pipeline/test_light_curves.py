"""The light-curve stage: from a config to tables that Gammapy reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.estimators import LightCurveEstimator
from gm.io.sed_table import read_sed
from gm.models import Models
from gm.pipeline.stages.light_curves.stage import LIGHT_CURVES
from tests.estimators.test_light_curve import run
from tests.pipeline.sections import read
from tests.samples import power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
light_curves:
  - {source: crab, energy_edges: [0.5 TeV, 2 TeV, 8 TeV]}
  - {source: crab, name: nights, energy_range: [0.5 TeV, 8 TeV], time_bins: {width: 1 d}, confidence: {sigma: 2}}
"""

Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Command:
    """Calls a command in a folder with the analysis; returns standard output and standard error."""
    days = (0.0, 0.03, 2.0)
    runs = Datasets(run(k, (day, day + 0.02), exposure=4e12) for k, day in enumerate(days))
    runs.write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    return command


def test_bins_of_other_energies_are_told(gm: Command, tmp_path: Path) -> None:
    """The flux of a run that ends at a lower energy is that up to there: the screen and a warning say so."""
    first, second, third = Datasets.read(tmp_path / "datasets.yaml")
    ends = np.asarray(second.energy_mask(0.0, 2.0))
    Datasets([first, second.with_(mask_fit=ends), third]).write(tmp_path / "datasets.yaml", overwrite=True)
    config = (tmp_path / "config.yaml").read_text().replace("[0.5 TeV, 2 TeV, 8 TeV]", "[0.5 TeV, 8 TeV]")
    (tmp_path / "config.yaml").write_text(config)
    _, err = gm("light-curve", "config.yaml")
    document = read_document(tmp_path / "results/light_curves/crab-lc.yaml").data
    inside, shorter, _ = document["points"]
    assert shorter["e_max"] < inside["e_max"]
    assert shorter["flux"] / shorter["norm"] < inside["flux"] / inside["norm"]
    said = "fluxes of some bins are between other energies, where their datasets end: run-1 "
    assert [warning for warning in document["warnings"] if warning.startswith(said)]
    assert said.split(":")[0] in " ".join(err.split())
    [head] = [line for line in err.splitlines() if line.lstrip().startswith("MJD (UTC)")][:1]
    assert "energy" in head


def test_rows_tables_and_variability(gm: Command, tmp_path: Path) -> None:
    out, err = gm("light-curve", "config.yaml")
    assert out.splitlines() == ["results/light_curves/crab-lc.yaml", "results/light_curves/nights.yaml"]
    assert "fractional excess variance" in err
    documents = [read_document(tmp_path / line) for line in out.splitlines()]
    assert [check(document, "light-curve") for document in documents] == [[], []]
    runs, nights = (document.data for document in documents)
    assert [(row["time_min"], row["e_min"]) for row in runs["points"]] == sorted(
        (row["time_min"], row["e_min"]) for row in runs["points"]
    )
    assert len(runs["points"]) == 6
    assert [row["time_min"] for row in nights["points"]] == [53000.0, 53002.0]
    assert nights["points"][0]["time_min_utc"] == pytest.approx(53000 - 64.184 / 86400, abs=1e-9)
    assert nights["empty_bins"] == 1
    assert list(nights["points"][0]["datasets"]) == ["run-0", "run-1"]
    [varies] = nights["variability"]
    assert (varies["bins"], varies["chi2"]["degrees_of_freedom"]) == (2, 1)
    errors = [0.5 * row["norm_err"] for row in nights["points"]]
    first, second = (row["norm"] for row in nights["points"])
    assert varies["chi2"]["value"] == pytest.approx((first - second) ** 2 / np.sum(np.square(errors)), rel=0.2)
    assert varies["likelihood_ratio"]["value"] == pytest.approx(varies["chi2"]["value"], rel=0.1)
    for kind in ("fits", "ecsv"):
        table = read_sed(tmp_path / f"results/light_curves/crab-lc.{kind}")
        assert table.array("flux").ravel() == pytest.approx([row["flux"] for row in runs["points"]])
        assert table.array("time_max").tolist() == [row["time_max"] for row in runs["points"][::2]]
    assert "up to date" in gm("light-curve", "config.yaml")[1]
    assert "nights: crab" in gm("show", "results/light_curves/nights.yaml")[0]
    assert "2 bands of energy in bins of time, from the models as given" in gm("plan", "config.yaml")[0]


GAMMAPY = """
import json, sys
from gammapy.estimators import FluxPoints
curves = [FluxPoints.read(file, format="lightcurve") for file in sys.argv[1:]]
tables = [curve.to_table(format="lightcurve", sed_type="flux") for curve in curves]
names = ("time_min", "flux", "flux_err", "flux_ul", "counts")
print(json.dumps([{name: table[name].data.tolist() for name in names} for table in tables]))
"""


def test_gammapy_reads_the_tables(gm: Command, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    gm("light-curve", "config.yaml")
    files = [tmp_path / "results/light_curves" / name for name in ("crab-lc.fits", "crab-lc.ecsv", "nights.fits")]
    for file, theirs in zip(files, gammapy(GAMMAPY, *files), strict=True):
        rows = read_document(file.with_suffix(".yaml")).data["points"]
        for name in ("flux", "flux_err", "flux_ul"):
            assert np.ravel(theirs[name]) == pytest.approx([row[name] for row in rows])
        assert theirs["time_min"] == pytest.approx(sorted({row["time_min"] for row in rows}), abs=1e-9)
        counts = [sum(dataset["counts"] for dataset in row["datasets"].values()) for row in rows]
        assert np.nansum(np.array(theirs["counts"], dtype=float), axis=-1).ravel() == pytest.approx(counts)


def test_failed_bins_keep_their_row_and_are_done_again_alone(
    gm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "light_curves=[{source: crab, energy_range: [0.5 TeV, 8 TeV]}]"
    measured, name = list[str](), LightCurveEstimator._measured

    def failing(self: Any, inside: Datasets, models: Models, told: list[str]) -> Any:
        measured.extend(inside.names)
        if "run-1" in inside.names and len(measured) < 4:
            return self._flux_points().unmeasured(models, "failed", "no luck")
        return name(self, inside, models, told)

    monkeypatch.setattr(LightCurveEstimator, "_measured", failing)
    _, err = gm("light-curve", "config.yaml", "-s", entry, code=1)
    assert "no luck" in err
    before = read_document(tmp_path / "results/light_curves/crab-lc.yaml").data
    assert (before["status"], [row["status"] for row in before["points"]]) == ("incomplete", ["ok", "failed", "ok"])
    assert before["variability"][0]["likelihood_ratio"]["reason"] == "not all bins with data have a flux"
    assert "up to date" in gm("light-curve", "config.yaml", "-s", entry, code=1)[1]
    assert measured == ["run-0", "run-1", "run-2"]
    assert "some bins failed" in gm("run", "config.yaml", "-s", entry, "--retry-failed")[1]
    assert measured == ["run-0", "run-1", "run-2", "run-1"]
    after = read_document(tmp_path / "results/light_curves/crab-lc.yaml").data
    assert after["points"][::2] == before["points"][::2]
    gm("light-curve", "config.yaml", "-s", entry, "--force")
    assert after == read_document(tmp_path / "results/light_curves/crab-lc.yaml").data


def test_datasets_longer_than_a_bin_are_an_error_of_the_data(gm: Command) -> None:
    _, err = gm("light-curve", "config.yaml", "-s", "light_curves[1].time_bins={width: 10 min}", code=4)
    assert "light curve nights: datasets longer than a time bin, or across its edges: run-0, run-1, run-2" in err
    assert "reduce them per interval" in err


def test_what_no_schema_sees() -> None:
    entries = [
        {"source": "a", "energy_range": ["1 TeV", "2 TeV"], "energy_edges": ["1 TeV", "2 TeV"]},
        {"source": "b"},
        {"source": "c", "energy_range": ["2 TeV", "1 TeV"]},
        {"source": "d", "energy_range": ["1 TeV", "2 TeV"], "time_bins": "runs"},
        {"source": "e", "energy_range": ["1 TeV", "2 TeV"], "time_bins": {"width": "1 d", "edges": [1, 2]}},
    ]
    assert read(LIGHT_CURVES, entries)[1] == [
        "$.light_curves[0]",
        "$.light_curves[1]",
        "$.light_curves[2].energy_range[1]",
        "$.light_curves[3].time_bins",
        "$.light_curves[4].time_bins",
    ]


def test_names_in_its_section_have_to_mean_something(gm: Command, tmp_path: Path) -> None:
    section = """\
light_curves:
  - {source: crob, energy_range: [1 TeV, 2 TeV]}
  - {source: crab, datasets: nothing*, energy_range: [1 TeV, 2 TeV]}
  - {source: crab, energy_range: [1 TeV, 2 TeV], name: crab-lc}
  - {source: crab, energy_range: [1 TeV, 2 TeV], name: a, free: [crab.indx], joint: true}
  - {source: crab, energy_edges: [1 TeV, 2 TeV], name: b, joint: true}
"""
    (tmp_path / "config.yaml").write_text(CONFIG.split("light_curves:")[0] + section)
    _, err = gm("validate", "config.yaml", code=3)
    assert [line for line in err.splitlines() if line.startswith("config.yaml")] == [
        "config.yaml:6:14: $.light_curves[0].source: no component is called 'crob'",
        "config.yaml:7:30: $.light_curves[1].datasets: no dataset matches 'nothing*'",
        "config.yaml:8:56: $.light_curves[2].name: entry 1 is called 'crab-lc' already",
        "config.yaml:9:65: $.light_curves[3].free: a joint fit of all bins",
        "config.yaml:9:66: $.light_curves[3].free[0]: no parameter is called 'crab.indx'",
        "config.yaml:10:34: $.light_curves[4].energy_edges: a joint fit of several bands",
    ]


def test_free_parameters_and_one_fit_of_all_bins(gm: Command, tmp_path: Path) -> None:
    entries = """\
light_curves:
  - {source: crab, name: spectra, energy_range: [0.5 TeV, 8 TeV], free: [crab.index]}
  - {source: crab, name: joint, energy_range: [0.5 TeV, 8 TeV], joint: true}
"""
    (tmp_path / "config.yaml").write_text(CONFIG.split("light_curves:")[0] + entries)
    _, err = gm("light-curve", "config.yaml")
    assert "crab.index" in err
    documents = [read_document(tmp_path / f"results/light_curves/{name}.yaml") for name in ("spectra", "joint")]
    assert [check(document, "light-curve") for document in documents] == [[], []]
    spectra, joint = (document.data for document in documents)
    assert [row["parameters"][0]["name"] for row in spectra["points"]] == ["crab.index"] * 3
    assert spectra["variability"][0]["likelihood_ratio"]["reason"] == "other parameters are fitted again in every bin"
    assert np.shape(joint["covariance"]) == (3, 3)
    assert [joint["covariance"][k][k] for k in range(3)] == pytest.approx([r["norm_err"] ** 2 for r in joint["points"]])
    assert [one["name"] for one in joint["parameters"]] == ["crab.index"]
    ratio = joint["variability"][0]["likelihood_ratio"]
    assert ratio["value"] == pytest.approx(joint["statistic"]["constant"] - joint["statistic"]["total"])
    assert joint["variability"][0]["chi2"]["value"] == pytest.approx(ratio["value"], rel=0.2)


def test_json_has_all_light_curves(gm: Command) -> None:
    curves = json.loads(gm("light-curve", "config.yaml", "--json")[0])["light_curves"]
    assert [curve["name"] for curve in curves] == ["crab-lc", "nights"]
