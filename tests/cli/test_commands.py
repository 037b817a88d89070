"""The commands on a small analysis: what they write, print and skip."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check

ROOT = Path(__file__).resolve().parents[2]


def tree(folder: Path) -> dict[str, bytes]:
    """All result files but the one with times in it."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "provenance.yaml"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_fit_writes_its_result_and_prints_its_path(gm: Any, analysis: Path) -> None:
    called = gm("fit", "config.yaml")
    assert (called.code, called.out) == (0, "results/fit/fit.yaml\n")
    files = ["fit/fit.fits", "fit/fit.yaml", "fit/models.yaml", "fit/models_covariance.dat"]
    assert sorted(tree(analysis / "results")) == files
    result = read_document("results/fit/fit.yaml")
    assert check(result, "fit") == []
    assert result.data["status"] == "converged"
    assert result.data["statistic"]["free_parameters"] == 2
    for text in ("converged", "crab.index", "run-2", "statistic"):
        assert text in called.err


def test_best_fit_models_are_an_input_again(gm: Any, analysis: Path, edit: Any) -> None:
    gm("fit", "config.yaml")
    edit("config.yaml", "models: models.yaml", "models: results/fit/models.yaml")
    again = gm("fit", "config.yaml", "-o", "again", "--json").json
    first = yaml.safe_load((analysis / "results/fit/fit.yaml").read_text())
    assert again["start"]["statistic"] == pytest.approx(first["statistic"]["total"], rel=1e-10)


def test_quiet_prints_the_result_only(gm: Any, analysis: Path) -> None:
    level = logging.getLogger("gm").level
    called = gm("fit", "config.yaml", "-q")
    assert (called.out, called.err) == ("results/fit/fit.yaml\n", "")
    assert logging.getLogger("gm").level == level


def test_json_is_the_document_of_the_file(gm: Any, analysis: Path) -> None:
    called = gm("fit", "config.yaml", "--json")
    assert called.json == read_document("results/fit/fit.yaml").data


def test_config_from_standard_input(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (analysis / "config.yaml").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert gm("fit", "-").out == "results/fit/fit.yaml\n"


def test_output_is_relative_to_the_working_directory(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (analysis / "elsewhere").mkdir()
    monkeypatch.chdir(analysis / "elsewhere")
    assert gm("fit", "-q", "../config.yaml", "-o", "mine").out == "mine/fit/fit.yaml\n"
    assert gm("fit", "-q", "../config.yaml").out == "../results/fit/fit.yaml\n"
    assert (analysis / "results/fit/fit.yaml").read_bytes() == (analysis / "elsewhere/mine/fit/fit.yaml").read_bytes()


def test_default_output_is_named_after_the_config(gm: Any, analysis: Path, edit: Any) -> None:
    edit("config.yaml", "output: results\n", "")
    assert gm("fit", "config.yaml").out == "config-results/fit/fit.yaml\n"


def test_twice_gives_the_same_bytes(gm: Any, analysis: Path) -> None:
    assert gm("run", "config.yaml", "-o", "one").code == 0
    assert gm("run", "config.yaml", "-o", "two").code == 0
    assert tree(analysis / "one") == tree(analysis / "two")
    before = tree(analysis / "one")
    assert gm("run", "config.yaml", "-o", "one", "--force").code == 0
    assert tree(analysis / "one") == before


def test_what_is_up_to_date_is_skipped(gm: Any, analysis: Path) -> None:
    first = gm("run", "config.yaml")
    stamp = (analysis / "results/provenance.yaml").read_bytes()
    again = gm("run", "config.yaml")
    assert again.out == first.out == "results/fit/fit.yaml\nresults/flux_points/crab-sed.yaml\n"
    assert again.err.splitlines() == ["fit: up to date", "flux_points crab-sed: up to date"]
    assert (analysis / "results/provenance.yaml").read_bytes() == stamp
    assert "fit: forced" in gm("run", "config.yaml", "--force").err


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("models.yaml", "value: 2.3", "value: 2.4", "models.yaml changed"),
        ("datasets.yaml", "datasets:", "# a comment\ndatasets:", "datasets.yaml changed"),
        ("config.yaml", "max: 30 TeV", "max: 20 TeV", "config changed"),
    ],
)
def test_why_a_stage_runs_again(file: str, old: str, new: str, reason: str, gm: Any, analysis: Path, edit: Any) -> None:
    gm("fit", "config.yaml")
    edit(file, old, new)
    assert f"fit: {reason}" in gm("fit", "config.yaml").err


def test_a_response_file_is_an_input_too(gm: Any, analysis: Path) -> None:
    gm("fit", "config.yaml")
    file = analysis / "pha_run-2_arf.fits"
    from astropy.io import fits

    with fits.open(file) as hdus:
        hdus["SPECRESP"].data["SPECRESP"] *= 1.1
        hdus.writeto(file, overwrite=True)
    assert "fit: pha_run-2_arf.fits changed" in gm("fit", "config.yaml").err


