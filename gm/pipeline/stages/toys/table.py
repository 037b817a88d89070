"""``toys.ecsv``: a row of every toy, written, and read again by a run that goes on from it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm.errors import DataError
from gm.estimators.toy_table import DEVIANCE, LIMIT, STATISTIC, TS, toys_table
from gm.estimators.toys import Toy
from gm.io.ecsv import read_ecsv, write_ecsv
from gm.io.tables import Table


def write_toys(file: Path, toys: Sequence[Toy], units: Mapping[str, str], key: str) -> None:
    """Write the table; ``units`` of the parameters by address, ``key`` the hash of what decides a toy.

    A number that does not exist is NaN. Raises `DataError`.
    """
    write_ecsv(file, toys_table(toys, units, {"hash": key}))


def read_toys(file: Path, key: str) -> list[Toy]:
    """The toys of a table that has the same hash; none of another one, or where there is no table that can be read."""
    if not file.is_file():
        return []
    with contextlib.suppress(DataError, KeyError, ValueError):
        table = read_ecsv(file)
        if table.card("hash") == key:
            return [_toy(table, row) for row in range(len(table.array("toy")))]
    return []


def _toy(table: Table, row: int) -> Toy:
    cells: dict[str, Any] = {column.name: np.asarray(column.values)[row] for column in table.columns}
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
