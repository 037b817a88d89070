"""The section of impacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import number, with_error
from gm.report.html import Cell, paragraph, table


def section(document: Mapping[str, Any]) -> str:
    """The parameter, and a row for each nuisance."""
    parameter = document["parameter"]
    told = " ± ".join(with_error(parameter["value"], parameter["error"]))
    told = f"{parameter['name']} = {told} {parameter['unit']}".rstrip()
    if parameter["error_fixed"] is not None:
        told += f", ± {number(parameter['error_fixed'], 3)} with all nuisances held. "
    told += "Shifts in errors of the parameter, when a nuisance goes down and up by its error, all else fitted again."
    rows = []
    for row in document["nuisances"]:
        value = " ± ".join(with_error(row["value"], row["error"]))
        numbers = [Cell(number(row[name], 3), row[name]) for name in ("pull", "constraint", "correlation")]
        shifts = [_shift(row[step], side) for step in ("post_fit", "pre_fit") for side in ("down", "up")]
        rows.append([row["name"], Cell(value, row["value"], row["unit"]), *numbers, *shifts, row["reason"] or ""])
    steps = [f"{step} {side} [errors]" for step in ("post-fit", "pre-fit") for side in ("down", "up")]
    head = ["nuisance", "value", "pull [prior widths]", "constraint", "correlation", *steps, "reason"]
    return paragraph(told) + table(head, rows)


def _shift(sides: Mapping[str, Any] | None, side: str) -> Cell:
    if sides is None:
        return Cell("-")
    cell = sides[side]
    note = cell["reason"] or (f"to its {cell['limit']} limit" if cell["limit"] else "")
    return Cell(number(cell["sigmas"], 3), cell["sigmas"], note)
