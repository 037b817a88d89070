"""The section of flux points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import energy, number, with_error
from gm.report.html import Cell, table


def section(document: Mapping[str, Any]) -> str:
    """A row for each band of energy."""
    rows = []
    for point in document["points"]:
        known = point.get("dnde") is not None
        value = " ± ".join(with_error(point["dnde"], point.get("dnde_err"))) if known else "-"
        limit = point.get("dnde_ul")
        rows.append(
            [
                Cell(f"{energy(point['e_min'])} - {energy(point['e_max'])}", point["e_min"]),
                Cell(value, point.get("dnde")),
                Cell("-" if limit is None else f"< {number(limit)}", limit),
                Cell(number(point.get("ts")), point.get("ts")),
                point["status"].replace("_", " "),
                point.get("reason") or "",
            ]
        )
    head = ["energies", "dN/dE [cm-2 s-1 TeV-1]", "upper limit [cm-2 s-1 TeV-1]", "TS", "status", "reason"]
    return table(head, rows)
