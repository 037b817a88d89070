"""Paths and values of ``--set``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from gm.config_schemas.reader import read_document
from gm.errors import JsonPath, UsageError
from gm.pipeline.analysis import settings
from gm.pipeline.analysis.overrides import apply_overrides, find_path
from gm.pipeline.stages.registry import STAGES

resolve = partial(settings.resolve, stages=STAGES)
DATA = resolve(
    {
        "version": 1,
        "models": "m.yaml",
        "parameters": {"crab.index": {"value": 2.0}, "*-bkg.tilt": {"frozen": False}},
        "fit": {"energy_range": [{"datasets": "a", "min": "1 TeV"}]},
        "flux_points": [{"source": "crab", "energy_edges": ["1 TeV", "2 TeV"]}],
    }
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("name", ("name",)),
        ("fit.minos", ("fit", "minos")),
        ("fit.energy_range[0].min", ("fit", "energy_range", 0, "min")),
        ("fit.energy_range.0.min", ("fit", "energy_range", 0, "min")),
        ("flux_points[0].confidence.sigma_ul", ("flux_points", 0, "confidence", "sigma_ul")),
        ("parameters.crab.index.value", ("parameters", "crab.index", "value")),
        ("parameters.crab.index", ("parameters", "crab.index")),
        ("parameters.*-bkg.tilt.frozen", ("parameters", "*-bkg.tilt", "frozen")),
        ("parameters.other.beta.max", ("parameters", "other.beta", "max")),
        ("engine.workers", ("engine", "workers")),
        ("simulate.seed", ("simulate", "seed")),
        ("fit.energy_range[0].max", ("fit", "energy_range", 0, "max")),
        ("flux_points[0].energy_edges", ("flux_points", 0, "energy_edges")),
    ],
)
def test_paths(text: str, path: JsonPath) -> None:
    assert find_path(text, DATA) == path


@pytest.mark.parametrize(
    "text", ["names", "fit.mino", "fit.energy_range[1].min", "fit.energy_range.min", "name.x", "engine.x"]
)
def test_paths_that_do_not_exist(text: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        find_path(text, DATA)


def test_values_follow_the_scalar_rules_of_the_files() -> None:
    document = read_document("c.yaml", "version: 1\nmodels: m.yaml\n", "c.yaml", Path())
    changed = apply_overrides(document, ["name=on", "engine.workers=3", "fit.minos=[a.b, c.d]", "output=x"], resolve)
    assert changed.data == {
        "version": 1,
        "models": "m.yaml",
        "name": "on",
        "engine": {"workers": 3},
        "fit": {"minos": ["a.b", "c.d"]},
        "output": "x",
    }
    assert document.data == {"version": 1, "models": "m.yaml"}


def test_sections_are_made_and_taken_out() -> None:
    text = "version: 1\nmodels: m.yaml\nfit: {minos: [a.b]}\nsimulate: {datasets: [{name: r, response: iact}]}\n"
    document = read_document("c.yaml", text, "c.yaml", Path())
    changed = apply_overrides(document, ["fit=null", "simulate.seed=3", "simulate.datasets[0].copies=2"], resolve)
    assert changed.data == {
        "version": 1,
        "models": "m.yaml",
        "simulate": {"seed": 3, "datasets": [{"name": "r", "response": "iact", "copies": 2}]},
    }
    assert apply_overrides(changed, ["simulate="], resolve).data == {"version": 1, "models": "m.yaml"}


def test_problems_in_a_value_have_their_place_in_the_argument() -> None:
    document = read_document("c.yaml", "version: 1\nmodels: m.yaml\nname: x\nfit: {test: [a]}\n", "c.yaml", Path())
    changed = apply_overrides(document, ["name=y", "fit.minos=[a, b]", "parameters.a.b.min=5"], resolve)

    def place(*path: str | int, key: bool = False) -> str:
        problem = changed.problem(path, "wrong", key=key)
        return f"{problem.file}:{problem.line}:{problem.column}"

    assert place("name") == "--set:1:6"
    assert place("name", key=True) == "--set:1:6"
    assert place("fit", "minos", 1) == "--set:2:15"
    assert place("fit", "test", 0) == "c.yaml:4:14"
    assert place("fit", key=True) == "c.yaml:4:1"
    assert place("parameters", "a.b") == "--set:3:1"
    assert place("parameters", "a.b", "min") == "--set:3:20"


def test_all_overrides_that_cannot_be_are_told() -> None:
    document = read_document("c.yaml", "version: 1\nmodels: m.yaml\n", "c.yaml", Path())
    with pytest.raises(UsageError, match=r"(?s)no key 'nam'.*not YAML.*no key 'foo' in \$.fit.*expected PATH=VALUE"):
        apply_overrides(document, ["nam=1", "name=[", "fit.foo=2", "name"], resolve)
