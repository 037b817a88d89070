"""Units of flux points: a column that says none is in that of the values beside it, and else in the usual one.

Energies may be given as frequencies, ``E = h nu``, as radio and optical points are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gm.io.tables import Column, Table
from gm.units import TEV_IN_ERG, UnitError, factor

_ENERGIES = ("e_ref", "e_min", "e_max")
_PLANCK = 6.62607015e-27 / TEV_IN_ERG  # TeV s, exact, SI 2019
_PARTS = ("_err", "_errn", "_errp", "_ul")


def with_units(table: Table) -> Table:
    """Errors and limits that say no unit have that of their value, or of each other, and energies that of others."""
    units: dict[str, str] = {}
    for column in table.columns:
        if column.unit:
            units.setdefault(_family(column.name), column.unit)
    columns = tuple(one if one.unit else _in(one, units.get(_family(one.name), "")) for one in table.columns)
    return Table(table.name, columns, table.header)


def scale_of(unit: str, target: str) -> float:
    """What turns values in a unit into those in another one; frequencies into TeV, too. Raises `UnitError`."""
    try:
        return factor(unit, target)
    except UnitError:
        if target != "TeV" or not unit.lower().endswith("hz"):
            raise
    return _PLANCK * factor(unit, "s-1")


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
