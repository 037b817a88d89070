"""``gm verify``: results, inputs and config against the record, and the same bytes again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.cli import main
from gm.datasets import Datasets
from gm.models import Models
from tests.samples import on_off, power_law

CONFIG = """\
version: 1
output: results
models: models.yaml
datasets: datasets.yaml
simulate: {seed: 3}
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: [1 TeV, 10 TeV]}]
"""


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    here = tmp_path / "here"
    here.mkdir()
    Datasets([on_off("run-1", 1, exposure=1e12)]).write(here / "datasets.yaml")
    Models([power_law("crab")]).write(here / "models.yaml")
    (here / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(here)

    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        assert ended.value.code == code, told.err + told.out
        return told.out, told.err

    call("run", "config.yaml")
    return call


def _changes(out: str) -> set[tuple[str, str, str, str]]:
    rows = json.loads(out)["checks"]
    return {(row["stage"], row["what"], row["name"], row["status"]) for row in rows if row["status"] != "same"}


def test_what_is_the_same(gm: Callable[..., Any]) -> None:
    out, _ = gm("verify", "results")
    assert out.splitlines()[0].endswith("results: same")
    assert max(map(len, out.splitlines()[1:])) <= 60
    rows = json.loads(gm("verify", "results", "--json")[0])
    assert {row["stage"] for row in rows["checks"]} == {"simulate", "fit", "flux_points/sed"}
    one = json.loads(gm("verify", "results/flux_points/sed.fits", "--json")[0])
    assert {row["stage"] for row in one["checks"]} == {"flux_points/sed"}
    assert {row["stage"] for row in json.loads(gm("verify", "results/fit", "--json")[0])["checks"]} == {"fit"}
    assert "results/fit" not in gm("verify", "results/provenance.yaml", "-v")[1]


def test_the_same_bytes_again_and_nothing_left(gm: Callable[..., Any]) -> None:
    before = sorted(path.name for path in Path().iterdir())
    rows = json.loads(gm("verify", "results", "--rerun", "--json")[0])["checks"]
    assert {row["status"] for row in rows if row["what"] == "rerun"} == {"same"}
    assert {row["name"] for row in rows if row["what"] == "rerun"} >= {"fit/fit.yaml", "flux_points/sed.ecsv"}
    assert sorted(path.name for path in Path().iterdir()) == before


def test_a_rerun_asks_for_the_same(gm: Callable[..., Any]) -> None:
    """What the command line changed, and options of the stage alone."""
    gm("simulate", "config.yaml", "--asimov", "--force", "-o", "other")
    gm("fit", "config.yaml", "-o", "other", "-s", "fit.minos=[crab.index]")
    assert "computed again" in gm("verify", "other", "--rerun")[0]


def test_a_result_that_was_changed(gm: Callable[..., Any]) -> None:
    with Path("results/fit/fit.yaml").open("a") as file:
        file.write("# by hand\n")
    Path("results/flux_points/sed.ecsv").unlink()
    assert _changes(gm("verify", "results", "--json", code=1)[0]) == {
        ("fit", "output", "fit/fit.yaml", "changed"),
        ("flux_points/sed", "output", "flux_points/sed.ecsv", "gone"),
    }
    out, _ = gm("verify", "results", code=1)
    assert "1 changed, 3 same" in out
    assert "output flux_points/sed.ecsv" in out


def test_inputs_that_were_changed(gm: Callable[..., Any]) -> None:
    models = Path("models.yaml")
    models.write_text(models.read_text() + "# by hand\n")
    changed = _changes(gm("verify", "results", "--json", code=1)[0])
    assert ("simulate", "input", "models.yaml", "changed") in changed
    assert ("fit", "output", "fit/fit.yaml", "same") not in changed


def test_only_the_part_of_the_config_that_matters(gm: Callable[..., Any]) -> None:
    Path("config.yaml").write_text(CONFIG.replace("sed,", "sed, reoptimize: true,"))
    assert _changes(gm("verify", "results", "--json", code=1)[0]) == {
        ("flux_points/sed", "config", "config.yaml", "changed")
    }
    Path("config.yaml").write_text("fit: [")
    out = json.loads(gm("verify", "results/fit", "--json", code=1)[0])
    assert [row["status"] for row in out["checks"] if row["what"] == "config"] == ["unknown"]


def test_a_config_that_has_moved(gm: Callable[..., Any], tmp_path: Path) -> None:
    shutil.move("results", tmp_path / "elsewhere")
    assert ("fit", "config", "config.yaml", "gone") in _changes(
        gm("verify", str(tmp_path / "elsewhere"), "--json", code=1)[0]
    )
    gm("verify", str(tmp_path / "elsewhere"), "--config", "config.yaml")


def test_other_versions_are_told(gm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gm.pipeline.commands.verify.versions", lambda: {"gm": "99", "python": "3"})
    out, _ = gm("verify", "results")
    assert "gm is 99, was " in out


def test_without_a_record(gm: Callable[..., Any], tmp_path: Path) -> None:
    assert "no provenance.yaml beside it or above" in gm("verify", "config.yaml", code=4)[1]
    assert "no such file or folder" in gm("verify", "nothing", code=4)[1]
    Path("results/mine.txt").write_text("x")
    assert "gm has not written it" in gm("verify", "results/mine.txt", code=4)[1]
