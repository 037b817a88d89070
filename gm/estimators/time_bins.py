"""Bins of time, and which datasets lie in them. Times are Modified Julian Dates [d] in TT."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Any, final

import numpy as np

from gm.datasets import Dataset, Datasets
from gm.errors import DataError, UsageError, suggest
from gm.models.temporal.intervals import DAY, TimeIntervals, tt_minus
from gm.units import convert

_TOLERANCE = 1e-3 / DAY  # of ends of good time, which files have as seconds from a reference
_MOST = 100_000  # bins
_NAMED = 8  # datasets in a message


@final
@dataclass(frozen=True)
class TimeBin:
    """From ``start`` to ``stop``, None where the datasets in it do not know; datasets : their names."""

    start: float | None
    stop: float | None
    datasets: tuple[str, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class GoodTimes:
    """The good time of each dataset; None where it has none."""

    names: tuple[str, ...]
    intervals: tuple[TimeIntervals | None, ...]

    @classmethod
    def of(cls, datasets: Datasets) -> GoodTimes:
        """Raises `DataError` for a table that is none."""
        return cls(tuple(datasets.names), tuple(_good_time(dataset) for dataset in datasets))

    def known(self) -> dict[str, TimeIntervals]:
        """Of all datasets. Raises `UsageError` where one has none."""
        missing = [name for name, times in zip(self.names, self.intervals, strict=True) if times is None]
        if missing:
            hint = "per-observation needs none; or leave these out with datasets"
            raise UsageError(f"datasets without good time intervals (GTI): {_listed(missing)}; {hint}")
        return {name: its for name, its in zip(self.names, self.intervals, strict=True) if its is not None}


@final
@dataclass(frozen=True)
class Binned:
    """The bins in order, with the datasets in each; names of datasets outside all, and why; bins that were left out
    empty."""

    bins: tuple[TimeBin, ...]
    outside: tuple[str, ...] = ()
    n_empty: int = 0
    why: str = "in no time bin"


class TimeBinning(ABC):
    """How time is divided."""

    @abstractmethod
    def bins(self, times: GoodTimes) -> Binned:
        """The bins of some datasets. Raises `UsageError` where a dataset is longer than a bin."""


@final
@dataclass(frozen=True)
class PerObservation(TimeBinning):
    """A bin for each dataset, from the start to the end of its good time; those that overlap share one."""

    def bins(self, times: GoodTimes) -> Binned:
        found: list[TimeBin] = []
        spans = [(_span(its), name) for name, its in zip(times.names, times.intervals, strict=True) if its is not None]
        for span, name in sorted(spans):
            last = found[-1] if found else None
            if last is not None and last.stop is not None and span[0] < last.stop - _TOLERANCE:
                found[-1] = TimeBin(last.start, max(last.stop, span[1]), (*last.datasets, name))
            else:
                found.append(TimeBin(*span, (name,)))
        unknown = [
            TimeBin(None, None, (name,)) for name, its in zip(times.names, times.intervals, strict=True) if its is None
        ]
        return Binned((*found, *unknown))


class Divided(TimeBinning):
    """Bins that do not depend on which datasets lie in them."""

    @abstractmethod
    def limits(self, times: GoodTimes) -> list[tuple[float, float]]:
        """Start and stop of each, in order."""

    def bins(self, times: GoodTimes) -> Binned:
        return _sorted_into(self.limits(times), times)


@final
@dataclass(frozen=True)
class EachGoodTime(Divided):
    """A bin for every good time interval that there is."""

    def limits(self, times: GoodTimes) -> list[tuple[float, float]]:
        known = times.known().values()
        pairs = sorted((float(a), float(b)) for its in known for a, b in zip(its.start, its.stop, strict=True))
        distinct: list[tuple[float, float]] = []
        for pair in pairs:
            if not distinct or np.abs(np.subtract(pair, distinct[-1])).max() > _TOLERANCE:
                distinct.append(pair)
        return distinct


@final
@dataclass(frozen=True)
class Width(Divided):
    """Bins of equal ``width`` [d] from ``start`` on, by default the beginning of all good time; empty ones left out."""

    width: float
    start: float | None = None

    def limits(self, times: GoodTimes) -> list[tuple[float, float]]:
        spans = [_span(its) for its in times.known().values()]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        start = first if self.start is None else self.start + self.width * floor((first - self.start) / self.width)
        n = ceil((last - start - _TOLERANCE) / self.width)
        if n > _MOST:
            raise UsageError(f"{n} bins of {self.width:g} d, at most {_MOST}")
        return list(pairwise(start + k * self.width for k in range(n + 1)))

    def bins(self, times: GoodTimes) -> Binned:
        found = super().bins(times)
        kept = tuple(one for one in found.bins if one.datasets)
        return Binned(kept, found.outside, len(found.bins) - len(kept))


@final
@dataclass(frozen=True)
class Intervals(Divided):
    """Bins from start to stop, each (start, stop), which do not overlap."""

    pairs: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.pairs or any(not low < high for low, high in self.pairs):
            raise UsageError("time bins have to end after they begin")
        object.__setattr__(self, "pairs", tuple(sorted(self.pairs)))
        for (_, stop), (start, _) in pairwise(self.pairs):
            if start < stop - _TOLERANCE:
                raise UsageError(f"time bins overlap: one ends at MJD {stop:.6f} (TT), the next begins at {start:.6f}")

    def limits(self, times: GoodTimes) -> list[tuple[float, float]]:
        return list(self.pairs)


@final
@dataclass(frozen=True)
class BayesianBlocks(TimeBinning):
    """Blocks of constant flux among bins for each dataset: Scargle et al. 2013, ApJ 764, 167, for measured values.

    ``false_alarm`` : probability of a change that is none (p0). `LightCurveEstimator` measures the bins, then `blocks`.
    """

    false_alarm: float = 0.05

    def bins(self, times: GoodTimes) -> Binned:
        times.known()
        return PerObservation().bins(times)

    def blocks(self, bins: Sequence[TimeBin], norms: Sequence[float], errors: Sequence[float]) -> list[TimeBin]:
        """Of bins with their norms and errors, neighbours joined where one flux describes them.

        What has an infinite error, as without counts, tells of no change, and belongs to the block that it lies in.
        """
        from astropy.stats import bayesian_blocks

        middles = np.array([0.5 * ((one.start or 0.0) + (one.stop or 0.0)) for one in bins])
        known = np.isfinite(errors)
        if len(bins) < 2 or not known.any():
            return list(bins)
        measured = middles[known], np.array(norms)[known], np.array(errors)[known]
        edges = bayesian_blocks(*measured, fitness="measures", p0=self.false_alarm) if known.sum() > 1 else middles[:0]
        block = np.searchsorted(edges[1:-1], middles, side="right")
        joined = [[one for one, k in zip(bins, block, strict=True) if k == number] for number in np.unique(block)]
        return [
            TimeBin(group[0].start, group[-1].stop, tuple(name for one in group for name in one.datasets))
            for group in joined
        ]


_WORDS: dict[str, TimeBinning] = {
    "per-observation": PerObservation(),
    "gti": EachGoodTime(),
    "bayesian_blocks": BayesianBlocks(),
}
_KEYS = ("width", "start", "edges", "intervals", "bayesian_blocks", "scale")


def time_binning(given: object) -> TimeBinning:
    """From ``per-observation``, ``gti`` or ``bayesian_blocks``; or from a mapping with ``width`` and maybe ``start``,
    ``edges``, ``intervals`` or ``bayesian_blocks``, and maybe the ``scale`` of its times (UTC). Raises `UsageError`."""
    if isinstance(given, TimeBinning):
        return given
    if isinstance(given, Mapping):
        return _from_mapping(given)
    if str(given) not in _WORDS:
        raise UsageError(f"'{given}' are no time bins; {suggest(str(given), _WORDS, 'known')}, or a mapping")
    return _WORDS[str(given)]


def _from_mapping(given: Mapping[str, Any]) -> TimeBinning:
    for key in given:
        if key not in _KEYS:
            raise UsageError(f"'{key}' is no key of time bins; {suggest(key, _KEYS, 'keys')}")
    scale = str(given.get("scale", "utc"))
    kinds = [key for key in ("width", "edges", "intervals", "bayesian_blocks") if given.get(key) is not None]
    if len(kinds) != 1:
        raise UsageError(f"time bins have one of width, edges, intervals, bayesian_blocks; found {kinds or 'none'}")
    if kinds == ["edges"]:
        return Intervals(tuple(pairwise(mjd_tt(edge, scale) for edge in given["edges"])))
    if kinds == ["intervals"]:
        return Intervals(tuple(_pair(one, scale) for one in given["intervals"]))
    if kinds == ["bayesian_blocks"]:
        return BayesianBlocks(float((given["bayesian_blocks"] or {}).get("false_alarm", 0.05)))
    width, start = convert(given["width"], "d"), given.get("start")
    if not width > 0:
        raise UsageError(f"the width of time bins is above zero, not {given['width']}")
    return Width(width, None if start is None else mjd_tt(start, scale))


def _pair(interval: Any, scale: str) -> tuple[float, float]:
    """MJD in TT of both ends. Raises `UsageError`."""
    try:
        low, high = interval
    except (TypeError, ValueError) as error:
        raise UsageError(f"{interval!r} is no interval of time; give two times") from error
    return mjd_tt(low, scale), mjd_tt(high, scale)


def mjd_tt(moment: object, scale: str = "utc") -> float:
    """MJD in TT of a date (ISO) or an MJD on a scale, or of an astropy time. Raises `UsageError`."""
    from astropy.time import Time

    try:
        kind = {"format": "mjd"} if isinstance(moment, int | float) else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of years for which leap seconds are not known
            time = moment if isinstance(moment, Time) else Time(moment, scale=scale.lower(), **kind)
            return float(time.tt.mjd)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"'{moment}' is no time on the scale '{scale}': a date such as 2004-01-01T00:00:00, or an MJD"
        ) from error


def utc(mjd: float) -> float:
    """MJD in UTC of one in TT."""
    return mjd - tt_minus("utc", float(floor(mjd)))


def _good_time(dataset: Dataset) -> TimeIntervals | None:
    if dataset.good_time is None:
        return None
    try:
        return TimeIntervals.from_table(dataset.good_time)
    except DataError as error:
        raise DataError(f"dataset {dataset.name}: {error}") from error


def _span(times: TimeIntervals) -> tuple[float, float]:
    return float(np.min(times.start)), float(np.max(times.stop))


def _sorted_into(pairs: Sequence[tuple[float, float]], times: GoodTimes) -> Binned:
    """Each dataset in the bin that holds all of its good time. Raises `UsageError` for one that lies in several."""
    starts, members = np.array([pair[0] for pair in pairs]), [list[str]() for _ in pairs]
    longer, outside = [], []
    for name, its in times.known().items():
        first, last = _span(its)
        k = int(np.searchsorted(starts, first + _TOLERANCE, side="right")) - 1
        if k >= 0 and last <= pairs[k][1] + _TOLERANCE:
            members[k].append(name)
        elif any(low < last - _TOLERANCE and first + _TOLERANCE < high for low, high in pairs[max(k, 0) :]):
            longer.append(name)
        else:
            outside.append(name)
    if longer:
        hint = "reduce them per interval: observations with the same time_bins, and {time_bin} in their name"
        raise UsageError(f"datasets longer than a time bin, or across its edges: {_listed(longer)}; {hint}")
    bins = tuple(TimeBin(*pair, tuple(names)) for pair, names in zip(pairs, members, strict=True))
    return Binned(bins, tuple(outside))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
