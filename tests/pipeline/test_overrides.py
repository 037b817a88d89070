"""Paths and values of ``--set``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm.config_schemas.reader import read_document
from gm.errors import JsonPath, UsageError
from gm.pipeline.overrides import apply_overrides, find_path, relabel
from gm.pipeline.settings import resolve

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
    changed, paths = apply_overrides(
        document, ["name=on", "engine.workers=3", "fit.minos=[a.b, c.d]", "output="], resolve
    )
    assert changed.data == {
        "version": 1,
        "models": "m.yaml",
        "name": "on",
        "engine": {"workers": 3},
        "fit": {"minos": ["a.b", "c.d"]},
        "output": None,
    }
    assert document.data == {"version": 1, "models": "m.yaml"}
    assert paths == (("name",), ("engine", "workers"), ("fit", "minos"), ("output",))


def test_problems_in_a_value_name_the_command_line() -> None:
    document = read_document("c.yaml", "version: 1\nmodels: m.yaml\nname: x\n", "c.yaml", Path())
    changed, paths = apply_overrides(document, ["fit.minos=[a, b]"], resolve)
    inside = changed.problem(("fit", "minos", 1), "wrong")
    outside = changed.problem(("name",), "wrong")
    assert [problem.file for problem in relabel([inside, outside], "c.yaml", paths)] == ["--set", "c.yaml"]
