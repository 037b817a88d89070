"""One measurement that cannot be made: the others are, and it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.models import Models
from tests.map_samples import background, cube, point, source
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


MAPS = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
maps:
  - {type: ts, name: ts}
  - {type: peaks, name: peaks, of: ts, threshold: 3}
  - {type: excess, name: excess}
report: {}
"""


def reported() -> set[str]:
    """The results that the page is made of."""
    record = read_document("results/provenance.yaml").data["stages"]["report"]
    return {name.partition("/")[2] for name in record["inputs"]["files"]}


def test_what_an_earlier_run_left_of_a_failed_result_is_used_by_nothing(command: Any, folder: Path) -> None:
    """Peaks are those of the map that was asked for, and a page shows no result of other settings."""
    pytest.importorskip("matplotlib", reason="a report has figures, which need Matplotlib")
    Datasets([cube("map")]).write(folder / "datasets.yaml", overwrite=True)
    Models([source("crab", point()), background("map")]).write(folder / "models.yaml", overwrite=True)
    (folder / "config.yaml").write_text(MAPS)
    command("run", "config.yaml")
    peaks = Path("results/maps/peaks.yaml").read_bytes()
    assert {"ts.yaml", "peaks.yaml", "excess.yaml"} <= reported()
    (folder / "config.yaml").write_text(MAPS.replace("name: ts}", "name: ts, energy_edges: [100 TeV, 200 TeV]}"))
    for _ in range(2):
        out, err = command("run", "config.yaml", code=4)
        assert out.splitlines() == ["results/maps/excess.yaml", "results/report.html"]
        assert "gm: map peaks: ts, whose peaks these are, could not be made" in err
        assert Path("results/maps/peaks.yaml").read_bytes() == peaks
        assert reported().isdisjoint({"ts.yaml", "peaks.yaml"})
    (folder / "config.yaml").write_text(MAPS)
    command("run", "config.yaml")
    assert {"ts.yaml", "peaks.yaml", "excess.yaml"} <= reported()
