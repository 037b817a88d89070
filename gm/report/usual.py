"""The section of a document that has none of its own: its texts, and its lists as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.readable import number
from gm.report.html import Cell, paragraph, table

_APART = ("schema", "name", "status", "message", "warnings", "inputs", "reference_model", "kernel")
_HASHES = ("hash", "file_hash")
_UNITS = {"livetime": "s", "time_min": "MJD", "time_max": "MJD", "days": "d"}
_WIDEST = 12
_MANY = 500


def usual_section(document: Mapping[str, Any]) -> str:
    """All that is a number, a word, or a list of rows of such; longer arrays are in the files."""
    simple: list[list[str | Cell]] = []
    rest = ""
    for key, value in document.items():
        if key in _APART or value is None:
            continue
        if is_simple(value):
            simple.append([key.replace("_", " "), to_cell(value)])
        elif isinstance(value, dict) and all(map(is_simple, value.values())):
            own: list[list[str | Cell]] = [[k.replace("_", " "), to_cell(v)] for k, v in value.items()]
            rest += table(["", key.replace("_", " ")], own)
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            rest += rows_table(key.replace("_", " "), value)
    return table(["", "value"], simple) + rest


def rows_table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """One row for each entry, a column for each simple value, units in the head."""
    every = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in every if all(is_simple(row.get(name)) for row in rows)]
    units = {name: next((row[f"{name}_unit"] for row in rows if row.get(f"{name}_unit")), "") for name in names}
    energy = next((row["energy_unit"] for row in rows if row.get("energy_unit")), "")
    units = {name: unit or _UNITS.get(name, "") for name, unit in units.items()}
    units |= {name: energy for name in ("e_min", "e_max", "e_ref") if name in units}
    shown = [name for name in names if not name.endswith("_unit") and name not in _HASHES][:_WIDEST]
    heads = [f"{name.replace('_', ' ')}{f' [{units[name]}]' if units[name] else ''}" for name in shown]
    told = table(heads, [[to_cell(row.get(name)) for name in shown] for row in rows[:_MANY]], title)
    more = len(rows) - _MANY
    return told + (paragraph(f"{more} more rows are in the file of the result.", "soft") if more > 0 else "")


def is_simple(value: Any) -> bool:
    return isinstance(value, str | int | float) or value is None


def to_cell(value: Any) -> Cell:
    """A number with four digits, sorted by its value."""
    if value is None:
        return Cell("-")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(str(value) if isinstance(value, int) else number(value), float(value))
    return Cell(str(value))
