"""A table with a row of every toy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
