"""Whatever a schema lets be null is told, drawn and reported without it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gm.cli.rendering.results import result_lines
from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.validator import check
from gm.figures.look import Look
from gm.figures.registry import figures_of, parts_of
from gm.figures.results import Result
from gm.report.page import build_page

POSITIVE = Path(__file__).parent.parent / "config_schemas" / "positive"
KINDS = ("fit", "flux-points", "light-curve", "profile")
FILES = [file for kind in KINDS for file in sorted(POSITIVE.glob(f"{kind}.*.yaml"))]


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values; of a list its first three rows."""
    if isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else list(enumerate(data))[:3]
        for key, value in items:
            yield (*path, key)
            yield from leaves(value, (*path, key))


def without(data: Any, path: tuple[Any, ...]) -> Any:
    """A copy in which one value is null."""
    found = copy.deepcopy(data)
    at = found
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = None
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_may_be_null(file: Path) -> None:
    document = read_document(file)
    kind, tried = file.name.split(".")[0], 0
    for path in leaves(document.data):
        changed: Document = replace(document, data=without(document.data, path))
        if path[0] == "inputs" or check(changed, kind):
            continue
        tried += 1
        result = Result(kind, changed.data, file.parent)
        result_lines(kind, changed.data, False)
        for figure in figures_of([result]):
            if changed.data.get("tables") is None:
                parts_of([result], figure, Look())
        build_page("page", [replace(result, document={**changed.data, "tables": None})], "", {})
    assert tried > 3
