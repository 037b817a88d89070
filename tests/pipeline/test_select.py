"""``gm select``: its files, its screen, what is wrong with its section."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.models import Models
from tests.samples import on_off, power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
select:
  - {component: crab, name: shape, spectral: [pl, lp, {name: soft, type: pl, parameters: [{name: index, value: 4}]}]}
"""


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Callable[..., Any]:
    Datasets([on_off("run 1", 1, exposure=1e12), on_off("run-2", 2, exposure=1e12)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    return command


def test_rows_models_and_a_choice(gm: Callable[..., Any]) -> None:
    out, err = gm("select", "config.yaml")
    assert out == "results/select/shape.yaml\n"
    assert max(map(len, err.splitlines())) <= 80
    document = read_document(Path("results/select/shape.yaml"))
    assert check(document, "select") == []
    rows = {row["name"]: row for row in document.data["alternatives"]}
    assert list(rows) == ["pl", "lp", "soft"]
    assert rows["soft"]["statistic"] == pytest.approx(rows["pl"]["statistic"], abs=1e-5)
    assert rows["lp"]["nested"] is True
    assert rows["pl"]["nested"] is None
    assert document.data["chosen"] in rows
    for name, row in rows.items():
        models = Models.read(Path("results/select") / row["models"])
        assert row["models"] == f"shape/{name}/models.yaml"
        assert models.covariance is not None
    assert "select shape: up to date" in gm("select", "config.yaml")[1]
    assert json.loads(gm("select", "config.yaml", "--json")[0])["select"] == [document.data]
    assert "curvature, lp against pl" in gm("show", "results/select/shape.yaml")[0]
    assert "pl, lp, soft for crab, from the best fit" in gm("plan", "config.yaml")[0]


def test_a_model_to_go_on_with(gm: Callable[..., Any]) -> None:
    gm("select", "config.yaml")
    gm("fit", "config.yaml", "-s", "models=results/select/shape/lp/models.yaml", "-s", "select=null", "-o", "again")
    again = read_document(Path("again/fit/fit.yaml")).data
    rows = read_document(Path("results/select/shape.yaml")).data["alternatives"]
    assert again["statistic"]["total"] == pytest.approx(rows[1]["statistic"], abs=1e-6)


def test_what_is_wrong_has_its_place(gm: Callable[..., Any]) -> None:
    Path("config.yaml").write_text(
        CONFIG.partition("  - ")[0]
        + "  - {component: crap, spectral: [pl]}\n"
        + "  - {component: crab, name: a, spectral: [pl, pl, lpp, 3, {type: lp, parameters: [{name: aplha}]}, "
        + "{type: ecpl, name: 2}]}\n"
        + "  - {component: crab, name: a, spectral: [pl-norm]}\n"
    )
    _, err = gm("validate", "config.yaml", code=3)
    told = [line.partition(": ")[2] for line in err.splitlines() if line.startswith("config.yaml")]
    assert told == [
        "$.select[0].component: no component is called 'crap'",
        "$.select[1].spectral[1]: two alternatives are called 'pl'",
        "$.select[1].spectral[2]: 'lpp' is not a spectral model",
        "$.select[1].spectral[3]: expected a tag or a spectral model, found the integer 3",
        "$.select[1].spectral[4].parameters[0].name: 'aplha' is not a parameter of LogParabolaSpectralModel",
        "$.select[1].spectral[5].name: expected a string, found the integer 2",
        "$.select[2].name: entry 1 is called 'a' already",
        "$.select[2].spectral[0]: PowerLawNormSpectralModel is a factor, and the spectrum of the component is a flux",
    ]
