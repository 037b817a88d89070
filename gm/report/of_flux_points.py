"""The section of flux points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import asked_energies, energies, fitted_together, number, sources_of, with_error
from gm.report.html import Cell, paragraph, table

_UNIT = "cm-2 s-1 TeV-1"


def section(document: Mapping[str, Any]) -> str:
    """A row for each band of energy."""
    points, is_deabsorbed = document["points"], bool(document.get("deabsorbed"))
    head = ["energies", f"dN/dE [{_UNIT}]", f"upper limit [{_UNIT}]", "TS", "status", "reason"]
    if is_deabsorbed:
        head += [f"without absorption [{_UNIT}]", f"its limit [{_UNIT}]"]
    many = len(sources_of(document)) > 1
    rows = []
    for point in points:
        asked = asked_energies(point)
        note = f"asked for {asked}" if asked else ""
        row = [
            Cell(energies(point["e_min"], point["e_max"]), point["e_min"], note),
            *_flux(point),
            Cell(number(point.get("ts")), point.get("ts")),
            point["status"].replace("_", " "),
            point.get("reason") or "",
        ]
        row = [point["source"], *row] if many else row
        rows.append(row + _flux(point.get("deabsorbed") or {}) if is_deabsorbed else row)
    together = fitted_together(document)
    told = paragraph(f"{together[0].upper()}{together[1:]}.") if together else ""
    return told + table(["source", *head] if many else head, rows)


def _flux(row: Mapping[str, Any]) -> list[Cell]:
    """The flux with its error, and its limit."""
    value, limit = row.get("dnde"), row.get("dnde_ul")
    text = "-" if value is None else " ± ".join(with_error(value, row.get("dnde_err")))
    return [Cell(text, value), Cell("-" if limit is None else f"< {number(limit)}", limit)]