def test_changes_that_do_not_matter_do_not_run_the_fit(gm: Any, analysis: Path, edit: Any) -> None:
    gm("run", "config.yaml")
    edit("config.yaml", "per_decade: 3", "per_decade: 4")
    err = gm("run", "config.yaml").err
    assert "fit: up to date" in err
    assert "flux_points crab-sed: config changed" in err


def test_a_damaged_result_is_made_again(gm: Any, analysis: Path) -> None:
    gm("fit", "config.yaml")
    before = tree(analysis / "results")
    (analysis / "results/fit/fit.yaml").write_text("schema: gm/fi")
    assert "fit: no result that can be read" in gm("fit", "config.yaml").err
    assert tree(analysis / "results") == before


def test_files_of_others_stay(gm: Any, analysis: Path) -> None:
    (analysis / "results/fit").mkdir(parents=True)
    (analysis / "results/fit/notes.txt").write_text("mine")
    gm("run", "config.yaml", "--force")
    assert (analysis / "results/fit/notes.txt").read_text() == "mine"


def test_flux_points_run_the_fit_first(gm: Any, analysis: Path) -> None:
    called = gm("flux-points", "config.yaml")
    assert called.out == "results/flux_points/crab-sed.yaml\n"
    assert (analysis / "results/fit/fit.yaml").exists()
    result = read_document("results/flux_points/crab-sed.yaml")
    assert check(result, "flux-points") == []
    assert len(result.data["points"]) == 3
    names = sorted(path.name for path in (analysis / "results/flux_points").iterdir())
    assert names == ["crab-sed.ecsv", "crab-sed.fits", "crab-sed.yaml"]


def test_flux_points_without_a_fit_start_from_the_models(gm: Any, analysis: Path) -> None:
    text = (analysis / "config.yaml").read_text()
    (analysis / "config.yaml").write_text(text[: text.index("fit:")] + text[text.index("flux_points:") :])
    document = gm("flux-points", "config.yaml", "--json").json["flux_points"][0]
    assert not (analysis / "results/fit").exists()
    values = {row["name"]: row["value"] for row in document["reference_model"]["parameters"]}
    assert values["index"] == 2.3


def test_commands_say_what_the_config_lacks(gm: Any, analysis: Path) -> None:
    called = gm("simulate", "config.yaml")
    assert called.code == 3
    assert "no section 'simulate:'" in called.err


# Simulation


def test_simulate_then_fit(gm: Any, analysis: Path) -> None:
    called = gm("simulate", "simulation.yaml")
    assert called.out == "simulated/datasets.yaml\n"
    assert sorted(tree(analysis / "simulated")) == [
        "datasets.yaml", "datasets/run-1.fits", "datasets/run-2.fits", "models.yaml",
    ]  # fmt: skip
    err = gm("fit", "simulation.yaml").err
    assert "simulate: up to date" in err
    assert "run-2" in err
    err = gm("fit", "simulation.yaml", "--force").err
    assert "simulate: up to date" in err
    assert "fit: forced" in err


def test_fit_simulates_when_the_simulation_is_stale(gm: Any, analysis: Path, edit: Any) -> None:
    assert "simulate: no result yet" in gm("fit", "simulation.yaml").err
    edit("simulation.yaml", "seed: 7", "seed: 8")
    err = gm("fit", "simulation.yaml").err
    assert "simulate: config changed" in err
    assert "fit: " in err
    assert "fit: up to date" not in err


def test_expected_counts_give_back_the_truth(gm: Any, analysis: Path) -> None:
    gm("simulate", "simulation.yaml", "--asimov")
    called = gm("fit", "simulation.yaml", "--json")  # takes what is there, although --asimov is not given again
    assert "simulate: up to date" in called.err
    values = {row["name"]: row["value"] for row in called.json["parameters"]}
    assert values["crab.index"] == pytest.approx(2.3, abs=1e-4)  # far below its error, 0.1
    assert "made with --asimov" in gm("simulate", "simulation.yaml").err


# --set


def test_set_changes_a_value(gm: Any, analysis: Path) -> None:
    document = gm("fit", "config.yaml", "--json", "-s", "fit.datasets=run-1", "-s", "name=one").json
    assert [row["name"] for row in document["datasets"]] == ["run-1"]
    assert document["name"] == "one"


def test_set_edits_a_parameter(gm: Any, analysis: Path) -> None:
    document = gm("fit", "config.yaml", "--json", "-s", "parameters.crab.index={frozen: true}").json
    assert document["statistic"]["free_parameters"] == 1
    document = gm("fit", "config.yaml", "--json", "-s", "parameters.crab.index.value=2.25").json
    assert document["statistic"]["free_parameters"] == 2


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("fit.energy_rage=1", 2, "'energy_range'?"),
        ("nothing=1", 2, "no key 'nothing'"),
        ("flux_points[3].name=x", 2, "1 entries"),
        ("name.first=x", 2, "single value"),
        ("fit", 2, "expected PATH=VALUE"),
        ("fit.minos=[a", 2, "--set fit.minos=[a"),
        ("fit.minos=3", 3, "--set:1:11: $.fit.minos"),
        ("parameters.crab.indx.value=3", 3, "'crab.index'?"),
    ],
)
def test_set_what_does_not_exist(text: str, code: int, words: str, gm: Any, analysis: Path) -> None:
    called = gm("fit", "config.yaml", "-s", text)
    assert called.code == code
    assert words in called.err
    assert not (analysis / "results").exists()


