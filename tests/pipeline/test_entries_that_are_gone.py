"""Results of entries that were renamed or taken out of a config stay, and are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gm.datasets import Datasets
from gm.models import Models
from tests.samples import on_off, power_law

Command = Callable[..., tuple[str, str]]
CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
flux_points:
  - {source: source, name: first, energy_edges: [1 TeV, 10 TeV]}
"""
TOLD = "flux_points/first: no entry of the config any more; its results stay in results"


def test_they_are_told(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Datasets([on_off()]).write("datasets.yaml")
    Models([power_law()]).write("models.yaml")
    config = Path("config.yaml")
    config.write_text(CONFIG)
    assert TOLD not in command("run", "config.yaml")[1]
    assert TOLD not in command("plan", "config.yaml")[0]
    before = Path("results/flux_points/first.yaml").read_bytes()
    config.write_text(CONFIG.replace("first", "second"))
    assert TOLD in json.loads(command("plan", "config.yaml", "--json")[0])["warnings"]
    assert TOLD in command("run", "config.yaml")[1]
    assert Path("results/flux_points/first.yaml").read_bytes() == before
    assert Path("results/flux_points/second.yaml").exists()
    config.write_text(CONFIG)
    assert "flux_points/second: no entry" in command("flux-points", "config.yaml")[1]
