"""What toys say together, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.rendering.goodness import goodness_lines, share
from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/toys/1`` document: the verdict, pulls and coverage of parameters, tests, limits, goodness of fit."""
    rows = [_parameter_cells(row) for row in document["parameters"]]
    told = [*verdict_lines(document, color)]
    if rows:
        told += ["", *table(["parameter", "bias", "pulls", "width"], rows)]
        held = [[row["name"], *_coverage(row["coverage"])] for row in document["parameters"]]
        told += ["", *table(["truth within (%)", "1 error", "2 errors", "MINOS"], held)]
    if document["components"]:
        cells = [_test_cells(row) for row in document["components"]]
        told += ["", *table(["component", "TS", "5 %", "95 %", "detected (%)"], cells)]
    if document["limits"]:
        cells = [[row["source"], f"{row['sigma_ul']:g} sigma", share(row)] for row in document["limits"]]
        told += ["", *table(["upper limits", "level", "hold (%)"], cells)]
    return [*told, "", *goodness_lines(document["goodness"])]


def verdict_lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """How many there are, and what they say."""
    is_fine = document["status"] == "ok" and not document["deviations"]
    head = f"{document['name']}: {paint(document['status'], 'green' if is_fine else 'yellow', color)}"
    verdict, _, found = document["verdict"].partition(": ")
    verdict = [f"{verdict}:", *(f"  {text}" for text in found.split("; "))] if found else [verdict]
    return [f"{head}, {document['message']}", *(f"  {line}" for line in verdict)]


def _parameter_cells(row: Mapping[str, Any]) -> list[str]:
    pulls = row["pulls"]
    of_error = None if not row["mean_of_errors"] or row["bias"] is None else row["bias"] / row["mean_of_errors"]
    return [
        row["name"],
        "-" if of_error is None else f"{of_error:+.2f}",
        _with_error(pulls["mean"], pulls["mean_error"], "+.2f"),
        _with_error(pulls["width"], pulls["width_error"], ".2f"),
    ]


def _coverage(coverage: Mapping[str, Any]) -> list[str]:
    return [share(coverage[kind]) if kind in coverage else "" for kind in ("error_1", "error_2", "minos")]


def _with_error(value: float | None, error: float | None, form: str) -> str:
    return "-" if value is None or error is None else f"{value:{form}} ± {error:.2f}"


def _test_cells(row: Mapping[str, Any]) -> list[str]:
    levels = [number(row["ts"].get(level)) for level in ("50 %", "5 %", "95 %")]
    return [row["name"], *levels, share(row["detected"])]
