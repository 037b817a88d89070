"""The section of reduced observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import count, number
from gm.report.html import Cell, table


def section(document: Mapping[str, Any]) -> str:
    """A row for each observation: what it has become, or why it has not."""
    rows = []
    for row in document["observations"]:
        livetime = row.get("livetime")
        minutes = None if livetime is None else livetime / 60
        reasons = [row.get("reason"), *(row.get("remarks") or ())]
        rows.append(
            [
                Cell(str(row["obs_id"]), float(row["obs_id"])),
                row.get("dataset") or "-",
                row["status"],
                Cell(number(minutes), minutes),
                Cell("-" if row.get("counts") is None else count(row["counts"]), row.get("counts")),
                Cell(number(row.get("background")), row.get("background")),
                (row.get("component") or {}).get("name", "-"),
                "; ".join(str(reason) for reason in reasons if reason),
            ]
        )
    head = ["observation", "dataset", "status", "livetime [min]", "counts", "background", "component", "remarks"]
    return table(head, rows)
