"""A table with a row of every toy, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gm.estimators.toys import Toy
from gm.io.tables import CardValue, Column, Table

STATISTIC, DEVIANCE, TS, LIMIT = "statistic_", "deviance_", "ts_", "ul_"
"""What names of columns begin with, of each dataset, component or source."""


def toys_table(toys: Sequence[Toy], units: Mapping[str, str], header: Mapping[str, CardValue]) -> Table:
    """``units`` of the parameters by address; a number that does not exist is NaN."""
    return Table("TOYS", tuple(_columns(toys, units)), dict(header))


def _columns(toys: Sequence[Toy], units: Mapping[str, str]) -> Iterator[Column]:
    yield Column("toy", np.array([toy.number for toy in toys], dtype=np.int64))
    yield Column("status", np.array([toy.status for toy in toys], dtype=str))
    yield Column("reason", np.array([toy.reason for toy in toys], dtype=str))
    yield _column("statistic", [toy.statistic for toy in toys])
    yield from _part_columns(STATISTIC, [toy.datasets for toy in toys])
    yield from _part_columns(DEVIANCE, [toy.deviances for toy in toys])
    for name in _names([toy.values for toy in toys]):
        yield _column(name, [toy.values.get(name) for toy in toys], units.get(name, ""))
        yield _column(f"{name}_err", [toy.errors.get(name) for toy in toys], units.get(name, ""))
    for name in _names([toy.minos for toy in toys]):
        ends = [toy.minos.get(name, (None, None)) for toy in toys]
        yield _column(f"{name}_errn", [low for low, _ in ends], units.get(name, ""))
        yield _column(f"{name}_errp", [high for _, high in ends], units.get(name, ""))
    yield from _part_columns(TS, [toy.ts for toy in toys])
    yield from _part_columns(LIMIT, [toy.limits for toy in toys])


def _column(name: str, numbers: Sequence[float | None], unit: str = "") -> Column:
    return Column(name, np.array([np.nan if number is None else number for number in numbers], dtype=float), unit)


def _part_columns(prefix: str, parts: Sequence[Mapping[str, float | None]]) -> Iterator[Column]:
    return (_column(f"{prefix}{name}", [part.get(name) for part in parts]) for name in _names(parts))


def _names(parts: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))


# And back


def toys_from(table: Table) -> list[Toy]:
    """The toys of a table, row by row. Raises what Python raises for a table of something else."""
    columns = {column.name: np.asarray(column.values) for column in table.columns}
    return [_toy({name: values[row] for name, values in columns.items()}) for row in range(len(table.array("toy")))]


def _toy(cells: dict[str, Any]) -> Toy:
    number, status, reason = int(cells.pop("toy")), str(cells.pop("status")), str(cells.pop("reason"))
    found = {name: None if np.isnan(value) else float(value) for name, value in cells.items()}
    statistic = found.pop("statistic")
    if not status.startswith(("converged", "at_limit")) and statistic is None:
        return Toy(number, status, reason)
    parameters = [name.removesuffix("_err") for name in found if name.endswith("_err")]
    own = {f"{name}{suffix}" for name in parameters for suffix in ("", "_err", "_errn", "_errp")}
    rest = {name: value for name, value in found.items() if name not in own}
    return Toy(
        number=number,
        status=status,
        reason=reason,
        statistic=statistic,
        datasets={name: value for name, value in _part(rest, STATISTIC) if value is not None},
        deviances={name: value for name, value in _part(rest, DEVIANCE) if value is not None},
        values={name: value for name in parameters if (value := found[name]) is not None},
        errors={name: found[f"{name}_err"] for name in parameters},
        minos={name: (found[f"{name}_errn"], found[f"{name}_errp"]) for name in parameters if f"{name}_errn" in found},
        ts=dict(_part(rest, TS)),
        limits=dict(_part(rest, LIMIT)),
    )


def _part(cells: Mapping[str, float | None], prefix: str) -> Iterator[tuple[str, float | None]]:
    return ((name.removeprefix(prefix), value) for name, value in cells.items() if name.startswith(prefix))
