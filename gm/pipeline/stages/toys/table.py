"""``toys.ecsv``: a row of every toy, written, and read again by a run that goes on from it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gm.errors import DataError
from gm.estimators.toy_table import toys_from, toys_table
from gm.estimators.toys import Toy
from gm.io.ecsv import read_ecsv, write_ecsv


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
            return toys_from(table)
    return []
