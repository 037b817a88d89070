"""Draws from the posterior, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, shortened, table, with_error


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/sample/1`` document: intervals of all parameters, and what tells whether the draws can be trusted."""
    status = document["status"]
    head = f"{document['name']}: {paint(status, 'green' if status == 'ok' else 'yellow', color)}, {document['message']}"
    rows = shortened([[row["name"], *_cells(row)] for row in document["parameters"]])
    header = ["posterior", "median", "-", "+", "95 %", "r_hat", "effective", "unit"]
    evidence = document["evidence"]
    after = [] if evidence is None else ["", f"  ln Z = {evidence['ln_z']:.3f} ± {evidence['error']:.3f}"]
    return [head, "", *table(header, rows), *after, *(f"  {text}" for text in document["warnings"])]


def _cells(row: Mapping[str, Any]) -> list[str]:
    (low, high), (least, most), median = row["interval_68"], row["interval_95"], row["median"]
    return [
        with_error(median, row["std"])[0],
        number(median - low, 3),
        number(high - median, 3),
        f"{number(least)} ... {number(most)}",
        "-" if row["r_hat"] is None else f"{row['r_hat']:.3f}",
        "-" if row["ess_bulk"] is None else f"{min(row['ess_bulk'], row['ess_tail'] or row['ess_bulk']):.0f}",
        row["unit"],
    ]
