"""The section of a selection of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number
from gm.report.html import Cell, paragraph, table

_HEAD = (
    "alternative", "spectrum", "-2 ln L", "free parameters", "AIC above the lowest", "BIC above the lowest", "weight",
    "TS", "tested against", "significance [sigma]", "status",
)  # fmt: skip


def section(document: Mapping[str, Any]) -> str:
    """A row for each alternative, and whether the spectrum is curved."""
    rows = []
    for row in document["alternatives"]:
        test = row.get("test") or {}
        name = row["name"] + (" (chosen)" if row["name"] == document.get("chosen") else "")
        told = [_number(row["statistic"], 8), _number(row["free_parameters"])]
        told += [_number(row[key]) for key in ("delta_aic", "delta_bic", "weight")]
        against = test.get("simpler") if test.get("richer") == row["name"] else test.get("richer")
        significance = [_number(test.get("ts")), against or row.get("test_reason") or "-", _number(test.get("sigma"))]
        status = row["status"].replace("_", " ") + (f": {row['reason']}" if row.get("reason") else "")
        rows.append([name, row["type"], *told, *significance, status])
    return table(_HEAD, rows) + paragraph(_curvature(document))


def _curvature(document: Mapping[str, Any]) -> str:
    test = document.get("curvature")
    if test is None:
        return f"No test of curvature: {document['curvature_reason']}" if document.get("curvature_reason") else ""
    sigma = "" if test["sigma"] is None else f", {number(test['sigma'], 3)} sigma"
    return f"Curvature: {test['richer']} against {test['simpler']}, TS {number(test['ts'])}{sigma}."


def _number(value: float | None, digits: int = 4) -> Cell:
    text = str(value) if isinstance(value, int) else number(value, digits)
    return Cell(text, value)
