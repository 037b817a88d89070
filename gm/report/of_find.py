"""The section of a search for sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number
from gm.report.html import Cell, paragraph, table

_HEAD = ("source", "kept", "peak [sigma]", "TS", "longitude [deg]", "latitude [deg]", "r68 [deg]", "reason")


def section(document: Mapping[str, Any]) -> str:
    """A row for each source that was tried, and why the search ended."""
    rows = [
        [
            row["name"],
            "yes" if row["kept"] else "no",
            Cell(number(row["peak"]["sqrt_ts"], 3), row["peak"]["sqrt_ts"]),
            Cell(number(row["ts"]), row["ts"]),
            *(Cell(number(row.get(name), 7), row.get(name)) for name in ("lon", "lat")),
            Cell(number(row.get("r68"), 3), row.get("r68")),
            row["reason"],
        ]
        for row in document["sources"]
    ]
    start, end = (document["statistic"][name] for name in ("start", "end"))
    told = f"The search ended: {document['stopped']}. -2 ln L went from {number(start, 8)} to {number(end, 8)}."
    return table(_HEAD, rows) + paragraph(told)
