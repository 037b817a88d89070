"""``gm publish``: a workspace of each entry, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyhf
import pytest

from gm.datasets import Datasets
from gm.models import Models
from tests.samples import on_off, power_law

# pyhf's own: how it reads its schemas
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
publish: [{source: crab, per_decade: 5}, {source: crab, name: coarse, per_decade: 1}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([on_off("run 1", 1, exposure=1e13)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_workspaces_are_files_that_pyhf_reads(command: Any, folder: Path) -> None:
    out, _ = command("run", "config.yaml", "-q")
    assert out.splitlines()[-1] == "results/publish/README.md"
    names = [file.name for file in sorted(Path("results/publish").iterdir())]
    assert names == ["README.md", "coarse.json", "crab-likelihood.json"]
    document = json.loads(Path("results/publish/crab-likelihood.json").read_text())
    workspace = pyhf.Workspace(document)
    assert workspace.channels == ["run 1", "run 1 off"]
    text = Path("results/publish/README.md").read_text()
    assert "## crab-likelihood.json" in text
    for parameter in document["measurements"][0]["config"]["parameters"][:-1]:
        assert f"| {parameter['name']} |" in text
    before = Path("results/publish/crab-likelihood.json").read_bytes()
    assert "up to date: yes" in command("plan", "config.yaml")[0]
    command("publish", "config.yaml", "-q", "--force")
    assert Path("results/publish/crab-likelihood.json").read_bytes() == before
    told = json.loads(command("publish", "config.yaml", "--json")[0])
    assert told["workspaces"] == ["publish/crab-likelihood.json", "publish/coarse.json"]


def test_what_means_nothing_is_told(command: Any, folder: Path) -> None:
    (folder / "config.yaml").write_text(
        CONFIG.replace("name: coarse", "name: crab-likelihood").replace("[{source: crab,", "[{source: carb,")
    )
    err = command("validate", "config.yaml", code=3)[1]
    assert "'carb'" in err
