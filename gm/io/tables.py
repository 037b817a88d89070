"""What FITS files hold: tables of named columns with units, images, and their headers of simple values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gm.arrays import BoolArray
from gm.errors import DataError, suggest

CardValue: TypeAlias = str | int | float | bool

_WORDS = {"": 0, "f": 0, "false": 0, "no": 0, "0": 0, "t": 1, "true": 1, "yes": 1, "1": 1}


@dataclass(frozen=True, eq=False)
class Column:
    """Values ``(n_rows, *cell)``, or a list of arrays (variable length); ``unit`` as written in the file."""

    name: str
    values: NDArray[Any] | list[NDArray[Any]]
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns in file order, and the header: FITS cards or the metadata of an ECSV file."""

    name: str
    columns: tuple[Column, ...]
    header: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [column.name for column in self.columns]

    def find(self, name: str) -> Column | None:
        """The column of that name, without regard to case."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)

    def array(self, name: str) -> NDArray[Any]:
        """Values of a fixed-length column, (n_rows, ...). Raises `DataError`, which lists the columns that exist."""
        column = self.find(name)
        if column is None:
            raise DataError(f"no column {name}\n    {suggest(name, self.names, 'found')}")
        return np.asarray(column.values)

    def flags(self, name: str) -> BoolArray | None:
        """A column of truth values, (n_rows,), or None without it: logicals, 0 and 1, or such words as ``F``.

        Raises `DataError` for anything else; what is missing (NaN, an empty text) is not true.
        """
        column = self.find(name)
        if column is None:
            return None
        values = np.asarray(column.values)
        if values.size != len(values):
            raise DataError(f"column {name} is not one value per row")
        values = values.reshape(-1)
        if values.dtype.kind in "biuf":
            numbers = np.nan_to_num(values.astype(np.float64))
        else:
            numbers = np.array([_WORDS.get(str(word).strip().lower(), 2) for word in values], dtype=np.float64)
        if not np.isin(numbers, (0, 1)).all():
            wrong = values[int(np.argmin(np.isin(numbers, (0, 1))))]
            raise DataError(f"column {name} has the value {str(wrong)[:40]!r}, expected true or false")
        return np.asarray(numbers == 1)

    def card(self, name: str) -> Any:
        """A value of the header, found without regard to case; None without it."""
        return next((value for key, value in self.header.items() if str(key).lower() == name.lower()), None)

    def unit(self, name: str) -> str:
        """Unit of a column, empty when it has none or is absent."""
        column = self.find(name)
        return column.unit if column is not None else ""

    def same_as(self, other: Table) -> bool:
        """Equal in names, units, headers and every bit of the values."""
        return (
            (self.name, self.names, dict(self.header)) == (other.name, other.names, dict(other.header))
            and all(mine.unit == theirs.unit for mine, theirs in zip(self.columns, other.columns, strict=True))
            and all(
                np.array_equal(self.array(name), other.array(name), equal_nan=self.array(name).dtype.kind == "f")
                for name in self.names
            )
        )


def whole_numbers(values: NDArray[Any]) -> list[int]:
    """One in each row (n_rows, ...), of whatever type, or words that are whole numbers. Raises `DataError`."""
    words = values.ravel().tolist() if values.size == len(values) else [""]
    try:
        numbers = [int(word) for word in words]
    except (ValueError, TypeError, OverflowError):
        numbers = []
    if len(numbers) < len(words) or (values.dtype.kind not in "US" and numbers != words):
        raise DataError("does not hold whole numbers")
    return numbers


@dataclass(frozen=True, eq=False)
class Image:
    """An array, slowest axis first, and its header."""

    name: str
    data: NDArray[Any]
    header: Mapping[str, CardValue] = field(default_factory=dict)
