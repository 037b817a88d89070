"""Reading an entry of a section: quantities, with every problem noted at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gm.errors import GmError, JsonPath
from gm.pipeline.analysis.findings import Report
from gm.pipeline.analysis.sections import Section
from gm.units import convert


class Unusable(Exception):
    """A problem has been noted, and what is read cannot be made."""


@dataclass(frozen=True)
class Reader:
    """An entry. report : notes a problem at a path below it; directory : where its relative paths start."""

    report: Report
    directory: Path
    data: Mapping[str, Any]

    @classmethod
    def of(cls, section: Section, index: int, data: Mapping[str, Any]) -> Self:
        """The entry at a position of a section."""

        def note(path: JsonPath, message: str, hint: str) -> None:
            section.add((index, *path), message, hint)

        return cls(note, section.directory, data)

    def note(self, path: JsonPath, message: str, hint: str = "") -> None:
        """Note a problem at a path below the entry."""
        self.report(path, message, hint)

    def fail(self, path: JsonPath, message: str, hint: str = "") -> Unusable:
        """Note a problem; to be raised."""
        self.note(path, message, hint)
        return Unusable()

    def each(self, *reads: Callable[[Reader], Any]) -> list[Any]:
        """What every one reads, all of them tried, so that all problems are told. Raises `Unusable`."""
        found, is_whole = [], True
        for read in reads:
            try:
                found.append(read(self))
            except Unusable:
                is_whole = False
        if not is_whole:
            raise Unusable
        return found

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Errors about data become problems at a path, and `Unusable`."""
        try:
            yield
        except GmError as error:
            message, _, hint = str(error).partition("\n")
            raise self.fail(path, message, hint.strip()) from error

    def quantity(self, value: object, unit: str, *path: str | int) -> float:
        """A number that is not negative, in a unit."""
        with self.at(*path):
            number = convert(value, unit)
        if not 0.0 <= number < float("inf"):
            raise self.fail(path, f"{value} is negative or not finite")
        return number

    def angle(self, data: Mapping[str, Any], key: str, path: JsonPath, default: float = 0.0) -> float:
        """An angle [deg] of a mapping at a path."""
        return self.quantity(data[key], "deg", *path, key) if key in data else default


def position(data: Mapping[str, Any], key: str = "center") -> tuple[float, float, str]:
    """Longitude, latitude [deg] and frame."""
    lon, lat = data[key]
    return float(lon), float(lat), str(data.get("frame", "icrs"))
