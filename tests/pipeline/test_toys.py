"""``gm toys`` and ``gm goodness``: files, workers, toys that are there already, kills, what fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.estimators.toys import Toy, ToyFit
from gm.io.ecsv import read_ecsv
from gm.models import Models
from gm.pipeline.stages.toys.table import read_toys, write_toys
from tests.samples import flux_points, on_off, power_law, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {minos: [crab.index]}
toys: {n: 12, seed: 3}
goodness: {simulations: 12}
"""
Command = Callable[..., tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([on_off("run 1", 1, exposure=1e13), spectrum("run-2", 2, exposure=1e13)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gm(command: Any, folder: Path) -> Command:
    return command


def _result(name: str) -> dict[str, Any]:
    document = read_document(Path(f"results/{name}/{name}.yaml"))
    assert check(document, name) == []
    return dict(document.data)


def test_toys_are_a_table_and_a_verdict(gm: Command) -> None:
    out, err = gm("toys", "config.yaml")
    assert out == "results/toys/toys.yaml\n"
    assert "12 toys, none failed" in err
    shown = gm("show", "results/toys/toys.yaml")[0].splitlines()
    assert max(len(line) for line in shown if "verdict" not in line) <= 60
    document = _result("toys")
    assert document["toys"] == {"n": 12, "failed": 0, "at_limit": 0, "seed": 3}
    assert [row["name"] for row in document["parameters"]] == ["crab.index", "crab.amplitude"]
    assert set(document["parameters"][0]["coverage"]) == {"error_1", "error_2", "minos"}
    assert [row["name"] for row in document["components"]] == ["crab"]
    assert [row["source"] for row in document["limits"]] == ["crab"]
    table = read_ecsv("results/toys/toys.ecsv")
    assert table.array("toy").tolist() == list(range(12))
    assert table.unit("crab.amplitude") == "1 / (TeV s cm2)"
    index = table.array("crab.index")
    assert document["parameters"][0]["values"]["mean"] == pytest.approx(float(np.mean(index)), rel=1e-12)
    fitted = read_document(Path("results/fit/fit.yaml")).data
    assert document["goodness"]["total"]["observed"] == pytest.approx(fitted["statistic"]["total"], abs=1e-9)
    plan = next(line for line in gm("plan", "config.yaml")[0].splitlines() if line.startswith("toys"))
    assert " ".join(plan.split()) == "toys 12 toys of the best fit up to date: yes"
    assert "12 toys, none failed" in gm("show", "results/toys/toys.yaml")[0]


def test_goodness_is_of_each_dataset_and_of_all(gm: Command) -> None:
    assert json.loads(gm("goodness", "config.yaml", "--json")[0]) == _result("goodness")
    document = _result("goodness")
    assert [row["name"] for row in document["datasets"]] == ["run 1", "run-2"]
    for row in (document["total"], *document["datasets"]):
        assert 0 <= row["higher"]["share"] <= 1
        assert row["higher"]["n"] == 12
    wstat = document["datasets"][0]
    assert wstat["deviance"]["observed"] == wstat["observed"]
    assert document["datasets"][1]["deviance"]["observed"] > 0
    assert "higher (%)" in gm("show", "results/goodness/goodness.yaml")[0]


def test_any_number_of_workers_gives_the_same_bytes_and_more_toys_go_on(gm: Command, folder: Path) -> None:
    def files() -> list[bytes]:
        return [(folder / "results/toys" / name).read_bytes() for name in ("toys.yaml", "toys.ecsv")]

    gm("toys", "config.yaml")
    one = files()
    gm("toys", "config.yaml", "--force", "--workers", "3")
    assert files() == one
    shutil.rmtree("results/toys")
    gm("toys", "config.yaml", "--n", "5")
    _, err = gm("toys", "config.yaml")
    assert "5 toys from before, 7 to do" in err
    assert files() == one
    assert sorted(path.name for path in (folder / "results/toys").iterdir()) == ["toys.ecsv", "toys.yaml"]
    assert "toys: up to date" in gm("toys", "config.yaml")[1]


def test_what_was_done_before_a_kill_is_not_done_again(
    gm: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gm("toys", "config.yaml")
    whole = (folder / "results/toys/toys.ecsv").read_bytes()
    shutil.rmtree("results/toys")
    run, done = ToyFit.run, list[int]()

    def stopped(self: ToyFit, truth: Any, seed: int, number: int) -> Toy:
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(number)
        return run(self, truth, seed, number)

    monkeypatch.setattr(ToyFit, "run", stopped)
    gm("toys", "config.yaml", code=130)
    monkeypatch.setattr(ToyFit, "run", run)
    with (folder / "results/toys/.unfinished/rows.jsonl").open("a") as file:
        file.write('{"hash": "a line that was being writ')
    assert "7 toys from before, 5 to do" in gm("toys", "config.yaml")[1]
    assert (folder / "results/toys/toys.ecsv").read_bytes() == whole


def test_toys_of_a_table_that_somebody_changed_are_fitted_again(gm: Command, folder: Path) -> None:
    """More toys go on from a table as it was written, and from no other."""
    gm("toys", "config.yaml")
    table = folder / "results/toys/toys.ecsv"
    right = {file.name: file.read_bytes() for file in table.parent.glob("toys.*")}
    text = table.read_text()
    table.write_text(text.rstrip("\n") + "1\n")  # one digit more of the last number
    gm("toys", "config.yaml")
    assert {file.name: file.read_bytes() for file in table.parent.glob("toys.*")} == right


def test_failed_toys_are_rows_and_can_be_fitted_again(gm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ToyFit.run

    def failing(self: ToyFit, truth: Any, seed: int, number: int) -> Toy:
        return Toy(number, "failed", 'why "not"') if number in (2, 5) else run(self, truth, seed, number)

    monkeypatch.setattr(ToyFit, "run", failing)
    _, err = gm("toys", "config.yaml", code=1)
    assert "12 toys, 2 failed" in err
    document = _result("toys")
    assert (document["status"], document["toys"]["failed"], document["parameters"][0]["n"]) == ("incomplete", 2, 10)
    assert read_ecsv("results/toys/toys.ecsv").array("reason").tolist()[1:4] == ["", 'why "not"', ""]
    monkeypatch.setattr(ToyFit, "run", run)
    assert "10 toys from before, 2 to do" in gm("toys", "config.yaml", "--retry-failed")[1]
    assert _result("toys")["status"] == "ok"


def test_the_truth_can_be_the_models_as_given(gm: Command) -> None:
    gm("toys", "config.yaml", "-s", "toys.from=models")
    document = _result("toys")
    assert document["from"] == "models"
    assert document["parameters"][0]["truth"] == 2.3
    fitted = read_document(Path("results/fit/fit.yaml")).data
    assert document["goodness"]["total"]["observed"] == pytest.approx(fitted["statistic"]["total"], abs=1e-9)


def test_without_a_fit_section_the_best_fit_is_made(gm: Command) -> None:
    gm("toys", "config.yaml", "-s", "fit=null")
    assert _result("toys")["parameters"][0]["truth"] != 2.3


def test_a_bare_config_gets_the_defaults(gm: Command, folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.partition("toys:")[0])
    gm("toys", "config.yaml", "--n", "3")
    document = _result("toys")
    assert document["toys"]["n"] == 3
    assert document["toys"]["seed"] == 1


def test_what_is_wrong_has_its_place(gm: Command, folder: Path) -> None:
    bad = "toys: {n: 0, from: nowhere, minos: [crab.indx], test: [carb], limits: [crab, x]}"
    (folder / "config.yaml").write_text(CONFIG.replace("toys: {n: 12, seed: 3}", bad))
    _, err = gm("toys", "config.yaml", code=3)
    assert [line.partition(": ")[2] for line in err.splitlines() if line.startswith("config.yaml")] == [
        "$.toys.n: must be at least 1, found 0",
        "$.toys.from: 'nowhere' is not best-fit or models",
        "$.toys.minos[0]: no parameter matches 'crab.indx'",
        "$.toys.test[0]: no component is called 'carb'",
        "$.toys.limits[1]: no component is called 'x'",
    ]


def test_a_component_that_others_follow_is_not_tested_when_it_is_named(gm: Command, folder: Path) -> None:
    Models([power_law("crab"), power_law("halo")]).write(folder / "models.yaml", overwrite=True)
    links = "links: [{parameter: halo.index, equals: crab.index}]"
    config = CONFIG + links + "\nparameters: {halo.amplitude: {frozen: true}}\n"
    (folder / "config.yaml").write_text(config.replace("seed: 3}", "seed: 3, test: [halo, crab]}"))
    _, err = gm("validate", "config.yaml", code=3)
    assert "$.toys.test[1]: 'halo.index' follows 'crab.index', which would go with component 'crab'" in err
    (folder / "config.yaml").write_text(config.replace("seed: 3}", 'seed: 3, test: "*"}'))
    gm("validate", "config.yaml")


def test_data_that_cannot_be_drawn_end_with_a_word(gm: Command) -> None:
    Datasets([flux_points(stat_type="profile")]).write("datasets.yaml", overwrite=True)
    _, err = gm("toys", "config.yaml", code=4)
    assert "points: flux points with likelihood profiles cannot be drawn" in err


def test_toys_come_back_from_their_table_bit_by_bit(tmp_path: Path) -> None:
    toys = [
        Toy(0, "converged", "", 1.0 / 3, {"a b": 0.1}, {"a b": 0.2}, {"x.i": 1e-30}, {"x.i": None},
            {"x.i": (None, 0.3)}, {"x": 7.0, "y": None}, {"x": 2.0}),
        Toy(1, "failed", "no bin, none at all"),
        Toy(2, "not_converged", "lost", 2.0, {"a b": 0.1}, {"a b": 0.2}, {"x.i": 1.0}, {"x.i": 0.1},
            {"x.i": (-0.1, 0.3)}, {"x": 1.0, "y": 2.0}, {"x": None}),
    ]  # fmt: skip
    write_toys(tmp_path / "toys.ecsv", toys, {"x.i": "TeV"}, "key")
    assert read_toys(tmp_path / "toys.ecsv", "key") == toys
    assert read_toys(tmp_path / "toys.ecsv", "another key") == []
    assert read_toys(tmp_path / "nothing.ecsv", "key") == []
