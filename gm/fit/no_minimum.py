"""Where there is no minimum: the plateau of Cash, which is cut off below 1e-25 predicted counts, and endless slopes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets import Datasets
from gm.datasets.origin import origin_of
from gm.fit.objective import Objective
from gm.likelihood import JointLikelihood
from gm.matrices import as_hessian

_SIZES = 1e3 ** np.arange(-8.0, 4.0)  # of an amplitude in any unit: scoring mends a factor of a thousand in one step
_DOUBLINGS = 60
_ENOUGH = 8  # of them
NOTHING_LEFT = 1e-6  # of an amplitude at the start
_NO_RISE = 1e-5  # of -2 ln L
WITHOUT_COUNTS = (
    "there are no counts: the statistic falls until nothing is predicted and tells no more (amplitudes with min: 0 end "
    "there)"
)


def off_the_plateau(
    objective: Objective,
    start: Array,
    lower: Array,
    upper: Array,
    amplitudes: BoolArray,
    n_cut_off: Callable[[Array], int],
) -> tuple[Array, int]:
    """A start in whose prediction as few bins as possible are cut off, and how many these are.

    That is ``start`` (n_free,) where there are none. Else each of the ``amplitudes`` (n_free,) in turn, or many that do
    not meet, becomes what leaves the fewest, and of those the lowest value: itself, its opposite, or plus or minus a
    power of a thousand.
    """
    vector = start.clip(lower, upper)
    n_best = n_cut_off(vector)
    if not n_best:
        return start, 0
    value = objective.value(vector)
    parts = (part[amplitudes[part]] for part in as_hessian(objective.information(vector)).together())
    for k in (part for part in parts if part.size):
        for size in (-vector[k], *_SIZES, *-_SIZES):
            there = vector.copy()
            there[k] = np.clip(size, lower[k], upper[k])
            found = objective.value(there)
            if np.isfinite(found) and (n := n_cut_off(there), found) < (n_best, value):
                n_best, value, vector = n, found, there
    return vector, n_best


def falls_without_bound(objective: Objective, vector: Array, way: Array, lower: Array, upper: Array) -> bool:
    """Whether the value goes on falling along ``way`` (n_free,), as far as numbers go, and ever less slowly."""
    value, gains = objective.value(vector), list[float]()
    for step in np.exp2(np.arange(_DOUBLINGS)):
        there = vector + step * way
        if ((there < lower) | (there > upper)).any():
            return False
        found = objective.value(there)
        if not np.isfinite(found):
            break
        if not found < value:
            return False
        gains.append(value - found)
        value = found
    return len(gains) >= _ENOUGH and gains[-1] >= gains[0]


def is_without_counts(
    datasets: Datasets, objective: Objective, vector: Array, value: float, start: Array, amplitudes: BoolArray
) -> bool:
    """Whether nothing is counted and one of the ``amplitudes`` (n_free,), which may be negative, went where that leads:
    to nothing, of which spectra and shapes tell no more, or to where it could as well be as far below 0 as it started
    above, or twice as far as it is. Values are lowest at ``vector`` (n_free,)."""
    for k in np.flatnonzero(amplitudes & (vector <= NOTHING_LEFT * np.abs(start))).tolist():
        tried = [-abs(start[k])] if amplitudes.all() else [-abs(start[k]), 0.0]
        there = (np.where(np.arange(vector.size) == k, min(2.0 * vector[k], least), vector) for least in tried)
        if any(objective.value(one) <= value + _NO_RISE for one in there):
            return all(dataset.n_counts() == 0 for dataset in datasets)
    return False


def culprits(likelihood: JointLikelihood) -> str:
    """Why the statistic is not finite at the start: the datasets, with their files."""
    summaries = zip(likelihood.datasets, likelihood.summarize(likelihood.layout.start), strict=True)
    bad = [(dataset.name, origin_of(dataset)) for dataset, its in summaries if not np.isfinite(its.statistic)]
    named = [name if origin is None else f"{name} ({origin.entry.path})" for name, origin in bad]
    return f"datasets {', '.join(named)}" if bad else "a prior is infinite at the start value"
