"""Flux points, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.output import paint
from gm.cli.tables import energy, number, table, with_error


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """One row per energy bin of a ``gm/flux-points/1`` document: flux or upper limit, TS, and why a bin has none."""
    status = str(document.get("status", ""))
    style = "green" if status in ("ok", "done") else "yellow"
    rows = []
    for point in document["points"]:
        value, error = with_error(point["dnde"], point.get("dnde_err")) if point.get("dnde") is not None else ("-", "-")
        limit = "-" if point.get("dnde_ul") is None else f"< {number(point['dnde_ul'])}"
        rows.append(
            [
                f"{energy(point['e_min'])} - {energy(point['e_max'])}",
                value,
                error,
                limit,
                number(point.get("ts")),
                point["status"],
                point.get("reason") or "; ".join(f"{name}: {why}" for name, why in point.get("missing", {}).items()),
            ]
        )
    unit = next((point["dnde_unit"] for point in document["points"] if point.get("dnde_unit")), "cm-2 s-1 TeV-1")
    head = (
        f"{document.get('name', 'flux points')}: {document['source']}, dnde in {unit}   {paint(status, style, color)}"
    )
    return [head, "", *table(["energy", "dnde", "error", "upper limit", "TS", "status", "reason"], rows)]
