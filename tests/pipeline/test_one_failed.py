"""One measurement that cannot be made: the others are, and it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gm.datasets import Datasets
from gm.errors import UsageError
from gm.models import Models
from tests.samples import flux_points, on_off, power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: {min: 1 TeV, max: 10 TeV, n_bins: 2}}]
sensitivity: [{source: crab, name: of-points, datasets: points}, {source: crab, name: of-runs, datasets: "run*"}]
report: {}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([on_off("run 1", 1, exposure=1e13), flux_points("points")]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_others_are_made(command: Any, folder: Path) -> None:
    out, err = command("run", "config.yaml", code=4)
    made = ["fit/fit.yaml", "flux_points/sed.yaml", "sensitivity/of-runs.yaml", "report.html"]
    assert out.splitlines() == [f"results/{name}" for name in made]
    assert "sensitivity of-points: failed" in err
    assert err.splitlines()[-1].startswith("gm: ") or "gm: " in err.splitlines()[-2]
    assert not Path("results/sensitivity/of-points.yaml").exists()
    document = json.loads(command("run", "config.yaml", "--json", code=4)[0])
    assert [(row["result"], row["exit_code"]) for row in document["errors"]] == [("sensitivity/of-points", 4)]
    assert [row["name"] for row in document["sensitivity"]] == ["of-runs"]


def test_alone_it_is_an_error(command: Any, folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace(', {source: crab, name: of-runs, datasets: "run*"}', ""))
    out, err = command("sensitivity", "config.yaml", code=4)
    assert out == ""
    assert "gm: " in err
    assert json.loads(command("sensitivity", "config.yaml", "--json", code=4)[0])["status"] == "error"


def test_where_all_fail_each_is_told(command: Any, folder: Path) -> None:
    (folder / "config.yaml").write_text(
        CONFIG.replace('name: of-runs, datasets: "run*"', "name: again, datasets: points")
    )
    out, err = command("sensitivity", "config.yaml", code=4)
    assert out == ""
    assert "gm: sensitivity of-points: " in err
    assert "gm: sensitivity again: " in err
    document = json.loads(command("sensitivity", "config.yaml", "--json", code=4)[0])
    assert [row["result"] for row in document["errors"]] == ["sensitivity/of-points", "sensitivity/again"]


def test_a_fit_that_cannot_be_made_ends_it(command: Any, folder: Path) -> None:
    out, _ = command("run", "config.yaml", "--set", "fit.energy_range=[{min: 90 TeV}]", code=4)
    assert out == ""
    assert not Path("results/flux_points").exists()


def test_a_report_that_cannot_be_made_hides_nothing(
    command: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without Matplotlib: what was made before is listed, what failed before is told, by its name in full."""

    def refuse(*_: object) -> None:
        raise UsageError("figures need Matplotlib")

    monkeypatch.setattr("gm.pipeline.stages.report.run.run_report", refuse)
    (folder / "config.yaml").write_text(CONFIG.replace("name: of-points", "name: ts"))  # a part of "datasets"
    out, err = command("run", "config.yaml", code=4)
    made = ["fit/fit.yaml", "flux_points/sed.yaml", "sensitivity/of-runs.yaml"]
    assert out.splitlines() == [f"results/{name}" for name in made]
    assert "gm: sensitivity ts: " in err
    assert "gm: figures need Matplotlib" in err
