"""Tables in the width that there is, files and folders together, colours and completion."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gm.cli.terminal.room import room_of_terminal
from gm.cli.terminal.tables import table, together, with_limits, wrapped
from gm.config_schemas.reader import read_document

ROWS = [["crab.amplitude", "3.645e-11", "0.160e-11", "cm-2 s-1 TeV-1", "18"], ["crab.alpha", "2.5", "0.1", "", "7"]]
HEAD = ["parameter", "value", "error", "unit", "bins"]
MORE = {"no", "room", "for", "value", "-", "A", "B"}  # words of narrow tables alone


@pytest.mark.parametrize("width", [30, 45, 60, 80, 120])
def test_columns_go_and_nothing_is_broken(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with room_of_terminal(every_row=False):
        lines = table(HEAD, ROWS)
    assert max(map(len, lines)) <= width
    assert "crab.amplitude" in lines[1]
    whole = {cell for row in ROWS for cell in row if cell}
    words = {word for line in lines[1:3] for word in line.strip().split("   ") if word.strip()}
    assert {word.strip() for word in words} <= whole
    text = "\n".join(lines)
    assert ("no room for" in text) == (width <= 60)
    assert all(name in text for name in HEAD)  # in the head, or in the line that says what went


def test_what_says_least_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "58")
    with room_of_terminal(every_row=False):
        lines = table(HEAD, ROWS)
    assert lines[0].split() == ["parameter", "value", "error", "unit"]
    assert lines[-1].strip() == "(no room for: bins)"


def test_reasons_are_told_below_before_a_column_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    head, why = ["energy", "flux", "status", "reason"], "there is nothing at all that could be seen in this band"
    rows = [["1 TeV", "3.0", "ok", ""], ["2 TeV", "-", "no_data", why], ["3 TeV", "-", "no_data", why]]
    monkeypatch.setenv("COLUMNS", "40")
    with room_of_terminal(every_row=False):
        lines = table(head, rows)
    assert lines[0].split() == ["energy", "flux", "status"]
    assert " ".join(" ".join(lines[4:]).split()) == f"2 TeV, 3 TeV: {why}"
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(("width", "row"), [(60, ["1", "-", "-", "<", "9", "limit"]), (30, ["1", "<", "9", "limit"])])
def test_a_limit_does_not_go_before_its_value(monkeypatch: pytest.MonkeyPatch, width: int, row: list[str]) -> None:
    head = ["energy", "flux", "error", "upper limit", "status"]
    rows = [["1", "-", "-", "< 9", "limit"], ["2", "5.0", "0.1", "< 6", "ok"]]
    monkeypatch.setenv("COLUMNS", str(width))
    with room_of_terminal(every_row=False):
        lines = table(*with_limits(head, rows, 1, [True, False]))
    assert lines[1].split() == row
    assert ("5.0 ± 0.1" in lines[2]) == (width == 30)


def test_what_belongs_together_stays_on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    with room_of_terminal(every_row=False):
        assert wrapped(f"frozen: {together('crab.lat_0 = 22.014 deg')}, b") == [
            "  frozen:",
            "  crab.lat_0 = 22.014 deg, b",
        ]
    assert wrapped(together("a b")) == ["  a b"]


def test_without_a_terminal_nothing_goes() -> None:
    long = [["a" * 100, "1", "2", "3", "4"]]
    assert len(table(HEAD, long)) == 2
    assert len(wrapped("word " * 100)) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_fit_results_fit(gm: Any, analysis: Path, edit: Any, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    edit("config.yaml", "fit:\n", "fit:\n  minos: crab.*\n  contours: [[crab.index, crab.amplitude]]\n")
    gm("fit", "config.yaml")
    monkeypatch.setenv("COLUMNS", str(width))
    called = gm("show", "results/fit/fit.yaml")
    assert max(map(len, called.out.splitlines())) <= width
    assert "contour of" in called.out
    assert "flux [cm-2 s-1]" in called.out
    assert "minimiser" in gm("show", "-v", "results/fit/fit.yaml").out


def test_several_files_and_folders(gm: Any, analysis: Path) -> None:
    gm("run", "config.yaml")
    both = gm("show", "models.yaml", "results/fit/fit.yaml")
    assert "models.yaml: models" in both.out
    assert "converged" in both.out
    folder = gm("show", "results")
    assert "converged" in folder.out
    assert "dnde in" in folder.out
    found = gm("show", "results", "--json").json
    assert [row["kind"] for row in found] == ["fit", "flux-points"]
    assert found[0]["data"] == read_document("results/fit/fit.yaml").data
    (analysis / "empty").mkdir()
    called = gm("show", "empty")
    assert called.code == 4
    assert "no index of observations and no result" in called.err


def test_colours_of_results(gm: Any, analysis: Path) -> None:
    gm("fit", "config.yaml")
    assert "\x1b[32m" in gm("show", "results/fit/fit.yaml", "--color", "always").out
    assert "\x1b[" not in gm("show", "results/fit/fit.yaml").out


def test_compared_and_verified_results_fit(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every width, painted or not, with whole words and numbers: those of the table that has no end."""
    gm("fit", "config.yaml")
    gm("fit", "config.yaml", "--output", "other", "-s", "parameters={crab.index: {value: 2, frozen: true}}")
    (analysis / "other" / "fit" / "models.yaml").write_text("changed: true\n")
    for words in (("compare", "results", "other"), ("verify", "other")):
        monkeypatch.delenv("COLUMNS", raising=False)
        whole = gm(*words).out
        known = set(whole.split())
        for width in (60, 80, 120):
            monkeypatch.setenv("COLUMNS", str(width))
            plain, painted = gm(*words).out, gm(*words, "--color", "always").out
            assert max(map(len, plain.splitlines())) <= width
            assert {word.strip("():,") for word in plain.split()} - {word.strip("():,") for word in known} <= MORE
            assert "\x1b[" not in plain
            assert "\x1b[3" in painted
            assert re.sub(r"\x1b\[[0-9]+m", "", painted) == plain


def test_verbose_shows_steps(gm: Any, analysis: Path) -> None:
    assert "statistic" in gm("fit", "config.yaml", "-v").err.split("converged")[0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gm fit -s fit.mi", ["fit.minos="]),
        ("gm fit -s conventions=", ["conventions=gammapy", "conventions=exact"]),
        ("gm init --example one", ["one-run"]),
        ("gm fit -s flux_points.0.na", ["flux_points.0.name="]),
        ("gm fit -s flux_points[2].na", ["flux_points[2].name="]),
        ("gm plot x.yaml --kind corr", ["correlation"]),
    ],
)
def test_completion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, expected: list[str]
) -> None:
    from gm.cli import main

    monkeypatch.setenv("_GM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        main([])
    assert [line.partition(",")[2] for line in capsys.readouterr().out.split()] == expected


def test_parameters_of_the_models_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gm.cli import main
    from gm.models import Models
    from tests.samples import power_law

    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text("version: 1\ndatasets: d.yaml\nmodels: models.yaml\n")
    monkeypatch.setenv("_GM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"gm fit {tmp_path / 'config.yaml'} --set parameters.crab.in")
    monkeypatch.setenv("COMP_CWORD", "4")
    with pytest.raises(SystemExit):
        main([])
    found = [line.partition(",")[2] for line in capsys.readouterr().out.split()]
    assert found[:2] == ["parameters.crab.index.value=", "parameters.crab.index.min="]


def test_help_tells_whole_sentences(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from gm.cli import main

    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert "..." not in commands
    assert max(map(len, commands.splitlines())) <= 60
