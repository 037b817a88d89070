"""The section of toys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number, with_error
from gm.report.html import Cell, paragraph, table
from gm.report.of_goodness import goodness_table, share_cell


def section(document: Mapping[str, Any]) -> str:
    """The verdict, then parameters, tests, limits and goodness of fit."""
    rest = _components(document) + goodness_table(document.get("goodness") or {})
    return paragraph(document.get("verdict") or "") + _parameters(document) + rest


def _parameters(document: Mapping[str, Any]) -> str:
    rows = []
    for row in document["parameters"]:
        pulls, coverage = row["pulls"], row["coverage"]
        rows.append(
            [
                row["name"],
                Cell(number(row["truth"], 5), row["truth"], row["unit"]),
                Cell(" ± ".join(with_error(row["bias"], row["bias_error"])), row["bias"], row["unit"]),
                *(_pair(pulls, name) for name in ("mean", "width")),
                *(share_cell(coverage.get(name)) for name in ("error_1", "error_2", "minos")),
            ]
        )
    head = ["parameter", "truth", "bias", "mean of pulls", "width of pulls"]
    head += ["within 1 error [%]", "within 2 errors [%]", "within MINOS [%]"]
    return table(head, rows, "parameters")


def _components(document: Mapping[str, Any]) -> str:
    tests = [
        [row["name"], Cell(number(row["threshold"]), row["threshold"]), share_cell(row["detected"])]
        for row in document.get("components") or ()
    ]
    limits = [[row["source"], f"{row['sigma_ul']:g}", share_cell(row)] for row in document.get("limits") or ()]
    told = table(["component", "TS of a detection", "detected [%]"], tests, "tests")
    return told + table(["source", "level [sigma]", "limits that hold [%]"], limits, "upper limits")


def _pair(row: Mapping[str, Any], name: str) -> Cell:
    return Cell(" ± ".join(with_error(row[name], row[f"{name}_error"])), row[name])
