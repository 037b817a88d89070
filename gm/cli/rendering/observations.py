"""What became of reduced observations, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import count, number, table, wrapped

_COLORS = {"ok": "green", "done": "green", "failed": "red"}
_MANY = 40


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/observations/1`` document: a table of the observations; of many, those that gave no dataset alone."""
    rows = document["observations"]
    shown = rows if len(rows) <= _MANY else [row for row in rows if row["status"] != "ok"]
    head = ["observation", "dataset", "live time", "counts", "background", "norm", "status", "reason"]
    return [
        *verdict_lines(document, color),
        "",
        *table(head, [_cells(row) for row in shown]),
        *_kept(rows),
        *_remarks(rows),
    ]


def _kept(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Components that the config has already."""
    names = [row["component"]["name"] for row in rows if (row.get("component") or {}).get("kept")]
    if not names:
        return []
    return ["", *wrapped(f"kept as the config's models have them, not with the norm above: {', '.join(names)}")]


def _remarks(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is worth to be known of observations, each once."""
    texts = list(dict.fromkeys(text for row in rows for text in row.get("remarks", ())))
    more = [f"  and {len(texts) - _MANY} more"] if len(texts) > _MANY else []
    return ["", *(f"  {text}" for text in texts[:_MANY]), *more] if texts else []


def verdict_lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """How many are datasets."""
    status = document["status"]
    return [f"{document['name']}: {paint(status, _COLORS.get(status, 'yellow'), color)}, {document['message']}"]


def _cells(row: Mapping[str, Any]) -> list[str]:
    component = row.get("component") or {}
    norms = [p for p in component.get("parameters", []) if p["name"] == "norm"]
    norm = f"{number(norms[0]['value'], 4)} ± {number(norms[0]['error'], 2)}" if norms else ""
    livetime = row.get("livetime")
    return [
        str(row["obs_id"] if row["obs_id"] is not None else "-"),
        row["dataset"],
        "" if livetime is None else f"{livetime:.0f} s",
        count(row.get("counts")) if "counts" in row else "",
        number(row["background"], 5) if row.get("background") is not None else "",
        norm,
        row["status"],
        row["reason"] or "",
    ]
