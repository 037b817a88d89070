"""The section of goodness of fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number
from gm.report.html import Cell, table

_HEAD = ("dataset", "deviance", "simulated: mean", "width", "higher [%]")


def section(document: Mapping[str, Any]) -> str:
    """Where the data lie among simulations of the best fit."""
    return goodness_table(document)


def goodness_table(document: Mapping[str, Any]) -> str:
    """Of all data, and of each dataset."""
    rows = [("all", document.get("total") or {}), *((row["name"], row) for row in document.get("datasets") or ())]
    return table(_HEAD, [_row(name, row["deviance"]) for name, row in rows if row.get("deviance")])


def _row(name: str, deviance: Mapping[str, Any]) -> list[str | Cell]:
    numbers = [Cell(number(deviance[key]), deviance[key]) for key in ("observed", "mean", "width")]
    return [name, *numbers, share_cell(deviance["higher"])]


def share_cell(share: Mapping[str, Any] | None) -> Cell:
    """A share of simulations with its error, in percent."""
    if share is None or share["share"] is None:
        return Cell("-")
    error = "" if share.get("error") is None else f" ± {100 * share['error']:.2g}"
    return Cell(f"{100 * share['share']:.3g}{error}", share["share"])
