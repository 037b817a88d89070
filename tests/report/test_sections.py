"""Sections of the report for what is asked of a fit, from documents that ``gm`` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.datasets import Datasets
from gm.models import Models
from tests.samples import on_off, power_law

CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
output: results
fit: {}
flux_points: [{source: source, energy_edges: [1 TeV, 3 TeV, 10 TeV]}]
select: [{component: source, name: shape, spectral: [pl, lp]}]
sensitivity: [{source: source, name: sens, energy_edges: [1 TeV, 3 TeV, 10 TeV]}]
goodness: {simulations: 4, seed: 1}
toys: {n: 4, seed: 1}
"""
KINDS = {"flux_points": "source-sed", "select": "shape", "sensitivity": "sens", "goodness": "goodness", "toys": "toys"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sections")
    Datasets([on_off("run", 1, exposure=1e12), on_off("other", 2, exposure=1e12)]).write(folder / "datasets.yaml")
    Models([power_law()]).write(folder / "models.yaml")
    (folder / "config.yaml").write_text(CONFIG)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder / "config.yaml"), "-q"])
    assert ended.value.code == 0
    return folder / "results"


def document(results: Path, stage: str) -> Mapping[str, Any]:
    data: Mapping[str, Any] = read_document(results / stage / f"{KINDS[stage]}.yaml").data
    return data


def told(stage: str, data: Mapping[str, Any]) -> str:
    """The section as text, cells apart from each other."""
    page: str = import_module(f"gm.report.of_{stage}").section(data)
    return unescape(re.sub(r"<[^>]+>", "", page.replace("</td>", " | ")))


def test_flux_points(results: Path) -> None:
    data = dict(document(results, "flux_points"))
    assert "asked for 1 TeV - 3 TeV" in told("flux_points", data)
    points = [{**row, "deabsorbed": {**row, "dnde": 2.5e-10, "dnde_err": None}} for row in data["points"]]
    assert "2.500e-10" in told("flux_points", {**data, "deabsorbed": True, "points": points})


def test_selection(results: Path) -> None:
    data = document(results, "select")
    text = told("select", data)
    assert f"{data['chosen']} (chosen) |" in text
    assert "Curvature: lp against pl, TS " in text
    assert "No test of curvature: why" in told("select", {**data, "curvature": None, "curvature_reason": "why"})


def test_sensitivity(results: Path) -> None:
    text = told("sensitivity", document(results, "sensitivity"))
    assert "The flux of source that is found with a probability of 0.5 at 5 sigma" in text
    assert re.search(r"> \S+ TeV \| \S+ cm-2 s-1 \|", text)


def test_goodness_and_toys(results: Path) -> None:
    for stage in ("goodness", "toys"):
        text = told(stage, document(results, stage))
        assert re.search(r"all \| \S+ \| \S+ \| \S+ \| \S+", text)
        assert "run |" in text
    assert document(results, "toys")["verdict"] in text
    assert "source.index |" in text


def test_search() -> None:
    row = {"name": "a", "kept": False, "peak": {"sqrt_ts": 5.2}, "ts": 9.0, "lon": 83.6, "lat": None, "reason": "no"}
    data = {"sources": [row], "statistic": {"start": 10.0, "end": 9.5}, "stopped": "no peak"}
    text = told("find", data)
    assert "a | no | 5.20 | 9.000 | 83.60000 | - | - | no |" in text
    assert "The search ended: no peak." in text


def test_what_toys_find_wrong_is_at_the_top(results: Path) -> None:
    from gm.figures.results import Result
    from gm.report.page import build_page

    data = {**document(results, "toys"), "deviations": ["the error of source.index is too small"]}
    page = build_page("title", [Result("toys", data, results / "toys")], "", {}).text
    assert "1 warning" in page
    assert "Toys: config: the error of source.index is too small" in page
