"""The commands that look at an analysis, start one, or put it into a Makefile."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.schema_files import load_schema, schema_names, schema_text
from gm.io.tables import Column, Table
from tests.dl3_files import REFERENCE, events, typed_events, write_observation

ROOT = Path(__file__).resolve().parents[2]


def tree(folder: Path) -> dict[str, bytes]:
    """All result files but the one with times in it."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "provenance.yaml"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_problems_of_shown_datasets_have_their_place(gm: Any, analysis: Path, edit: Any) -> None:
    edit("datasets.yaml", "filename: run-1.fits", "filename: nothing")
    edit("datasets.yaml", "filename: pha_run-2.fits", "filename: ..")
    called = gm("show", "datasets.yaml", "--json")
    assert called.code == 4
    assert [problem["line"] for problem in called.json["problems"]] == [2, 3]
    edit("datasets.yaml", "filename: nothing", "filename: run-1.fits")
    edit("datasets.yaml", "filename: ..", "filename: pha_run-2.fits")
    edit("datasets.yaml", "name: run-2", "name: run-1")
    assert "datasets.yaml:3:" in gm("show", "datasets.yaml").err


def test_validate(gm: Any, analysis: Path) -> None:
    called = gm("validate", "config.yaml", "simulation.yaml")
    assert (called.code, called.out) == (0, "")
    assert called.err.count(": valid: 2 datasets, 1 component") == 2
    assert gm("validate", "config.yaml", "--json").json["status"] == "ok"


def test_validate_counts_what_the_fit_moves(gm: Any, analysis: Path, edit: Any) -> None:
    edit("config.yaml", "fit:", "links: [{parameter: crab.amplitude, equals: jet.amplitude}]\nfit:")
    models = (analysis / "models.yaml").read_text()
    (analysis / "models.yaml").write_text(models + models.replace("components:\n", "").replace("crab", "jet"))
    assert "6 parameters (3 free)" in gm("validate", "config.yaml").err


def test_plan_runs_nothing(gm: Any, analysis: Path) -> None:
    before = tree(analysis)
    called = gm("plan", "config.yaml")
    assert tree(analysis) == before
    assert re.search(r"fit .*2 free parameters.* up to date: no \(no result yet\)", called.out)
    assert "crab.reference" in called.out
    gm("run", "config.yaml")
    document = gm("plan", "config.yaml", "--json").json
    assert [(stage["name"], stage["up_to_date"]) for stage in document["stages"]] == [
        ("fit", True),
        ("flux_points crab-sed", True),
    ]
    assert [row["name"] for row in document["parameters"] if row["free"]] == ["crab.index", "crab.amplitude"]
    assert gm("plan", "simulation.yaml").code == 0


def test_show_every_kind_of_file(gm: Any, analysis: Path) -> None:
    gm("run", "config.yaml")
    shown = {
        "config.yaml": "config",
        "models.yaml": "crab.index",
        "datasets.yaml": "run-2",
        "results/fit/fit.yaml": "converged",
        "results/fit/models.yaml": "crab.index",
        "results/flux_points/crab-sed.yaml": "dnde",
        "results/flux_points/crab-sed.fits": "likelihood",
        "results/flux_points/crab-sed.ecsv": "likelihood",
        "results/provenance.yaml": "fit",
        "run-1.fits": "SpectrumDatasetOnOff",
        "pha_run-2.fits": "SpectrumDatasetOnOff",
        "pha_run-2_rmf.fits": "MATRIX",
    }
    for file, word in shown.items():
        called = gm("show", file)
        assert called.code == 0, called.err
        assert word in called.out
        assert gm("show", file, "--json").json
    (analysis / "note.yaml").write_text("hello: world\n")
    assert gm("show", "note.yaml").code == 3
    assert gm("show", "missing.yaml").code == 4


