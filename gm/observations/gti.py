"""Good time intervals, in seconds after a reference time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError, suggest
from gm.io.fits import Extension, read_fits
from gm.io.tables import CardValue, Column, Table

log = logging.getLogger(__name__)

SCALES = ("tt", "utc", "tai", "tdb", "tcb", "tcg", "ut1")


@final
@dataclass(frozen=True)
class TimeReference:
    """The time that seconds are counted from: a modified Julian date, in two parts, on a scale such as ``tt``."""

    day: float
    fraction: float
    scale: str = "tt"

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From the cards ``MJDREFI`` and ``MJDREFF``, or ``MJDREF`` alone, and ``TIMESYS`` (TT without one).

        Raises `DataError`.
        """
        header = extension.header
        parts = [header.get(card) for card in ("MJDREFI", "MJDREFF", "TIMESYS")]
        if "MJDREF" in header and parts[0] is None:
            parts[:2] = header.get("MJDREF"), 0.0
        return cls.from_values(f"{extension.path}: HDU {extension.name}", *parts)

    @classmethod
    def from_values(cls, where: str, day: Any, fraction: Any, scale: Any) -> Self:
        """From the values of these cards, None where one is missing; ``where`` they are is named in a `DataError`."""
        for card, value in (("MJDREFI", day), ("MJDREFF", fraction)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                found = f"no card {card}" if value is None else f"card {card} is {value!r}, expected a number"
                raise DataError(f"{where}: {found}, needed to know what times mean")
        name = str(scale or "tt").strip().lower()
        if name not in SCALES:
            raise DataError(f"{where}: card TIMESYS is {name[:40]!r}\n    {suggest(name, SCALES)}")
        return cls(float(day), float(fraction), name)

    def seconds_to(self, other: TimeReference) -> float:
        """Seconds from here to another reference."""
        if self.scale == other.scale and (self.scale != "utc" or self == other):
            return (other.day - self.day) * 86400.0 + (other.fraction - self.fraction) * 86400.0
        return float((other.astropy().tt - self.astropy().tt).sec)

    def astropy(self) -> Any:
        """The same as an ``astropy.time.Time``, which knows leap seconds."""
        from astropy.time import Time

        return Time(self.day, self.fraction, format="mjd", scale=self.scale)

    def cards(self) -> dict[str, CardValue]:
        """The cards that `from_extension` reads."""
        return {"MJDREFI": int(self.day), "MJDREFF": self.fraction, "TIMESYS": self.scale}


@final
@dataclass(frozen=True, eq=False)
class GTI:
    """Intervals ``start``, ``stop : (n,)`` [s] after ``reference`` that do not overlap; a selection may leave none."""

    start: Array
    stop: Array
    reference: TimeReference

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From a ``GTI`` table. Intervals that overlap are joined, with a warning: their time would count twice.

        Raises `DataError`, also when it is empty or an interval ends before it starts.
        """
        unit = extension.header.text("TIMEUNIT") or "s"
        start, stop = (extension.numbers(name, "s", default=unit) for name in ("START", "STOP"))
        if not start.size:
            extension.fail("no interval: nothing was observed")
        if not (np.isfinite(start).all() and np.isfinite(stop).all() and (stop >= start).all()):
            extension.fail("an interval ends before it starts, or has no finite ends")
        made = cls(start, stop, TimeReference.from_extension(extension))
        joined = made.joined()
        if len(joined.start) < len(start):
            log.warning("%s: HDU %s: intervals that overlap are joined", extension.path, extension.name)
            return joined
        return made

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """From the extension ``GTI`` of a file. Raises `DataError`."""
        return cls.from_extension(read_fits(path).get("GTI"))

    @classmethod
    def from_intervals(cls, intervals: Sequence[tuple[float, float]], reference: TimeReference) -> Self:
        """From pairs of seconds after a reference."""
        pairs = np.array(intervals, dtype=np.float64).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1], reference)

    def to_table(self, name: str = "GTI") -> Table:
        """The table that a dataset holds and that Gammapy reads."""
        columns = Column("START", self.start, "s"), Column("STOP", self.stop, "s")
        return Table(name, columns, self.reference.cards())

    def duration(self) -> float:
        """Sum of all intervals [s]."""
        return float((self.stop - self.start).sum())

    def tmid(self) -> float:
        """Middle of the first interval [s], where an observation is taken to point. Raises `DataError` without one."""
        if not self.start.size:
            raise DataError("no time is left after the selection")
        return float(0.5 * (self.start[0] + self.stop[0]))

    def joined(self) -> Self:
        """Intervals in the order of time, with those that overlap joined; those that touch stay two."""
        order = np.argsort(self.start, kind="stable")
        start, stop = self.start[order], np.maximum.accumulate(self.stop[order])
        first = np.append(True, start[1:] >= stop[:-1])
        last = np.append(first[1:], True)
        return replace(self, start=start[first], stop=stop[last])

    def inverted(self) -> Self:
        """All other times: what is selected by these is what the intervals leave."""
        whole = self.joined()
        return replace(self, start=np.append(-np.inf, whole.stop), stop=np.append(whole.start, np.inf))

    def since(self, reference: TimeReference) -> GTI:
        """The same intervals after another reference."""
        shift = reference.seconds_to(self.reference)
        return self if reference == self.reference else GTI(self.start + shift, self.stop + shift, reference)

    def intersection(self, other: GTI) -> GTI:
        """The times in both, after this one's reference; pieces without a duration are dropped."""
        other = other.since(self.reference)
        start = np.maximum(self.start[:, None], other.start).ravel()
        stop = np.minimum(self.stop[:, None], other.stop).ravel()
        keep = stop > start
        return replace(self, start=start[keep], stop=stop[keep])

    def contains(self, time: Array) -> BoolArray:
        """Which times [s] after the reference lie in an interval ``[start, stop)``."""
        order = np.argsort(self.start, kind="stable")
        start, stop = np.append(-np.inf, self.start[order]), np.append(-np.inf, self.stop[order])
        return np.asarray(time < stop[np.searchsorted(start, time, side="right") - 1])
