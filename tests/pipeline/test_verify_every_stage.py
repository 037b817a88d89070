"""``gm verify --rerun`` gives the same bytes again for every stage that there is, in two analyses of them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.datasets import Datasets
from gm.models import Models
from gm.pipeline.stages.registry import STAGES
from tests.map_samples import background, cube, point, source

pytest.importorskip("matplotlib", reason="a report has figures, which need Matplotlib")

OF_EVENTS = """
operations: [{stack: {datasets: "run-*", name: stacked}}]
light_curves: [{source: source, name: lc, time_bins: per-observation, energy_range: [0.5 TeV, 20 TeV]}]
profiles: [{parameter: source.index, name: index, n: 3}]
impacts: [{parameter: source.amplitude, name: amplitude}]
select: [{component: source, name: shape, spectral: [pl, lp]}]
sensitivity: [{source: source, name: sens}]
goodness: {simulations: 2}
toys: {n: 2}
sample: {draws: 100, tune: 50, chains: 1}
publish: [{source: source, name: likelihood, per_decade: 2}]
report: {}
"""
OF_A_MAP = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
simulate: {seed: 1}
fit: {}
localize: [{source: star, name: star}]
extension: [{source: star, name: ext, shape: gauss}]
find: {threshold: 5}
maps:
  - {type: ts, name: ts}
  - {type: peaks, name: peaks, of: ts, threshold: 3}
"""
IN_EVENTS = {"reduce", "apply", "fit", "flux_points", "light_curves", "profiles", "impacts", "select", "sensitivity"}
IN_EVENTS |= {"goodness", "toys", "sample", "publish", "report"}
IN_A_MAP = {"simulate", "fit", "localize", "extension", "find", "maps"}
Command = Callable[..., tuple[str, str]]


def verified(command: Command, folder: str) -> set[str]:
    """The stages of which everything was made again, with the same bytes."""
    checks = json.loads(command("verify", folder, "--rerun", "--json")[0])["checks"]
    assert [check for check in checks if check["status"] != "same"] == []
    return {check["stage"].split("/")[0] for check in checks if check["what"] == "rerun"}


def test_every_stage_is_verified_here() -> None:
    assert {stage.name for stage in STAGES} == IN_EVENTS | IN_A_MAP


def test_from_events_to_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> None:
    pytest.importorskip("mici", reason="the sampler is an extra")
    monkeypatch.chdir(tmp_path)
    command("init", "-q", "a", "--example", "hess-like")
    config = tmp_path / "a/config.yaml"
    config.write_text(config.read_text() + OF_EVENTS)
    command("run", "-q", "a/config.yaml", code=1)  # so few draws of the posterior have not converged
    assert verified(command, "a/results") == IN_EVENTS


def test_of_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Datasets([cube("cube")]).write("datasets.yaml")
    Models([source("star", point(), datasets_names=["cube"]), background("cube")]).write("models.yaml")
    Path("config.yaml").write_text(OF_A_MAP)
    command("run", "-q", "config.yaml")
    assert verified(command, "results") == IN_A_MAP