def test_schemas_are_printed_as_they_are(gm: Any) -> None:
    assert gm("schema").out.split() == schema_names()
    for name in schema_names():
        printed = gm("schema", name).out
        assert printed == schema_text(name)
        assert json.loads(printed) == load_schema(name)
        assert "x-types" not in printed


def test_init_writes_an_analysis_and_overwrites_nothing(gm: Any, tmp_path: Path) -> None:
    assert "one-run" in gm("init", "--list").out
    called = gm("init", tmp_path / "new", "--example", "one-run")
    assert {"config.yaml", "models.yaml", "Makefile"} <= {path.name for path in (tmp_path / "new").iterdir()}
    assert str(tmp_path / "new" / "config.yaml") in called.out
    before = tree(tmp_path / "new")
    again = gm("init", tmp_path / "new")
    assert again.code == 4
    assert "exists already" in again.err
    assert tree(tmp_path / "new") == before
    assert gm("run", "-q", tmp_path / "new" / "config.yaml").code == 0


def test_init_copies_the_folders_of_an_example(gm: Any, tmp_path: Path) -> None:
    gm("init", tmp_path / "new", "--example", "hess-like")
    schemas = {f"gm-{kind}.schema.json": schema_text(kind).encode() for kind in ("config", "models")}
    assert tree(tmp_path / "new") == tree(ROOT / "example_configs" / "hess-like") | schemas


