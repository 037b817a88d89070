"""``gm sensitivity``: its files, its screen, what is wrong with its section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.io.ecsv import read_ecsv
from gm.models import Models
from tests.samples import on_off, power_law, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
sensitivity:
  - {source: crab, name: both, energy_edges: [1 TeV, 3 TeV, 10 TeV, 1 PeV, 2 PeV]}
  - {source: crab, datasets: run-1}
"""


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Callable[..., Any]:
    Datasets([on_off("run-1", 1, exposure=1e12), spectrum("run-2", 2)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    return command


def test_documents_and_tables(gm: Callable[..., Any]) -> None:
    out, err = gm("sensitivity", "config.yaml")
    assert out.split() == ["results/sensitivity/both.yaml", "results/sensitivity/crab-sensitivity.yaml"]
    assert max(map(len, err.splitlines())) <= 80
    document = read_document(Path("results/sensitivity/both.yaml"))
    assert check(document, "sensitivity") == []
    bands = document.data["bands"]
    assert [band["status"] for band in bands] == ["ok", "ok", "ok", "no_data"]
    assert bands[-1]["reason"] == "no dataset has bins here"
    assert bands[-1]["e2dnde"] is None
    table = read_ecsv("results/sensitivity/both.ecsv")
    assert table.array("e2dnde")[:3].tolist() == [band["e2dnde"] for band in bands[:3]]
    assert table.array("criterion")[:3].tolist() == [band["criterion"] for band in bands[:3]]
    assert "above" in gm("show", "results/sensitivity/both.yaml")[0]
    assert "4 bins, to crab, from the models as given" in gm("plan", "config.yaml")[0]
    assert "sensitivity both: up to date" in gm("sensitivity", "config.yaml")[1]
    assert len(read_document(Path("results/sensitivity/crab-sensitivity.yaml")).data["bands"]) == 6


def test_what_is_wrong_has_its_place(gm: Callable[..., Any]) -> None:
    wrong = "{source: crap, datasets: x, sigma: 0, probability: 1, energy_edges: [2 TeV, 1 TeV]}"
    Path("config.yaml").write_text(CONFIG.partition("  - ")[0] + f"  - {wrong}\n")
    _, err = gm("validate", "config.yaml", code=3)
    assert [line.partition(": ")[2] for line in err.splitlines() if line.startswith("config.yaml")] == [
        "$.sensitivity[0].source: no component is called 'crap'",
        "$.sensitivity[0].datasets: no dataset matches 'x'",
        "$.sensitivity[0].sigma: must be greater than 0, found 0",
        "$.sensitivity[0].probability: must be less than 1, found 1",
        "$.sensitivity[0].energy_edges[1]: edge 1 TeV is not above 2 TeV",
    ]


def test_bins_that_differ(gm: Callable[..., Any]) -> None:
    _, err = gm("sensitivity", "config.yaml", "-s", "sensitivity[1].datasets=[run-1, run-2]", code=4)
    assert "sensitivity crab-sensitivity: the datasets have no energy bins in common" in err
