"""The section of a likelihood profile or surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number, with_error
from gm.report.html import Cell, paragraph, table


def section(document: Mapping[str, Any]) -> str:
    """The axes, the intervals, and the points that are not known; all others are in the figure and the file."""
    axes = [
        [
            axis["parameter"],
            Cell(" ± ".join(with_error(axis["best"], axis["error"])), axis["best"]),
            axis["unit"] or "1",
        ]
        for axis in document["axes"]
    ]
    told = table(["axis", "best", "unit"], axes)
    unit = document["axes"][0]["unit"] or "1"
    intervals = [
        [
            Cell(f"{row['sigma']:g} sigma", row["sigma"]),
            *(Cell(number(row[key]), row[key]) for key in ("min", "max", "errn", "errp")),
            row.get("reason") or "",
        ]
        for row in document["intervals"]
    ]
    told += table(["interval", f"from [{unit}]", f"to [{unit}]", f"- [{unit}]", f"+ [{unit}]", "reason"], intervals)
    failed = [point for point in document["points"] if point["status"] != "ok"]
    n = len(document["points"])
    told += paragraph(
        f"-2 ln L = {number(document['statistic']['minimum'], 8)} at the minimum; {n} points are in the file."
    )
    rows = [[_place(point), point.get("reason") or ""] for point in failed]
    return told + (table([f"failed, of {n} points", "reason"], rows) if rows else "")


def _place(point: Mapping[str, Any]) -> str:
    return ", ".join(number(value) for value in point.get("values") or [point["value"]])