def test_rules_for_make(gm: Any, analysis: Path, edit: Any) -> None:
    edit("datasets.yaml", "filename: run-1.fits", "filename: 'run $1: 50% #1 [x]*?.fits'")
    os.rename("run-1.fits", "run $1: 50% #1 [x]*?.fits")
    shutil.copytree(analysis, analysis / "my $ folder (100%: #1 * [x]?'s)~")
    os.chdir(analysis / "my $ folder (100%: #1 * [x]?'s)~")
    Path("deps.mk").write_text(gm("deps", "config.yaml").out)
    wrapper = f'PYTHONPATH={ROOT} "{sys.executable}" -c "from gm.cli import main; main()"'
    rule = "results/fit/fit.yaml:\n\t@echo running\n\t@$(GM) fit -q config.yaml\n"
    Path("Makefile").write_text(f"GM = {wrapper}\ninclude deps.mk\n{rule}")

    def make() -> str:
        done = subprocess.run(["make", "results/fit/fit.yaml"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "running" in make()
    assert "up to date" in make()
    for name in ("pha_run-2_arf.fits", "run $1: 50% #1 [x]*?.fits"):
        os.utime(name, None)
        assert "running" in make()
    assert "up to date" in make()  # gm found nothing to do, and made its result newer than its inputs
    rules = gm("deps", "config.yaml", "--json").json
    assert rules[0]["target"] == "results/fit/fit.yaml"
    assert {"config.yaml", "models.yaml", "datasets.yaml", "run $1: 50% #1 [x]*?.fits", "pha_run-2_rmf.fits"} <= set(
        rules[0]["inputs"]
    )
    assert rules[1]["inputs"][-1] == "results/fit/fit.yaml"


@pytest.mark.parametrize("name", ["m;id>owned.yaml", "a=b.yaml", "a|b.yaml", "-m.yaml", "~m.yaml", "back\\slash.yaml"])
def test_what_a_makefile_cannot_hold_is_refused(gm: Any, analysis: Path, edit: Any, name: str) -> None:
    os.rename("models.yaml", name)
    edit("config.yaml", "models: models.yaml", f"models: './{name}'")
    called = gm("deps", "config.yaml")
    assert (called.code, called.out) == (4, "")
    assert "a Makefile cannot hold" in called.err
    assert name in called.err


def test_results_with_the_name_of_a_pattern_are_no_targets(gm: Any, analysis: Path) -> None:
    called = gm("deps", "config.yaml", "-o", "results [1]")
    assert (called.code, called.out) == (4, "")
    assert "results [1]/fit/fit.yaml" in called.err


def test_provenance_says_what_was_made_from_what(gm: Any, analysis: Path) -> None:
    gm("run", "config.yaml", "-s", "name=mine")
    record = read_document("results/provenance.yaml").data
    assert record["schema"] == "gm/provenance/1"
    assert record["config"]["name"] == "mine"
    assert list(record["stages"]) == ["fit", "flux_points/crab-sed"]
    assert record["stages"]["fit"]["command"] == ["gm", "run", "config.yaml", "-s", "name=mine"]
    assert record["stages"]["fit"]["inputs"] == read_document("results/fit/fit.yaml").data["inputs"]
    assert record["stages"]["fit"]["versions"]["gm"]
    assert os.uname().nodename not in json.dumps(record)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, start_gm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_GM_COMPLETE", f"{shell}_source")
    process = start_gm()
    out, err = process.communicate(timeout=60)
    assert "_GM_COMPLETE" in out or "bash" in err  # an old bash has no completion, and says so


@pytest.mark.parametrize(
    ("words", "expected"), [("gm fit con", "plain,config.yaml"), ("gm schema fl", "plain,flux-points")]
)
def test_completion(words: str, expected: str, analysis: Path, start_gm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_GM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", "2")
    out, _ = start_gm().communicate(timeout=60)
    assert out.split() == [expected]


def test_plan_of_a_cluster(gm: Any, analysis: Path) -> None:
    """Of spectra: nobody is connected to, data stay where they are."""
    planned = gm("plan", "config.yaml", "--scheduler", "tcp://127.0.0.1:1", "--workers", "3", "--json").json["engine"]
    assert (planned["kind"], planned["workers"], planned["shards"], planned["travelling"]) == ("dask", 3, 1, [])
    assert sorted(planned["memory_per_worker"]) == [0, 0, planned["largest_shard"]]
    assert planned["bytes_per_evaluation"] > 600
    text = gm("plan", "config.yaml", "--engine", "dask", "--workers", "3").out
    assert "dask: 1 shard on 3 workers, " in text
    assert "shard" not in gm("plan", "config.yaml").out
    assert gm("plan", "config.yaml", "--json").json["engine"] == {"kind": "local"}


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_workers_by_the_hundred_thousand(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """A machine starts as many as it has processors, or 32, and says so; a cluster elsewhere has what it has."""
    monkeypatch.setattr("gm.pipeline.analysis.engine.most_processes", lambda: 32)
    asked = ("--engine", engine, "--workers", "100000")
    told = "100000 workers are too many for this machine: it gets 32"
    planned = gm("plan", "config.yaml", *asked, "--json").json
    assert told in planned["warnings"]
    assert planned["engine"].get("workers", 32) == 32
    assert f"warning: {told}" in gm("plan", "config.yaml", *asked).out
    there = gm("plan", "config.yaml", *asked[2:], "--scheduler", "tcp://127.0.0.1:1", "--json").json
    assert (there["engine"]["workers"], there["warnings"]) == (100_000, [])
    if engine == "local":
        assert told in gm("fit", "config.yaml", *asked).err
        assert "workers" not in gm("fit", "config.yaml", "--workers", "32").err


def test_plan_of_several_flux_points(gm: Any, analysis: Path) -> None:
    text = (analysis / "config.yaml").read_text()
    (analysis / "config.yaml").write_text(text + "  - {source: crab, name: b, energy_edges: [1 TeV, 9 TeV]}\n")
    reasons = [stage["reason"] for stage in gm("plan", "config.yaml", "--json").json["stages"]]
    assert reasons == ["no result yet", "fit runs before", "fit runs before"]
    gm("fit", "config.yaml")
    reasons = [stage["reason"] for stage in gm("plan", "config.yaml", "--json").json["stages"]]
    assert reasons == ["", "no result yet", "no result yet"]


def test_results_with_awkward_names_are_targets(gm: Any, analysis: Path, edit: Any) -> None:
    edit("config.yaml", "output: results", "output: 'res: 100% #1'")
    Path("Makefile").write_text(gm("deps", "config.yaml").out + "\n%:\n\t$(info making $@)@true\n")
    points = "res: 100% #1/flux_points/crab-sed.yaml"
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", points], env=alone, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"making {name}" for name in (points.replace("flux_points/crab-sed", "fit/fit"), points)
    ]


def test_show_observations(gm: Any, tmp_path: Path) -> None:
    store = tmp_path / "dl3"
    shutil.copytree(ROOT / "example_configs" / "hess-like" / "dl3", store)
    (store / "run-2.fits.gz").unlink()
    for place in (store, store / "hdu-index.fits.gz"):
        rows = gm("show", str(place), "--json").json["observations"]
        assert [row["obs_id"] for row in rows] == [1, 2, 3, 4]
        assert rows[0]["missing"] == []
        assert rows[0]["livetime"] > 1500
        assert rows[0]["responses"]["aeff"] == "aeff_2d"
        assert "run-2.fits.gz" in rows[1]["problem"]
    alone = gm("show", str(store / "run-3.fits.gz"), "--json").json["observations"][0]
    assert (alone["obs_id"], alone["events"]) == (3, rows[2]["events"])
    assert 0 < alone["e_min"] < alone["e_max"]
    assert "off axis" in gm("show", str(store / "run-3.fits.gz")).out
    assert alone["target"] == {"name": rows[2]["target"]["name"], "offset": pytest.approx(rows[2]["target"]["offset"])}
    assert "run-2.fits.gz" in gm("show", str(store)).out
    assert gm("show", str(tmp_path)).code == 4


@pytest.mark.parametrize(
    ("cards", "target"),
    [
        ({"OBJECT": "Crab", "RA_OBJ": 83.6, "DEC_OBJ": 22.0}, {"name": "Crab", "offset": pytest.approx(0.5)}),
        ({"OBJECT": "Survey", "RA_OBJ": 0.0, "DEC_OBJ": 0.0}, {"name": "Survey", "offset": None}),
        ({"OBJECT": "Crab"}, {"name": "Crab", "offset": None}),
        ({"OBJECT": ""}, None),
    ],
)
def test_show_the_target_of_an_observation(
    gm: Any, tmp_path: Path, cards: dict[str, Any], target: dict[str, Any] | None
) -> None:
    file = write_observation(tmp_path / "one.fits", events=events(**cards))
    assert gm("show", str(file), "--json").json["observations"][0]["target"] == target


def test_show_events_that_are_no_observation(gm: Any, tmp_path: Path) -> None:
    """Such as those of Fermi-LAT, which have no number and no pointing."""
    file = write_observation(tmp_path / "all.fits", events=Table("EVENTS", events().columns, {"TELESCOP": "GLAST"}))
    assert [row["name"] for row in gm("show", str(file), "--json").json["extensions"]][:2] == ["PRIMARY", "EVENTS"]


def test_show_types_of_events_and_pointings(gm: Any, tmp_path: Path) -> None:
    columns = (Column("TIME", np.array([0.0, 9.0]), "s"), Column("RA_PNT", np.array([83.6, 83.8]), "deg"))
    table = Table("POINTING", (*columns, Column("DEC_PNT", np.array([22.5, 22.5]), "deg")), REFERENCE)
    typed = typed_events(events(), np.arange(500) % 5 // 2)
    write_observation(tmp_path / "one.fits", events=typed, pointing=table)
    row = gm("show", str(tmp_path / "one.fits"), "--json").json["observations"][0]
    assert row["event_types"] == {"0": 200, "1": 200, "2": 100}
    assert row["pointings"] == {"rows": 2, "spread": pytest.approx(0.2 * np.cos(np.radians(22.5)), rel=1e-4)}
    text = gm("show", str(tmp_path / "one.fits")).out
    assert "types of events: 0 (200), 1 (200), 2 (100)" in text
    assert "table of 2 pointings, up to 0.185 deg from the first" in text
