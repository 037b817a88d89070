"""Units of flux points: a column that says none is in that of the values beside it, and else in the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gm.io.tables import Column, Table

_ENERGIES = ("e_ref", "e_min", "e_max")
_PARTS = ("_err", "_errn", "_errp", "_ul")


def with_units(table: Table) -> Table:
    """Errors and limits that say no unit have that of their value, or of each other, and energies that of others."""
    units: dict[str, str] = {}
    for column in table.columns:
        if column.unit:
            units.setdefault(_family(column.name), column.unit)
    columns = tuple(one if one.unit else _in(one, units.get(_family(one.name), "")) for one in table.columns)
    return Table(table.name, columns, table.header)


def _in(column: Column, unit: str) -> Column:
    return replace(column, unit=unit) if unit else column


def _family(name: str) -> str:
    """What columns have in common that are numbers of the same kind: the name of their value, or all energies."""
    lower = name.lower()
    value = next((lower.removesuffix(part) for part in _PARTS if lower.endswith(part)), lower)
    return _ENERGIES[0] if value in _ENERGIES else value


def taken_for_usual(table: Table, usual: Mapping[str, str]) -> list[str]:
    """What to tell of columns that say no unit, which are read in the ``usual`` one of their name."""
    found = {name: table.find(name) for name in usual}
    silent = {name: usual[name] for name, column in found.items() if column is not None and not column.unit}
    return [f"column {name} says no unit, and is taken for {unit}" for name, unit in silent.items() if unit]
