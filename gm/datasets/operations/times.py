"""Good time intervals joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gm.arrays import Array
from gm.io.tables import Column, Table
from gm.models.temporal.intervals import reference_date, times_in


def union(tables: Sequence[Table]) -> Table | None:
    """One table of all intervals, relative to the first one's reference; those that touch or overlap are merged."""
    if not tables:
        return None
    first = tables[0]
    intervals = np.concatenate([_intervals(table, first) for table in tables])
    merged = np.array(list(_merged(intervals[np.argsort(intervals[:, 0], kind="stable")]))).reshape(-1, 2)
    columns = (Column("START", merged[:, 0], "s"), Column("STOP", merged[:, 1], "s"))
    return Table(first.name, columns, first.header)


def _merged(intervals: Array) -> Iterable[tuple[float, float]]:
    start = stop = None
    for low, high in intervals.tolist():
        if start is None or stop is None:
            start, stop = low, high
        elif stop < low:
            yield start, stop
            start, stop = low, high
        else:
            stop = max(stop, high)
    if start is not None and stop is not None:
        yield start, stop


def _intervals(table: Table, reference: Table) -> Array:
    """(n, 2) [s] after the reference of another table."""
    seconds = [times_in(table, name, "s") for name in ("START", "STOP")]
    return np.stack(seconds, axis=1) + _seconds_between(reference, table)


def _seconds_between(first: Table, second: Table) -> float:
    """From the reference time of one table to that of another [s]."""
    mine, theirs = _reference(first), _reference(second)
    (day, part, scale), (other_day, other_part, other_scale) = mine, theirs
    if mine == theirs or scale == other_scale != "utc":  # which has leap seconds
        return (other_day - day) * 86400.0 + (other_part - part) * 86400.0
    from astropy.time import Time

    times = Time(day, part, format="mjd", scale=scale), Time(other_day, other_part, format="mjd", scale=other_scale)
    return float((times[1].tt - times[0].tt).sec)


def _reference(table: Table) -> tuple[float, float, str]:
    header = {str(name).upper(): value for name, value in table.header.items()}
    whole, part = reference_date(header) if any(card.startswith("MJDREF") for card in header) else (0.0, 0.0)
    return whole, part, str(header.get("TIMESYS") or "tt").strip().lower()
