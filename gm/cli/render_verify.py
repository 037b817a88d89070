"""What a verification found, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gm.cli.tables import table

_WORDS = {"output": "outputs", "input": "inputs", "config": "config", "rerun": "computed again", "record": "record"}


def lines(document: Mapping[str, Any], verbose: bool = False) -> list[str]:
    """A row per stage, then everything that is not the same; with ``verbose`` every file."""
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for check in document["checks"]:
        stages.setdefault(check["stage"], []).append(check)
    kinds = [kind for kind in _WORDS if any(check["what"] == kind for check in document["checks"])]
    rows = [[stage, *(_share(checks, kind) for kind in kinds)] for stage, checks in stages.items()]
    told = [f"{document['folder']}: {document['status']}", ""]
    told += table(["stage", *(_WORDS[kind] for kind in kinds)], rows)
    shown = [check for check in document["checks"] if verbose or check["status"] != "same"]
    if shown:
        cells = [[c["status"], c["stage"], f"{c['what']} {c['name']}", c["reason"] or ""] for c in shown]
        told += ["", *table(["status", "stage", "what", ""], cells, left=3)]
    for row in document["versions"]:
        told.append(f"  {row['package']} is {row['now'] or 'not there'}, was {row['recorded'] or 'not on record'}")
    return told


def _share(checks: list[Mapping[str, Any]], kind: str) -> str:
    """``same``, or how many of them are."""
    found = Counter(check["status"] for check in checks if check["what"] == kind)
    if not found:
        return ""
    if set(found) == {"same"}:
        return "same" if found["same"] == 1 else f"{found['same']} same"
    return ", ".join(f"{number} {status}" for status, number in sorted(found.items()))
