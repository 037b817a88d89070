"""A likelihood profile or surface, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table, with_error

_COLORS = {"ok": "green", "failed": "red"}
_SHOWN = 13


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/profile/1`` document: best values, intervals, some points, contours and what is missing."""
    status = document["status"]
    head = f"{document['name']}: {paint(status, _COLORS.get(status, 'yellow'), color)}, {document.get('message', '')}"
    best = [[axis["parameter"], *with_error(axis["best"], axis["error"]), axis["unit"]] for axis in document["axes"]]
    told = [head, "", *table(["axis", "best", "error", "unit"], best)]
    if document["intervals"]:
        rows = [
            [
                f"{row['sigma']:g} sigma",
                *(number(row[key]) for key in ("min", "max", "errn", "errp")),
                row.get("reason", ""),
            ]
            for row in document["intervals"]
        ]
        told += ["", *table(["interval", "from", "to", "-", "+", ""], rows)]
    if len(document["axes"]) == 1:
        told += ["", *_points(document)]
    contours = [
        [f"{row['sigma']:g} sigma", number(row["delta_statistic"]), str(len(row["points"])), row.get("reason", "")]
        for row in document["contours"]
    ]
    if contours:
        told += ["", *table(["contour", "rise", "points", ""], contours)]
    return [*told, *(f"  warning: {text}" for text in document.get("warnings", ()))]


def _points(document: Mapping[str, Any]) -> list[str]:
    """Of many points every second, third, ... and all that failed."""
    points = document["points"]
    step = -(-len(points) // _SHOWN)
    middle = min(range(len(points)), key=lambda k: abs(points[k]["value"] - (document["axes"][0]["best"] or 0.0)))
    shown = [point for k, point in enumerate(points) if (k - middle) % step == 0 or point["status"] != "ok"]
    rows = [[number(p["value"], 5), number(p["delta_stat"]), p["status"], p["reason"] or ""] for p in shown]
    return table([document["axes"][0]["parameter"], "rise", "status", "reason"], rows)
