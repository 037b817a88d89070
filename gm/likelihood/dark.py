"""Counts where nothing is predicted: no model can have them, and Cash, which would be infinite, is cut off there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets.left_out import listed
from gm.readable import count, plural
from gm.statistics import Statistic


@final
@dataclass(frozen=True)
class DarkBins:
    """Bins of a dataset, by its number, that hold counts where nothing is predicted: how many, and their counts."""

    dataset: int
    bins: int
    counts: float

    def describe(self, name: str) -> str:
        """In words, of a dataset of that name."""
        held = f"{plural(self.bins, 'bin')} with {count(self.counts)} counts"
        return f"{name}: nothing is predicted in {held}: -2 ln L is cut off there, and they tell nothing"


def dark_bins(statistic: Statistic, dataset: IntArray, predicted: Array) -> list[DarkBins]:
    """Of bins (n,) by the number of their ``dataset`` and what is ``predicted`` there, those that are cut off."""
    least = statistic.least()
    if least is None or not (is_dark := predicted <= least).any():
        return []
    counts = np.zeros(is_dark.size) if statistic.counts is None else statistic.counts
    numbers, which = np.unique(dataset[is_dark], return_inverse=True)
    sums = np.bincount(which), np.bincount(which, counts[is_dark])
    return [DarkBins(*row) for row in zip(numbers.tolist(), *(each.tolist() for each in sums), strict=True)]


def told_without(source: str, dark: Iterable[DarkBins], before: Iterable[DarkBins], names: Sequence[str]) -> list[str]:
    """What to know of a TS where more bins are ``dark`` without the source than with it, as ``before``.

    names : of the datasets
    """
    more = list(_more(dark, before))
    if not more:
        return []
    bins, counts = sum(one.bins for one in more), sum(one.counts for one in more)
    where = listed([names[one.dataset] for one in more])
    held = f"{plural(bins, 'bin')} with {count(counts)} counts ({where})"
    why = "its TS has no end, and is told as far as -2 ln L is not cut off, at 1e-25 predicted counts"
    return [f"{source}: without it nothing is predicted in {held}: {why}"]


def _more(dark: Iterable[DarkBins], before: Iterable[DarkBins]) -> Iterator[DarkBins]:
    """By dataset, what there is in the first and not in the second."""
    known = {one.dataset: one for one in before}
    for one in dark:
        old = known.get(one.dataset, DarkBins(one.dataset, 0, 0.0))
        if one.bins > old.bins:
            yield DarkBins(one.dataset, one.bins - old.bins, one.counts - old.counts)
