"""Good time intervals on one uniform clock.

Elapsed time is counted on terrestrial time (TT), which has no leap seconds: a reference time given in UTC is moved by
the difference TT - UTC of its day. What counts from before UTC had any, as from MJD 0, are dates and no elapsed time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import nan
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.io.tables import Table
from gm.units import UnitError, factor

DAY = 86400.0
_TT_MINUS_TAI = 32.184 / DAY
_FIRST_LEAP_SECOND = 41317.0  # MJD
SCALES = ("utc", "tt", "tai", "tdb", "tcb", "tcg", "ut1")


@dataclass(frozen=True, eq=False)
class TimeIntervals:
    """``start``, ``stop``: (n,) Modified Julian Dates [d] in TT. Raises `DataError` when nothing lies between."""

    start: Array
    stop: Array

    def __post_init__(self) -> None:
        if len(self.start) == 0 or not np.isfinite([self.start, self.stop]).all() or not self.total > 0:
            raise DataError("the good time intervals (GTI) are empty, and a model varies with time")

    @classmethod
    def from_mjd(cls, start: object, stop: object, scale: str = "tt") -> TimeIntervals:
        """From Modified Julian Dates [d] on any time scale."""
        return cls(to_tt(start, scale), to_tt(stop, scale))

    @classmethod
    def from_table(cls, table: Table) -> TimeIntervals:
        """From a ``GTI`` extension: START, STOP, elapsed since the reference date on the scale TIMESYS (default TT).

        Times in several intervals count once. Raises `DataError`.
        """
        scale = str(table.header.get("TIMESYS", "tt")).strip().lower()
        if scale not in SCALES:
            raise DataError(f"HDU {table.name}: card TIMESYS is '{scale[:40]}'\n    allowed: {', '.join(SCALES)}")
        reference = reference_date(table.header)
        days = [reference[0] + (reference[1] + times_in(table, name, "d")) for name in ("START", "STOP")]
        if (days[1] < days[0]).any():
            raise DataError(f"HDU {table.name}: an interval ends before it starts")
        start, stop = _once(*days)
        if scale != "utc" or is_date(sum(reference)):
            return cls.from_mjd(start, stop, scale)
        elapsed = tt_minus(scale, float(np.floor(sum(reference))))
        return cls(start + elapsed, stop + elapsed)

    @property
    def total(self) -> float:
        """Summed duration [d]."""
        return float(np.sum(self.stop - self.start))


def _once(start: Array, stop: Array) -> tuple[Array, Array]:
    """Intervals (n,), (n,) joined where they overlap, else as they are."""
    order = np.argsort(start, kind="stable")
    end = np.maximum.accumulate(stop[order])
    first = np.append(True, start[order][1:] >= end[:-1])
    return (start, stop) if first.all() else (start[order][first], end[np.append(first[1:], True)])


def times_in(table: Table, name: str, unit: str) -> Array:
    """A column START or STOP of a ``GTI`` extension in a unit of time, (n,). Raises `DataError`."""
    column = table.find(name)
    if column is None:
        raise DataError(f"HDU {table.name}: no column {name}\n    a GTI has START and STOP")
    values = np.asarray(column.values)
    if values.dtype.kind not in "iuf" or values.size != len(values) or not np.isfinite(values).all():
        raise DataError(f"HDU {table.name}: column {name} is not one time for each interval")
    try:
        return values.reshape(-1).astype(np.float64) * factor(column.unit or str(table.card("TIMEUNIT") or "s"), unit)
    except UnitError as error:
        raise DataError(f"HDU {table.name}: column {name}: {error}") from error


def reference_date(header: Any) -> tuple[float, float]:
    """What times count from, in days and a fraction: MJDREFI and MJDREFF, or MJDREF alone. Raises `DataError`."""
    if "MJDREF" in header and "MJDREFI" not in header:
        return header_number(header, "MJDREF"), 0.0
    return header_number(header, "MJDREFI"), header_number(header, "MJDREFF")


def is_date(reference: float) -> bool:
    """Whether what counts from a Modified Julian Date in UTC is a date: there were no leap seconds then."""
    return reference < _FIRST_LEAP_SECOND


def header_number(header: Any, name: str) -> float:
    """A card that is a number, or text that is one (some files have it so). Raises `DataError`."""
    try:
        number = float(header[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise DataError(f"card {name} is {header.get(name)!r}, expected a number")
    return number


def to_tt(mjd: object, scale: str) -> Array:
    """Modified Julian Dates [d], of any shape, in TT from another scale. Raises `DataError` for an unknown one, and for
    dates of which nobody knows."""
    days = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
    if scale == "tt":
        return days
    found = np.asarray(days + np.array([tt_minus(scale, float(day)) for day in np.floor(days)]))
    if (unknown := ~np.isfinite(found)).any():
        raise DataError(f"MJD {days[unknown][0]:g} is no date of the time scale {scale}")
    return found


@lru_cache(maxsize=4096)
def tt_minus(scale: str, day: float) -> float:
    """TT minus another scale [d] during a day, given as its Modified Julian Date; no number where nobody knows it, as
    for dates beyond all calendars, to which a free reference time may go."""
    if scale == "tt":
        return 0.0
    if scale == "tai":
        return _TT_MINUS_TAI
    if scale not in SCALES:
        raise DataError(f"'{scale}' is not a time scale\n    allowed: {', '.join(SCALES)}")
    from astropy.time import Time

    with catch_warnings():
        simplefilter("ignore")  # of leap seconds that are not known yet
        try:
            time = Time(day, 0.5, format="mjd", scale=scale)
            tt = time.tt
        except (ValueError, IndexError):  # the latter beyond tables of the Earth's rotation
            return nan
    return float((tt.jd1 - time.jd1) + (tt.jd2 - time.jd2))
