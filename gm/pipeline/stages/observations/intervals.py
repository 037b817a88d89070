"""Observations divided in time: an entry of ``observations:`` becomes one for each of its bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gm.errors import DataError
from gm.estimators.time_bins import GoodTimes
from gm.models.temporal.intervals import DAY, TimeIntervals
from gm.observations import GTI, DataStore, TimeReference
from gm.pipeline.stages.observations.settings import TIME_BIN, Entry

_LEAST = 1e-3 / DAY  # less good time than the rounding of files is none
_REFERENCE = TimeReference(51544.0, 0.0)

Divided = list[tuple[Entry, list[int]]]


def divided(entry: Entry, store: DataStore, numbers: Sequence[int]) -> Divided:
    """The entry for each bin of time, with the observations that have good time in it; without bins as it is.

    An observation that lies in no bin, or whose good times cannot be read, is one of the first, which tells so. Raises
    `UsageError` for more bins than there can be.
    """
    if entry.time_bins is None:
        return [(entry, list(numbers))]
    times = {number: _good_time(entry, store, number) for number in numbers}
    known = {number: its for number, its in times.items() if its is not None}
    limits = entry.time_bins.limits(GoodTimes(tuple(map(str, known)), tuple(known.values()))) if known else [(0.0, 1.0)]
    held = [[n for n, its in known.items() if _overlaps(its, *pair)] for pair in limits]
    placed = {number for own in held for number in own}
    held[0] = [number for number in numbers if number in held[0] or number not in placed]
    return [(_within(entry, k, *pair), own) for k, (pair, own) in enumerate(zip(limits, held, strict=True), 1) if own]


def _good_time(entry: Entry, store: DataStore, number: int) -> TimeIntervals | None:
    """Of an observation, as far as it is selected; None where there is none."""
    try:
        return TimeIntervals.from_table(store.observation(number, selection=entry.events).gti.to_table())
    except DataError:
        return None


def _overlaps(times: TimeIntervals, low: float, high: float) -> bool:
    starts, stops = times.start.clip(low, high), times.stop.clip(low, high)
    return bool((stops - starts).sum() > _LEAST)


def _within(entry: Entry, number: int, low: float, high: float) -> Entry:
    """The entry between two times, MJD in TT."""
    seconds = [(time - _REFERENCE.day) * DAY for time in (low, high)]
    gti = GTI.from_intervals([(seconds[0], seconds[1])], _REFERENCE)
    if entry.events.gti is not None:
        gti = gti.intersection(entry.events.gti)
    name = entry.name.replace(TIME_BIN, str(number))
    return replace(entry, name=name, events=replace(entry.events, gti=gti), interval=(low, high))
