"""Compared spectral models, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/select/1`` document: a row per alternative, nested tests against the first, the test of curvature."""
    rows = document["alternatives"]
    cells = [_cells(row, row["name"] == document["chosen"]) for row in rows]
    told = [*verdict_lines(document, color), ""]
    told += table(["model", "free", "TS", "sigma", "dAIC", "dBIC", "weight", ""], cells)
    told += ["", *[f"  {text}" for text in _notes(document)]]
    return [line for line in told if line or told.index(line) < len(told) - 1]


def verdict_lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """Which one is chosen."""
    status = document["status"]
    head = f"{document['name']}: {paint(status, 'green' if status == 'ok' else 'yellow', color)}"
    return [f"{head}, {document['message']} by {document['criterion']}"]


def _cells(row: Mapping[str, Any], is_chosen: bool) -> list[str]:
    test = row["test"]
    sign = "" if test is None or test["richer"] == row["name"] else "-"
    mark = "chosen" if is_chosen else "" if row["status"] == "converged" else row["status"].replace("_", " ")
    return [
        row["name"],
        "-" if row["free_parameters"] is None else str(row["free_parameters"]),
        _short(row["ts"]),
        "" if test is None else f"{sign}{number(test['sigma'], 3)}",
        _short(row["delta_aic"]),
        _short(row["delta_bic"]),
        "-" if row["weight"] is None else f"{row['weight']:.3f}",
        mark,
    ]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _notes(document: Mapping[str, Any]) -> list[str]:
    """Curvature, and what is wrong with an alternative."""
    told = []
    test = document["curvature"]
    if test is not None:
        verdict = f"TS {test['ts']:.2f}, {number(test['sigma'], 3)} sigma"
        told.append(f"curvature, {test['richer']} against {test['simpler']}: {verdict}")
    told += [f"{row['name']}: {row['reason']}" for row in document["alternatives"] if row["reason"]]
    return told
