"""Goodness of fit, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import shortened, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/goodness/1`` document: the observed statistic of each dataset among those of the simulations."""
    status = document["status"]
    head = f"{document['name']}: {paint(status, 'green' if status == 'ok' else 'yellow', color)}, {document['message']}"
    return [head, "", *goodness_lines(document)]


def goodness_lines(goodness: Mapping[str, Any]) -> list[str]:
    """A table of the datasets, and of all together."""
    rows = shortened([[row["name"], *_cells(row)] for row in goodness["datasets"]])
    total = ["all", *_cells(goodness["total"])]
    return table(["goodness", "deviance", "simulated", "higher (%)"], [*rows, total])


def _cells(study: Mapping[str, Any]) -> list[str]:
    row = study["deviance"]
    observed = "-" if row["observed"] is None else f"{row['observed']:.2f}"
    simulated = "-" if row["mean"] is None or row["width"] is None else f"{row['mean']:.1f} ± {row['width']:.1f}"
    return [observed, simulated, share(row["higher"])]


def share(row: Mapping[str, Any]) -> str:
    """A share of toys, in per cent, with its error."""
    if row["share"] is None or row["error"] is None:
        return "-"
    return f"{100 * row['share']:.1f} ± {100 * row['error']:.1f}"
