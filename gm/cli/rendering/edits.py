"""Dataset operations and the edits that they make to the global model, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from gm.cli.terminal.tables import table

_MANY = 3  # edits of one kind from which on they are one line


def operation_lines(operations: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each operation its inputs and results, the edits, and the predicted counts before and after."""
    lines: list[str] = []
    for number, operation in enumerate(operations, 1):
        lines += [f"{number}  {operation['operation']:<20} {_flow(operation['results'])}"]
        for key in ("energies", "masks"):
            texts = list(dict.fromkeys(result[key] for result in operation["results"] if result.get(key)))
            lines += [f"     {key if first else '':<9} {text}" for first, text in _told(texts)]
        lines += [f"     {'models' if first else '':<9} {text}" for first, text in _told(_edits(operation["edits"]))]
        lines += _counts(operation.get("counts") or [])
        lines.append("")
    return lines


def _told(texts: Sequence[str]) -> list[tuple[bool, str]]:
    return [(number == 0, text) for number, text in enumerate(texts)]


def _flow(results: Sequence[Mapping[str, Any]]) -> str:
    inputs = [name for result in results for name in result["inputs"]]
    return f"{_several(inputs, 'datasets')}  ->  {_several([result['name'] for result in results], 'datasets')}"


def _several(names: Sequence[str], noun: str) -> str:
    if len(names) < _MANY:
        return ", ".join(names)
    start, end = _common(names), _common([name[::-1] for name in names])[::-1]
    pattern = f"{start}*{end}" if start or end else f"{names[0]} ... {names[-1]}"
    return f"{pattern} ({len(names)} {noun})"


def _common(names: Sequence[str]) -> str:
    """How all names begin."""
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def _edits(edits: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each edit; for many of one kind on one dataset, one line for all."""
    rows = []
    for (action, dataset), group in groupby(edits, key=lambda edit: (edit["action"], edit.get("dataset"))):
        same = list(group)
        if len(same) < _MANY or action not in ("baked", "carried", "copied"):
            rows += [(edit["component"], edit["text"]) for edit in same]
            continue
        norms = [edit["parameters"]["norm"] for edit in same if "norm" in edit.get("parameters", {})]
        ends = list(dict.fromkeys(f"{norm:.3g}" for norm in (min(norms), max(norms)))) if norms else []
        span = f", norms {' ... '.join(ends)}" if ends else ""
        what = f"baked into the background of {dataset}" if action == "baked" else action
        rows.append((_several([edit["component"] for edit in same], f"components{span}"), what))
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}   {text}" for name, text in rows]


def _counts(counts: Sequence[Mapping[str, Any]]) -> list[str]:
    if not counts:
        return []
    rows = [[row["component"], _number(row["before"]), _number(row["after"]), row["note"]] for row in counts]
    return table(["predicted counts", "before", "after", ""], rows, indent=5)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}".replace(",", " ")


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/edits/1`` document."""
    return operation_lines(document["operations"])
