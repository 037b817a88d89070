"""The profiles stage: a profile, a surface and a quantity of one small analysis, from a config to files."""

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
from gm.pipeline.stages.profiles.stage import PROFILES
from tests.pipeline.sections import read
from tests.samples import log_parabola, on_off, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {datasets: "on*", minos: [crab.alpha], contours: [[crab.alpha, crab.beta]], contour_levels: [1]}
profiles:
  - {parameter: crab.alpha, name: alpha, n: 5}
  - {parameters: [crab.alpha, crab.beta], n: 3, levels: [1]}
  - {quantity: "flux(crab, 1 TeV, 10 TeV)", values: {min: 1e-12, max: 2e-11, n: 3}}
"""

Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any) -> Command:
    """Calls a command in a folder with the analysis; returns standard output and standard error."""
    Datasets([on_off("on-1", 1, exposure=4e12), spectrum("other", 2)]).write(tmp_path / "datasets.yaml")
    Models([log_parabola("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    return command


def test_profiles_of_the_fit(gm: Command, tmp_path: Path) -> None:
    """On the datasets of the fit, with the intervals and contours of the fit; the files are those that are said."""
    out, err = gm("profile", "config.yaml")
    names = ["alpha", "crab.alpha-crab.beta", "flux-crab"]
    assert out.splitlines() == [f"results/profiles/{name}.yaml" for name in names]
    assert "interval" in err
    documents = [read_document(tmp_path / f"results/profiles/{name}.yaml") for name in names]
    assert [check(document, "profile") for document in documents] == [[], [], []]
    alpha, surface, flux = (document.data for document in documents)
    fit = read_document(tmp_path / "results/fit/fit.yaml").data
    row = next(row for row in fit["parameters"] if row["name"] == "crab.alpha")
    interval = next(interval for interval in alpha["intervals"] if interval["sigma"] == 1)
    assert (interval["errn"], interval["errp"]) == pytest.approx(
        (-row["minos"]["lower"], row["minos"]["upper"]), rel=1e-4
    )
    assert alpha["axes"][0]["best"] == pytest.approx(row["value"])
    assert alpha["statistic"]["minimum"] == pytest.approx(fit["statistic"]["total"])
    assert [point["status"] for point in alpha["points"]] == ["ok"] * 5
    ours, theirs = surface["contours"][0]["points"], fit["contours"][0]["points"]
    assert [x for point in ours for x in point] == pytest.approx([x for point in theirs for x in point], rel=1e-3)
    assert len(surface["points"]) == 9
    assert flux["axes"][0]["values"] == pytest.approx([1e-12, 1.05e-11, 2e-11])
    assert flux["quantity"] == "flux(crab, 1 TeV, 10 TeV)"
    assert "up to date" in gm("profile", "config.yaml")[1]
    assert json.loads(gm("profile", "config.yaml", "--json")[0])["profiles"][0] == alpha
    assert "crab.alpha" in gm("show", "results/profiles/alpha.yaml")[0]
    assert "flux(crab, 1 TeV, 10 TeV), around the best fit" in gm("plan", "config.yaml")[0]


def test_a_point_that_failed_is_a_row_and_an_exit_code(gm: Command, tmp_path: Path) -> None:
    limits = ["-s", "parameters={crab.alpha: {min: 1.5}}", "-s", "profiles=[{parameter: crab.alpha, values: [1, 2.2]}]"]
    _, err = gm("profile", "config.yaml", *limits, code=1)
    assert "beyond a limit" in err
    document = read_document(tmp_path / "results/profiles/crab.alpha.yaml").data
    assert document["status"] == "incomplete"
    assert [point["stat"] is None for point in document["points"]] == [True, False]


def test_what_no_schema_sees() -> None:
    entries = [
        {"parameter": "crab.alpha", "quantity": "dnde(crab, 1 TeV)"},
        {},
        {"parameters": ["a.b", "c.d"], "values": [1, 2, 3]},
        {"parameter": "a", "values": {"min": 3, "max": 2}},
        {"quantity": "flux(crab, 10 TeV, 1 TeV)"},
    ]
    assert read(PROFILES, entries)[1] == [
        "$.profiles[0]",
        "$.profiles[1]",
        "$.profiles[2].values",
        "$.profiles[3].values.max",
        "$.profiles[4].quantity",
    ]


def test_names_in_its_section_have_to_mean_something(gm: Command, tmp_path: Path) -> None:
    section = """\
profiles:
  - {parameter: crab.alpa}
  - {parameters: [crab.alpha, crab.reference]}
  - {quantity: "flux(crob, 1 TeV, 10 TeV)", datasets: of*}
  - {parameter: crab.beta, name: crab.alpa}
"""
    (tmp_path / "config.yaml").write_text(CONFIG.split("profiles:")[0] + section)
    _, err = gm("validate", "config.yaml", code=3)
    assert [line for line in err.splitlines() if line.startswith("config.yaml")] == [
        "config.yaml:7:17: $.profiles[0].parameter: no parameter is called 'crab.alpa'",
        "config.yaml:8:31: $.profiles[1].parameters[1]: 'crab.reference' is frozen",
        "config.yaml:9:16: $.profiles[2].quantity: 'crob' is no component",
        "config.yaml:9:55: $.profiles[2].datasets: no dataset matches 'of*'",
        "config.yaml:10:34: $.profiles[3].name: entry 0 is called 'crab.alpa' already",
    ]
