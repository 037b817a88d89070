"""Text from outside - names, keys, paths - is told without steering the terminal that shows it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from gm.cli.terminal.output import paint, visible

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
OWNED = "crab\x1b]0;owned\x07\x1b[2J\x1b[1;31mconverged\x1b[0m"


def test_styles_of_our_own_are_all_that_is_left() -> None:
    shown = visible(f"{OWNED} {paint(OWNED, 'bold', True)}\n\tnext\x9b\u202e")
    assert re.findall(r"\x1b\[[0-9]*m", shown) == ["\x1b[1m", "\x1b[0m"]
    assert not CONTROL.search(shown.replace("\x1b[1m", "").replace("\x1b[0m", ""))
    assert "\\u001b]0;owned" in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("color", ["always", "never"])
def test_names_in_documents_are_refused_and_told_in_print(gm: Any, analysis: Path, edit: Any, color: str) -> None:
    edit("models.yaml", "name: crab", 'name: "crab\\e[2J"')
    called = gm("validate", "config.yaml", "--color", color)
    assert called.code == 3
    assert "models.yaml:2:11: $.components[0].name: holds the control character U+001B" in re.sub(
        r"\x1b\[\d+m", "", called.err
    )
    assert not CONTROL.search(re.sub(r"\x1b\[\d+m", "", called.err))


def test_paths_are_printed_and_stay_json(gm: Any, analysis: Path) -> None:
    name = "m\x1b[2J\x9b.yaml"
    (analysis / "models.yaml").rename(analysis / name)
    called = gm("show", name)
    assert called.code == 0
    assert not CONTROL.search(called.out + called.err)
    assert json.loads(gm("show", "--json", name).out)
    failed = gm("show", "--json", name + "x")
    assert failed.code == 4
    assert not CONTROL.search(failed.out + failed.err)
    assert name in failed.json["message"]


def test_names_of_no_text_file_system_encoding(gm: Any, analysis: Path) -> None:
    name = os.fsdecode(b"m\xff.yaml")
    (analysis / "models.yaml").rename(analysis / name)
    assert gm("show", name).code == 0
    called = gm("show", name + "x")
    assert called.code == 4
    assert "No such file" in called.err


def test_many_problems_are_told_in_a_bounded_number_of_lines(gm: Any, analysis: Path) -> None:
    rows = "".join(f"  - {{name: c{i}, type: NoModel}}\n" for i in range(500))
    (analysis / "models.yaml").write_text(f"components:\n{rows}")
    called = gm("validate", "config.yaml", "--json")
    assert called.code == 3
    assert len(called.err.splitlines()) < 250
    assert "more problems" in called.err
    assert len(called.json["problems"]) >= 500
