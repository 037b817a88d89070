"""Flux points, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table, with_error, with_limits
from gm.readable import asked_energies, energies, fitted_together, sources_of


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """One row per energy bin of a ``gm/flux-points/1`` document: flux or upper limit, TS, and why a bin has none."""
    status = str(document.get("status", ""))
    style = "green" if status in ("ok", "done") else "yellow"
    points = document["points"]
    columns = {
        "source": [point.get("source", "") for point in points],
        "energy": [energies(point["e_min"], point["e_max"]) for point in points],
        "dnde": [_value(point)[0] for point in points],
        "error": [_value(point)[1] for point in points],
        "upper limit": [_limit(point) for point in points],
        "TS": [number(point.get("ts")) for point in points],
        "status": [point["status"] for point in points],
        "deabsorbed": [_deabsorbed(point) for point in points],
        "correlated": [_correlations(point) for point in points],
        "asked": [asked_energies(point) for point in points],
        "reason": [_reason(point) for point in points],
    }
    optional = ("source", "correlated", "asked", "deabsorbed")
    shown = [name for name, cells in columns.items() if name not in optional or any(cells)]
    cells = list(zip(*(columns[name] for name in shown), strict=True))
    is_limit = [point["status"] == "upper_limit" for point in points]
    shown, rows = with_limits(shown, cells, shown.index("dnde"), is_limit)
    unit = next((point["dnde_unit"] for point in points if point.get("dnde_unit")), "cm-2 s-1 TeV-1")
    name = document.get("name", "flux points")
    head = f"{name}: {', '.join(sources_of(document))}, dnde in {unit}   {paint(status, style, color)}"
    together = fitted_together(document)
    heads = [head, f"  {together}", ""] if together else [head, ""]
    warnings = [f"  warning: {text}" for text in document.get("warnings", ())]
    return [*heads, *table(shown, rows), *([""] if warnings else []), *warnings]


def _value(point: Mapping[str, Any]) -> tuple[str, str]:
    return with_error(point["dnde"], point.get("dnde_err")) if point.get("dnde") is not None else ("-", "-")


def _limit(point: Mapping[str, Any]) -> str:
    return "-" if point.get("dnde_ul") is None else f"< {number(point['dnde_ul'])}"


def _told(point: Mapping[str, Any]) -> str:
    """The flux with its error, or the limit of a point that is one."""
    return _limit(point) if point["status"] == "upper_limit" else " ± ".join(_value(point))


def _deabsorbed(point: Mapping[str, Any]) -> str:
    """dnde without the absorption on the way, or its limit."""
    row = point.get("deabsorbed")
    if row is None:
        return ""
    return _told({**row, "status": point["status"]})


def _correlations(point: Mapping[str, Any]) -> str:
    """Of the norm with those of the other sources in its band."""
    found = point.get("correlations") or {}
    return ", ".join(f"{number(value, 2)} with {source}" for source, value in found.items() if value is not None)


def _reason(point: Mapping[str, Any]) -> str:
    return point.get("reason") or "; ".join(f"{name}: {why}" for name, why in point.get("missing", {}).items())
