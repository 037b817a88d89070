"""The impacts stage: from a config to documents, tables, figures and a section of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import gm as package
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.figures.impacts import ImpactBars
from gm.figures.look import Look
from gm.figures.registry import draw
from gm.io.ecsv import read_ecsv
from gm.models import GaussianPrior, Models
from gm.report.of_impacts import section
from tests.map_samples import background
from tests.samples import log_parabola, on_off, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
impacts:
  - {parameter: crab.amplitude, name: amplitude}
  - {parameter: crab.alpha, nuisances: "*-bkg.*", datasets: "on*"}
"""

Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Command:
    """Calls a command in a folder with the analysis; returns standard output and standard error."""
    Datasets([on_off("on-1", 1, exposure=4e12), spectrum("known", 2)]).write(tmp_path / "datasets.yaml")
    norm = {"prior": GaussianPrior(mu=1.0, sigma=0.1)}
    edits = {"known-bkg.norm": norm, "known-bkg.tilt": {"frozen": True}}
    models = Models([log_parabola("crab"), background("known")]).with_parameters(edits)
    models.write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return command


def test_from_a_config_to_documents_and_tables(gm: Command, tmp_path: Path) -> None:
    out, err = gm("impacts", "config.yaml")
    assert out.splitlines() == ["results/impacts/amplitude.yaml", "results/impacts/crab.alpha.yaml"]
    assert "error with all nuisances fixed" in err
    documents = [read_document(tmp_path / f"results/impacts/{name}.yaml") for name in ("amplitude", "crab.alpha")]
    assert [check(document, "impacts") for document in documents] == [[], []]
    amplitude, alpha = (document.data for document in documents)
    (row,) = alpha["nuisances"]  # of a dataset that is not used: its prior alone decides it, and it moves nothing
    assert (row["constraint"], row["post_fit"]["up"]["shift"]) == (pytest.approx(1.0), 0.0)
    fit = read_document(tmp_path / "results/fit/fit.yaml").data
    fitted = {row["name"]: row for row in fit["parameters"]}
    assert amplitude["parameter"]["error"] == pytest.approx(fitted["crab.amplitude"]["error"], rel=1e-3)
    rows = {row["name"]: row for row in amplitude["nuisances"]}
    norm = rows["known-bkg.norm"]
    assert norm["prior"] == {"type": "GaussianPrior", "center": 1.0, "width": 0.1}
    assert norm["pull"] == pytest.approx((fitted["known-bkg.norm"]["value"] - 1) / 0.1, abs=1e-3)
    assert rows["crab.alpha"]["pre_fit"] is None
    table = read_ecsv(tmp_path / "results/impacts/amplitude.ecsv")
    assert list(table.array("name")) == [row["name"] for row in amplitude["nuisances"]]
    shifts = [row["post_fit"]["up"]["shift"] for row in amplitude["nuisances"]]
    assert np.asarray(table.array("post_fit_up")).tolist() == shifts
    assert "up to date" in gm("impacts", "config.yaml")[1]
    assert json.loads(gm("impacts", "config.yaml", "--json")[0])["impacts"][0] == amplitude
    assert "known-bkg.norm" in gm("show", "results/impacts/amplitude.yaml")[0]
    assert "on crab.amplitude, around the best fit" in gm("plan", "config.yaml")[0]


def test_the_figure_and_the_section(gm: Command, tmp_path: Path) -> None:
    gm("run", "config.yaml")
    axes = package.plot(tmp_path / "results/impacts/amplitude.yaml")
    assert axes.get_xlabel() == "pull [prior widths]"
    document = read_document(tmp_path / "results/impacts/amplitude.yaml").data
    shown = section(document)
    for word in ("known-bkg.norm", "pull [prior widths]", "with all nuisances held", "TeV-1 s-1 cm-2"):
        assert word in shown, word


def test_a_figure_of_many_nuisances_says_how_many_are_left_out() -> None:
    n, none = 40, np.full(40, np.nan)
    shifts = np.outer(np.linspace(1, 0, n), [-1.0, 1.0])
    part = ImpactBars(
        "a", "x.index", "", tuple(f"n-{k}" for k in range(n)), none, none, shifts, np.full((n, 2), np.nan)
    )
    figure = Figure()
    (axes,) = draw(figure, "impacts", [part], Look())
    assert len(axes.get_yticklabels()) == 25
    assert "15 more with smaller impacts" in [text.get_text() for text in axes.texts]


def test_what_is_no_parameter(gm: Command) -> None:
    _, err = gm("impacts", "config.yaml", "-s", "impacts=[{parameter: crab.reference}]", code=3)
    assert "'crab.reference' is frozen" in err
    _, err = gm("impacts", "config.yaml", "-s", "impacts=[{parameter: crab.alpha, nuisances: norms}]", code=3)
    assert "no parameter matches 'norms'" in err
