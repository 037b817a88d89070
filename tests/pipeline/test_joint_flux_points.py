"""Flux points in one fit: from a config to documents, tables that Gammapy reads, figures, and a fit of the points."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets, read_dataset
from gm.models import Models
from gm.pipeline.analysis.sections import Known
from gm.pipeline.stages.flux_points.stage import FLUX_POINTS
from tests.pipeline.sections import section
from tests.samples import on_off, power_law, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
flux_points:
  - {sources: [crab, b/c], name: both, energy_edges: [0.5 TeV, 2 TeV, 8 TeV]}
  - {source: crab, name: unfolded, method: unfold, energy_edges: [0.4 TeV, 1.2 TeV, 4 TeV, 30 TeV]}
"""
EDGES = ["0.5 TeV", "2 TeV", "8 TeV"]
Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Command:
    """Calls a command in a folder with the analysis; returns standard output and standard error."""
    data = Datasets([spectrum("a", 1, exposure=4e12), on_off("b", 2, exposure=4e12)])
    data.write(tmp_path / "datasets.yaml")
    other = power_law("b/c", 1.8, "3e-12 TeV-1 s-1 cm-2", datasets_names=["a"])
    Models([power_law("crab"), other]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return command


READ = """
import json, sys
from gammapy.estimators import FluxPoints
print(json.dumps([FluxPoints.read(file).norm.data.ravel().tolist() for file in sys.argv[1:]]))
"""


def test_documents_tables_and_figures(gm: Command, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    plan = gm("plan", "config.yaml")[0]
    assert "2 bins of 2 sources together, from the models as given" in plan
    assert "3 bins of true energy in one fit" in plan
    out, err = gm("flux-points", "config.yaml")
    assert out.splitlines() == ["results/flux_points/both.yaml", "results/flux_points/unfolded.yaml"]
    documents = [read_document(tmp_path / line) for line in out.splitlines()]
    assert [check(document, "flux-points") for document in documents] == [[], []]
    both, unfolded = (document.data for document in documents)
    assert (both["source"], both["sources"]) == (None, ["crab", "b/c"])
    assert [row["source"] for row in both["points"]] == ["crab", "crab", "b/c", "b/c"]
    covariance = np.array(both["covariance"])
    assert covariance[0, 2] < 0
    assert covariance[0, 1] == covariance[0, 3] == 0
    correlation = covariance[0, 2] / np.sqrt(covariance[0, 0] * covariance[2, 2])
    assert both["points"][0]["correlations"] == {"b/c": pytest.approx(correlation)}
    assert unfolded["method"] == "unfold"
    assert all(part["counts"] is None for part in unfolded["points"][0]["datasets"].values())
    assert "norms of all sources fitted together" in err
    files = [tmp_path / "results/flux_points" / f"{stem}.fits" for stem in ("both-crab", "both-b_c", "unfolded")]
    theirs = gammapy(READ, *files)
    ours = [[row["norm"] for row in both["points"] if row["source"] == name] for name in ("crab", "b/c")]
    for found, expected in zip(theirs, [*ours, [row["norm"] for row in unfolded["points"]]], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    gm("plot", "results/flux_points/unfolded.yaml", "--kind", "correlation", "-o", "matrix.svg")
    gm("plot", "results/flux_points/both.yaml", "-o", "sed.svg")
    assert "correlated, up to" in (tmp_path / "sed.svg").read_text()
    assert "with covariance between points" in gm("show", "results/flux_points/unfolded.fits")[0]
    gm("report", "config.yaml")
    assert "bands of true energy in one fit" in (tmp_path / "results/report.html").read_text().lower()
    assert "up to date" in gm("flux-points", "config.yaml")[1]


def test_points_of_a_run_are_fitted_with_their_covariance(gm: Command, tmp_path: Path) -> None:
    """The table of a run as the dataset of another analysis; the plan and the result say so."""
    gm("flux-points", "config.yaml")
    table = tmp_path / "results/flux_points/unfolded.fits"
    dataset = read_dataset("FluxPointsDataset", table)
    assert dataset.is_correlated
    entry = {"name": "points", "type": "FluxPointsDataset", "filename": str(table)}
    (tmp_path / "points.yaml").write_text(json.dumps({"datasets": [entry]}))
    Models([power_law("crab")]).write(tmp_path / "alone.yaml")
    settings = "version: 1\noutput: again\ndatasets: points.yaml\nmodels: alone.yaml\nfit: {}\n"
    (tmp_path / "again.yaml").write_text(settings)
    assert "with covariance between points" in gm("plan", "again.yaml")[0]
    out, err = gm("fit", "again.yaml")
    assert "with covariance between points" in err
    [row] = read_document(tmp_path / out.strip()).data["datasets"]
    assert row["correlated"] is True
    assert row["bins"] == 3
    assert row["goodness"]["deviance"] == pytest.approx(row["statistic"], rel=1e-6)


def test_compare_keeps_sources_apart(gm: Command, tmp_path: Path) -> None:
    gm("flux-points", "config.yaml")
    told = json.loads(gm("compare", "--json", "results/flux_points/both.yaml", "results/flux_points/both.yaml")[0])
    assert [len(series["bins"]) for series in told["series"]] == [2, 2]


def problems(entries: list[dict[str, Any]]) -> list[str]:
    """Where checks that need no models find some."""
    given = section(FLUX_POINTS, entries)
    FLUX_POINTS.check(given, Known())
    return [problem.path.removeprefix("$.flux_points") for problem in given.findings.problems]


@pytest.mark.parametrize(
    ("entry", "places"),
    [
        ({}, ["[0]"]),
        ({"source": "crab", "sources": ["crab"]}, ["[0]"]),
        ({"source": "crab", "smoothness": 1}, ["[0].smoothness"]),
        ({"source": "crab", "method": "unfold", "strict": True}, ["[0].strict"]),
        ({"source": "crab", "method": "joint", "nuisance_prior": 3}, ["[0].nuisance_prior"]),
        ({"sources": ["crab", "other"], "ul": {"method": "cls"}}, ["[0].ul.method"]),
        ({"source": "crab", "method": "unfold", "ul": {"method": "cls"}}, ["[0].ul.method"]),
        ({"sources": ["crab", "other"]}, []),
        ({"source": "crab", "method": "unfold", "smoothness": 0.5}, []),
    ],
)
def test_what_keys_go_together(entry: dict[str, Any], places: list[str]) -> None:
    assert problems([{"energy_edges": EDGES, **entry}]) == places


def test_tables_of_two_entries_have_names_of_their_own() -> None:
    entries = [
        {"source": "crab", "name": "both-a", "energy_edges": EDGES},
        {"sources": ["a", "b"], "name": "both", "energy_edges": EDGES},
    ]
    assert problems(entries) == ["[1].sources"]
