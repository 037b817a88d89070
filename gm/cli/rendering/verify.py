"""What a verification found, as lines of text."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import fitted, is_wide_enough, table

_WORDS = {"output": "outputs", "input": "inputs", "config": "config", "rerun": "computed again", "record": "record"}


def lines(document: Mapping[str, Any], color: bool = False, verbose: bool = False) -> list[str]:
    """A row per stage, then everything that is not the same; with ``verbose`` every file."""
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for check in document["checks"]:
        stages.setdefault(check["stage"], []).append(check)
    kinds = [kind for kind in _WORDS if any(check["what"] == kind for check in document["checks"])]
    rows = [[stage, *(_share(checks, kind, color) for kind in kinds)] for stage, checks in stages.items()]
    told = [f"{_place(document['folder'])}: {_painted(document['status'], document['status'], color)}", ""]
    told += table(["stage", *(_WORDS[kind] for kind in kinds)], rows)
    shown = [check for check in document["checks"] if verbose or check["status"] != "same"]
    if shown:
        cells = [
            [_painted(c["status"], c["status"], color), c["stage"], f"{c['what']} {c['name']}", c["reason"] or ""]
            for c in shown
        ]
        told += ["", *_listed(["status", "stage", "what", ""], cells)]
    for row in document["versions"]:
        told.append(f"  {row['package']} is {row['now'] or 'not there'}, was {row['recorded'] or 'not on record'}")
    return fitted(told)


def _place(folder: str) -> str:
    """As it is called from here, where that is shorter."""
    return min(folder, os.path.relpath(folder), key=len)


def _listed(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, or where there is no room for it a sentence for each row: what has changed is not left out."""
    if is_wide_enough(head, rows):
        return table(head, rows, left=3)
    return [f"  {status}  {stage}, {what}{': ' if reason else ''}{reason}" for status, stage, what, reason in rows]


def _painted(text: str, status: str, color: bool) -> str:
    return paint(text, {"same": "green", "gone": "red"}.get(status, "yellow"), color)


def _share(checks: list[Mapping[str, Any]], kind: str, color: bool) -> str:
    """``same``, or how many of them are."""
    found = Counter(check["status"] for check in checks if check["what"] == kind)
    if not found:
        return ""
    if set(found) == {"same"}:
        return _painted("same" if found["same"] == 1 else f"{found['same']} same", "same", color)
    return ", ".join(_painted(f"{number} {status}", status, color) for status, number in sorted(found.items()))
