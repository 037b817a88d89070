"""``gm sample``: files, workers, chains that are there already, what is refused."""

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
from gm.errors import DataError
from gm.estimators.posterior.nuts import Nuts
from gm.io.netcdf import read_draws
from gm.models import Models
from tests.samples import on_off, power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
sample: {draws: 120, tune: 60, chains: 2, seed: 3, quantities: ["flux(crab, 1 TeV, 10 TeV)"]}
"""
Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    Datasets([on_off("run 1", 1, exposure=1e13)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return command


def _result() -> dict[str, Any]:
    document = read_document(Path("results/sample/sample.yaml"))
    assert check(document, "sample") == []
    return dict(document.data)


def _bytes() -> list[bytes]:
    return [Path(f"results/sample/{name}").read_bytes() for name in ("sample.yaml", "draws.nc")]


def test_draws_are_a_file_and_a_table(gm: Command) -> None:
    out, _ = gm("run", "config.yaml", code=1)  # two chains of 120 draws are too short
    assert out.splitlines()[-1] == "results/sample/sample.yaml"
    document = _result()
    assert document["status"] == "not_converged"
    assert "fewer than 200 effective draws" in document["message"]
    assert [row["name"] for row in document["parameters"]] == [
        "crab.index",
        "crab.amplitude",
        "flux(crab, 1 TeV, 10 TeV)",
    ]
    draws = read_draws(Path("results/sample/draws.nc"), "posterior")
    values, unit = draws["crab.amplitude"]
    assert (values.shape, unit) == ((2, 120), "TeV-1 s-1 cm-2")
    assert document["parameters"][1]["median"] == pytest.approx(float(np.median(values)), rel=1e-12)
    told = read_draws(Path("results/sample/draws.nc"), "sample_stats")
    assert -2 * told["lp"][0].max() == pytest.approx(document["statistic"]["lowest"], rel=1e-12)
    assert document["sampler"][0]["steps"] == told["n_steps"][0][0].sum()
    best = read_document(Path("results/fit/fit.yaml")).data["parameters"][0]
    row = document["parameters"][0]
    assert row["best"] == pytest.approx(best["value"], rel=1e-6)
    assert row["error"] == pytest.approx(best["error"], rel=1e-3)
    assert abs(row["median"] - row["best"]) < 0.5 * row["error"]
    shown = gm("show", "results/sample/sample.yaml")[0]
    assert "flux(crab, 1 TeV, 10 TeV)" in shown
    assert "2 chains of 120 draws around the best fit" in gm("plan", "config.yaml")[0]
    assert json.loads(gm("sample", "config.yaml", "--json", code=1)[0]) == document
    assert gm("plot", "results/sample/sample.yaml", "-o", "posterior.png")[0] == "posterior.png\n"


def test_workers_and_a_stop_change_no_byte(gm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    gm("sample", "config.yaml", "-q", code=1)
    once = _bytes()
    gm("sample", "config.yaml", "-q", "--force", "--workers", "2", code=1)
    assert _bytes()[1] == once[1]
    Path("results/sample/sample.yaml").unlink()
    chain, numbers = Nuts.chain, []

    def stopped(self: Nuts, density: Any, number: int) -> Any:
        numbers.append(number)
        if number == 1 and numbers.count(1) == 1:
            raise DataError("stopped")
        return chain(self, density, number)

    monkeypatch.setattr(Nuts, "chain", stopped)
    gm("sample", "config.yaml", "-q", code=4)
    err = gm("sample", "config.yaml", code=1)[1]
    assert "1 chains from before, 1 to do" in err
    assert numbers == [0, 1, 1]
    assert _bytes() == once
    assert not Path("results/sample/.unfinished").exists()


def test_nested_sampling_says_which_priors_it_needs(gm: Command) -> None:
    err = gm("sample", "config.yaml", "--set", "sample.method=nested", code=2)[1]
    assert "crab.index has none, nor two limits" in err
    assert "crab.amplitude has none, nor two limits" in err


def test_evidence(gm: Command) -> None:
    Path("config.yaml").write_text(
        CONFIG.replace("draws: 120, tune: 60, chains: 2", "method: nested, draws: 1000, live_points: 100")
        + "parameters: {crab.index: {min: 1, max: 4}, crab.amplitude: {min: 0, max: 1.0e-10}}\n"
    )
    gm("sample", "config.yaml", "-q")
    document = _result()
    assert document["evidence"]["live_points"] == 100
    assert document["sampler"] == []
    assert document["parameters"][0]["prior"] == "flat between 1 and 4"
    assert "ln Z = " in gm("show", "results/sample/sample.yaml")[0]


def test_what_means_nothing_is_told_at_once(gm: Command) -> None:
    Path("config.yaml").write_text(
        CONFIG.replace("chains: 2", "method: mcmc").replace(
            '"flux(crab, 1 TeV, 10 TeV)"', '"flux(carb, 1 TeV, 10 TeV)", "fluks(crab)"'
        )
    )
    err = gm("validate", "config.yaml", code=3)[1]
    for text in ("nuts or nested", "'carb' is no component", "'fluks' is no quantity"):
        assert text in err
