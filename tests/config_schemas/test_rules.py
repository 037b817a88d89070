"""One good and one bad file per rule: ``positive/KIND.RULE.yaml`` and ``negative/KIND.RULE.yaml``.

A negative file begins with the first line of every message that it gives, as comments. Files of kind ``yaml`` are
only read.
"""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.schema_files import load_schema
from gm.config_schemas.validator import check, sound_part
from gm.errors import InvalidInput, Problem

HERE = Path(__file__).parent
POSITIVE = sorted((HERE / "positive").glob("*.yaml"))
NEGATIVE = sorted((HERE / "negative").glob("*.yaml"))


def problems_of(file: Path) -> list[Problem]:
    """The problems of a file as its name says what it is."""
    kind = file.name.split(".")[0]
    try:
        document = read_document(file, source="file")
    except InvalidInput as error:
        return error.problems
    return [] if kind == "yaml" else check(document, kind)


@pytest.mark.parametrize("file", POSITIVE, ids=lambda file: file.stem)
def test_good_files_have_no_problem(file: Path) -> None:
    assert problems_of(file) == []


@pytest.mark.parametrize("file", NEGATIVE, ids=lambda file: file.stem)
def test_bad_files_give_the_messages_that_they_name(file: Path) -> None:
    problems = problems_of(file)
    comments = [line for line in file.read_text().splitlines() if line.startswith("# ")]
    assert [str(problem).splitlines()[0] for problem in problems] == [f"file:{line[2:]}" for line in comments]
    assert problems == sorted(set(problems))


@pytest.mark.parametrize("file", [file for file in NEGATIVE if not file.name.startswith("yaml.")], ids=lambda f: f.stem)
def test_what_is_left_of_bad_files_has_no_problem(file: Path) -> None:
    """But for keys that are missing at the top, and for items of lists that were taken out."""
    kind, data = file.name.split(".")[0], read_document(file).data
    sound = sound_part(data, kind)
    errors = list(jsonschema.Draft7Validator(load_schema(kind)).iter_errors(sound))
    assert [error.message for error in errors if error.absolute_path and "None" not in error.message] == []
    assert sound != data or not any(error.absolute_path for error in errors)


@pytest.mark.parametrize("file", [file for file in POSITIVE if not file.name.startswith("yaml.")], ids=lambda f: f.stem)
def test_all_is_left_of_good_files(file: Path) -> None:
    data = read_document(file).data
    assert sound_part(data, file.name.split(".")[0]) is data


def test_every_rule_has_a_good_and_a_bad_file() -> None:
    assert [file.name for file in POSITIVE] == [file.name for file in NEGATIVE]


@pytest.mark.parametrize(
    "file",
    [file for file in POSITIVE + NEGATIVE if not file.name.startswith("yaml.")],
    ids=lambda f: f"{f.parent.name}-{f.stem}",
)
def test_any_draft_7_validator_gives_the_same_verdict(file: Path) -> None:
    validator = jsonschema.Draft7Validator(load_schema(file.name.split(".")[0]))
    assert validator.is_valid(read_document(file).data) == (file.parent.name == "positive")
