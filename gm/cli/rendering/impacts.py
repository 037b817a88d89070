"""Impacts, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table, with_error

_COLORS = {"ok": "green", "failed": "red"}
_SHOWN = 20


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/impacts/1`` document: the parameter, and the nuisances with the largest impacts."""
    status, parameter = document["status"], document["parameter"]
    head = f"{document['name']}: {paint(status, _COLORS.get(status, 'yellow'), color)}, {document['message']}"
    value, error = with_error(parameter["value"], parameter["error"])
    told = f"{parameter['name']} = {value} +- {error} {parameter['unit']}".rstrip()
    if parameter["error_fixed"] is not None:
        told += f"; error with all nuisances fixed {number(parameter['error_fixed'], 3)}"
    rows = [
        [
            row["name"],
            *(number(row[name], 3) for name in ("pull", "constraint")),
            *(_sigmas(row, step, side) for step in ("post_fit", "pre_fit") for side in ("down", "up")),
            "; ".join(notes(row)),
        ]
        for row in document["nuisances"][:_SHOWN]
    ]
    heads = ["nuisance", "pull", "constraint", "post-fit -", "post-fit +", "pre-fit -", "pre-fit +", ""]
    more = len(document["nuisances"]) - len(rows)
    return [
        head,
        "",
        f"  {told}",
        "  shifts in errors of the parameter, when a nuisance goes down and up",
        "",
        *table(heads, rows),
        *([f"  {more} more, with smaller impacts"] if more > 0 else []),
        *(f"  warning: {text}" for text in document.get("warnings", ())),
    ]


def _sigmas(row: Mapping[str, Any], step: str, side: str) -> str:
    return "-" if row[step] is None else number(row[step][side]["sigmas"], 3)


def notes(row: Mapping[str, Any]) -> list[str]:
    """What a reader should know of a row: why it has no error, where it was held at a limit, why a fit failed."""
    sides = [(step, side, row[step][side]) for step in ("post_fit", "pre_fit") if row[step] for side in ("down", "up")]
    said = [row["reason"]] if row["reason"] else []
    for step, side, cell in sides:
        if cell["reason"] or cell["limit"]:
            why = cell["reason"] or f"to its {cell['limit']} limit only"
            said.append(f"{step.replace('_', '-')} {side}: {why}")
    return said
