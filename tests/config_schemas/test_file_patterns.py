"""Entries of a datasets.yaml that stand for many files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.file_patterns import expand_entries
from gm.config_schemas.reader import Document, read_document

FILES = (
    "pha_obs1.fits",
    "pha_obs1_arf.fits",
    "pha_obs1_rmf.fits",
    "pha_obs1_bkg.fits.gz",
    "pha_obs10.fits.gz",
    "lone_arf.fits",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).touch()
    return tmp_path


def document(folder: Path, *entries: str) -> Document:
    text = "datasets:\n" + "".join(f"  - {entry}\n" for entry in entries)
    return read_document(folder / "datasets.yaml", text)


def rows(document: Document) -> list[Any]:
    return [(entry["name"], entry["filename"]) for entry in document.data["datasets"]]


def test_one_entry_for_each_file_in_order_without_companions(folder: Path) -> None:
    given = document(folder, "{name: a, filename: a.fits}", "{name: 'run-{stem}', filename: 'pha*.fits*', type: X}")
    expanded, problems = expand_entries(given)
    assert problems == []
    assert rows(expanded) == [
        ("a", "a.fits"),
        ("run-pha_obs1", "pha_obs1.fits"),
        ("run-pha_obs10", "pha_obs10.fits.gz"),
    ]
    assert [entry.get("type") for entry in expanded.data["datasets"]] == [None, "X", "X"]
    assert [expanded.place(("datasets", k, "name"))[0] for k in range(3)] == [2, 3, 3]
    assert given.data["datasets"][1]["filename"] == "pha*.fits*"


def test_places_after_a_pattern_are_those_of_the_text(folder: Path) -> None:
    given = document(folder, "{name: '{stem}', filename: 'pha*.fits*'}", "{name: a, filename: a.fits, type: X}")
    expanded, _ = expand_entries(given)
    assert len(expanded.data["datasets"]) == 3
    of_pattern, of_last = (expanded.problem(("datasets", k, "filename"), "") for k in (1, 2))
    assert (of_pattern.path, of_pattern.line) == ("$.datasets[0].filename", 2)
    assert (of_last.path, of_last.line) == ("$.datasets[1].filename", 3)


def test_a_file_that_goes_with_none_is_one(folder: Path) -> None:
    expanded, problems = expand_entries(document(folder, "{name: '{stem}', filename: 'l*.fits'}"))
    assert (rows(expanded), problems) == ([("lone_arf", "lone_arf.fits")], [])


def test_a_name_without_stem_is_for_one_file(folder: Path) -> None:
    entries = ("{name: a, filename: 'pha_obs?.fits'}", "{name: b, filename: '*'}", "{name: c, filename: 'z*'}")
    expanded, problems = expand_entries(document(folder, *entries))
    assert rows(expanded) == [("a", "pha_obs1.fits")]
    assert [(problem.line, problem.path, problem.message) for problem in problems] == [
        (3, "$.datasets[1].name", "3 files match '*', and one name is given"),
        (4, "$.datasets[2].filename", "no file matches 'z*'"),
    ]


def test_a_file_of_that_very_name_is_no_pattern(folder: Path) -> None:
    (folder / "run[1].fits").touch()
    expanded, problems = expand_entries(document(folder, "{name: '{stem}', filename: 'run[1].fits'}"))
    assert (rows(expanded), problems) == ([("run[1]", "run[1].fits")], [])


def test_variables_in_patterns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS", str(folder))
    expanded, _ = expand_entries(document(folder, "{name: '{stem}', filename: '$RUNS/pha_obs1.f*'}"))
    assert rows(expanded) == [("pha_obs1", str(folder / "pha_obs1.fits"))]


@pytest.mark.parametrize("entry", ["3", "{name: 1, filename: 2}", "{filename: 'none*'}"])
def test_what_is_no_entry_is_left_to_the_schema(folder: Path, entry: str) -> None:
    expanded, problems = expand_entries(document(folder, entry))
    assert len(expanded.data["datasets"]) + len(problems) == 1