# Statuses


def test_a_parameter_at_its_limit_is_reported(gm: Any, analysis: Path, edit: Any) -> None:
    edit("models.yaml", "value: 2.3}", "value: 2.9, min: 2.8}")
    called = gm("fit", "config.yaml", "--json")
    assert called.code == 0
    assert called.json["status"] == "at_limit"
    assert called.json["parameters"][0]["at_limit"] == "min"
    assert "at its min" in called.err


def test_a_fit_that_does_not_converge_is_written_and_says_so(gm: Any, analysis: Path, edit: Any) -> None:
    twin = (
        "  - name: twin\n    type: SkyModel\n    spectral:\n      type: pl\n      parameters:\n"
        "        - {name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}\n"
        "        - {name: index, value: 2.3, frozen: true}\n"
    )
    text = (analysis / "models.yaml").read_text().replace("value: 2.3}", "value: 2.3, frozen: true}")
    (analysis / "models.yaml").write_text(text + twin)
    called = gm("run", "config.yaml")
    assert called.code == 1
    assert called.out == "results/fit/fit.yaml\n"
    assert read_document("results/fit/fit.yaml").data["status"] == "not_converged"
    assert "does not change along" in called.err
    assert "flux points were not computed" in called.err
    again = gm("fit", "config.yaml")
    assert again.code == 1
    assert "up to date" in again.err
    assert "does not change along" in again.err
    assert "freeze one of them" in again.err


def test_what_is_not_there_has_its_reason(gm: Any, analysis: Path, edit: Any) -> None:
    """In the file, in --json and on the screen: the other end of a parameter that is at its limit."""
    edit("models.yaml", "value: 2.3}", "value: 2.9, min: 2.8}")
    edit(
        "config.yaml",
        "fit:",
        "fit:\n  minos: crab.*\n  contours: [[crab.index, crab.amplitude]]\n  contour_levels: [1]",
    )
    called = gm("fit", "config.yaml", "--json")
    row = called.json["parameters"][0]
    assert (row["error"], row["error_reason"], row["minos"]["lower"]) == (None, "at its lower limit", None)
    assert row["minos"]["upper"] > 0
    assert row["minos"]["reason"] == "lower: it is at the lower limit of crab.index"
    (contour,) = called.json["contours"]
    assert contour["delta_statistic"] == pytest.approx(2.2957, abs=1e-4)
    assert "points are missing" in contour["reason"]
    assert check(read_document("results/fit/fit.yaml"), "fit") == []
    assert "crab.index: MINOS lower: it is at the lower limit of crab.index" in called.err
    assert f"crab.index and crab.amplitude: contour: {contour['reason']}" in called.err


def test_a_linked_parameter_is_told_with_its_whole_link(gm: Any, analysis: Path, edit: Any) -> None:
    links = "links: [{parameter: jet.index, equals: crab.index, scale: -2, offset: 7}]"
    edit("config.yaml", "fit:", f"{links}\nfit:\n  minos: '*.index'")
    models = (analysis / "models.yaml").read_text()
    jet = models.replace("components:\n", "").replace("crab", "jet").replace("3.0e-11,", "1.0e-13, frozen: true,")
    (analysis / "models.yaml").write_text(models + jet)
    called = gm("fit", "config.yaml", "--json")
    minos = {row["name"]: row["minos"] for row in called.json["parameters"] if "minos" in row}
    assert minos["jet.index"]["lower"] == pytest.approx(-2 * minos["crab.index"]["upper"], rel=1e-12)
    assert minos["jet.index"]["upper"] == pytest.approx(-2 * minos["crab.index"]["lower"], rel=1e-12)
    assert "= -2 crab.index + 7" in called.err


def test_infinite_limits_are_no_obstacle(gm: Any, analysis: Path, edit: Any) -> None:
    edit("config.yaml", "fit:", "parameters: {crab.index: {min: -.inf, max: 5}}\nfit:")
    assert gm("fit", "config.yaml").code == 0
    assert gm("show", "results/provenance.yaml").code == 0
    assert gm("show", "config.yaml", "--json").json["parameters"]["crab.index"] == {"min": None, "max": 5}


def test_datasets_are_drawn_again_from_their_own_responses(gm: Any, analysis: Path, edit: Any) -> None:
    edit("config.yaml", "fit:", "simulate: {seed: 3}\nfit:")
    called = gm("fit", "config.yaml", "--json")
    assert [row["name"] for row in called.json["datasets"]] == ["run-1", "run-2"]
    files = called.json["inputs"]["files"]
    assert {"datasets.yaml", "datasets/run-1.fits", "datasets/run-2.fits"} <= set(files)
    assert "up to date" in gm("fit", "config.yaml").err
