"""Channels of OGIP files and their energies: columns CHANNEL, E_MIN and E_MAX, and those of true energies.

Rows are put in the order of CHANNEL. Energies may fall as channels rise, as those of gratings do: what is read is in
the order of rising energies. Source: OGIP memos 92-007 and CAL/GEN/92-002.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gm.arrays import Array, IntArray
from gm.errors import DataError
from gm.io.fits import Extension

log = logging.getLogger(__name__)

_GAP = 1e-5  # relative: files in single precision repeat an edge to 1e-7


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of an extension EBOUNDS, with ``edges : (n_channels + 1,) [TeV]`` of rising energies.

    first : the number of the first channel, None where no column says so; falls : whether energies fall as numbers rise
    """

    path: Path
    edges: Array
    first: int | None
    falls: bool

    @classmethod
    def of(cls, bounds: Extension) -> Channels:
        """Raises `DataError`."""
        names = "E_MIN", "E_MAX"
        low, high = _sides(bounds, *names)
        if falls := bool(low[0] > low[-1]):
            low, high = low[::-1], high[::-1]
        return cls(bounds.path, _edges(bounds, *names, low, high), channels(bounds)[0], falls)

    @property
    def n(self) -> int:
        return len(self.edges) - 1

    def places(self, path: Path, numbered: Numbered) -> IntArray:
        """Where the rows of a spectrum in ``path`` are among the energies, (n_rows,). Raises `DataError`.

        As many rows as channels are these, one by one. Fewer are those that their numbers say, if DETCHANS does not say
        that they are all.
        """
        n_rows, lowest = numbered.n_rows, self.first if numbered.lowest is None else numbered.lowest
        begin = None
        if n_rows == self.n:
            begin = 0
            self._tell(path, numbered.first)
        elif numbered.n_all == self.n and numbered.first is not None and lowest is not None:
            begin = numbered.first - lowest
        if begin is None or begin < 0 or begin + n_rows > self.n:
            own = path == self.path
            where, hint = ("", "") if own else (f" of {self.path.name}", "\n    the files do not belong together")
            raise DataError(f"{path}: HDU SPECTRUM: {n_rows} channels, EBOUNDS{where} has {self.n}{hint}")
        rows = begin + np.arange(n_rows)
        return self.n - 1 - rows if self.falls else rows

    def _tell(self, path: Path, first: int | None) -> None:
        """Say that channels are taken one by one where their numbers are others."""
        if first is not None and self.first is not None and first != self.first:
            told = "%s: channels count from %d, those of EBOUNDS in %s from %d: taken for the same, one by one"
            log.warning(told, path, first, self.path.name, self.first)


@dataclass(frozen=True)
class Numbered:
    """The rows of a spectrum: ``n_rows`` from the channel ``first`` on, of ``n_all`` that count from ``lowest``; None
    where the file does not say so."""

    n_rows: int
    first: int | None
    n_all: int | None
    lowest: int | None

    @classmethod
    def of(cls, spectrum: Extension, n_rows: int) -> Numbered:
        """By CHANNEL, DETCHANS and TLMIN of CHANNEL. Raises `DataError`."""
        column, header = spectrum.find("CHANNEL"), spectrum.header
        card = "" if column is None else f"TLMIN{spectrum.columns[column].number}"
        n_all, lowest = (spectrum.integer(name) if name in header else None for name in ("DETCHANS", card))
        return cls(n_rows, channels(spectrum)[0], n_all, lowest)


def channels(extension: Extension) -> tuple[int | None, IntArray | None]:
    """The number of the first channel, and the rows (n_rows,) in the order of CHANNEL; None: no such column, or in
    order."""
    if extension.find("CHANNEL") is None:
        return None, None
    numbers = extension.floats("CHANNEL")
    order = np.argsort(numbers, axis=0, kind="stable")
    is_list = numbers.ndim == 1 and numbers.size > 0 and bool(np.isfinite(numbers).all())
    if not is_list or not (np.diff(numbers[order]) == 1).all():
        extension.fail("column CHANNEL does not number the channels one by one")
    return int(numbers[order[0]]), None if (np.diff(order) == 1).all() else order


def edges_of(extension: Extension, lower: str, upper: str) -> Array:
    """All lower edges and the last upper one, (n_bins + 1,) [TeV], by CHANNEL if there is one. Raises `DataError`."""
    return _edges(extension, lower, upper, *_sides(extension, lower, upper))


def _sides(extension: Extension, lower: str, upper: str) -> tuple[Array, Array]:
    """Lower and upper edges [TeV] of the rows, by CHANNEL."""
    low, high = (extension.numbers(name, "TeV", "keV") for name in (lower, upper))
    tell_unit(extension, lower, "keV")
    if not low.size:
        extension.fail("has no rows")
    _, order = channels(extension)
    return (low, high) if order is None else (low[order], high[order])


def _edges(extension: Extension, lower: str, upper: str, low: Array, high: Array) -> Array:
    edges = np.append(low, high[-1])
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all() or edges[0] <= 0:
        hint = "the first bin may begin at a small energy, not at 0" if edges[0] == 0 else ""
        extension.fail(f"columns {lower} and {upper} are not energies above 0 in increasing order", hint)
    if not (np.abs(high / edges[1:] - 1.0) < _GAP).all():
        at = int(np.argmax(np.abs(high / edges[1:] - 1.0)))
        extension.fail(f"columns {lower} and {upper} leave a gap: {high[at]:g} TeV, then {edges[at + 1]:g} TeV")
    return edges


def tell_unit(extension: Extension, name: str, unit: str) -> None:
    """Say what a column is taken for that has no unit, as the memos ask of all of these."""
    if not extension.unit(name):
        log.warning("%s: HDU %s: column %s says no unit, taken for %s", extension.path, extension.name, name, unit)
