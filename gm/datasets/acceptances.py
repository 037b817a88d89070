"""Acceptances of joined On/Off bins: such that the background, ``alpha`` times the off counts, stays what it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from gm.arrays import MapArray


def off_background(counts_off: Any, acceptance: Any, acceptance_off: Any) -> Any:
    """Background in the on region, ``alpha N_off``, in double precision; 0 without an off acceptance."""
    known = np.asarray(acceptance_off, dtype=np.float64)
    expected = np.multiply(acceptance, counts_off, dtype=np.float64)
    return np.divide(expected, known, out=np.zeros_like(known), where=known > 0)


def joined_acceptance_off(acceptance: Any, counts_off: Any, background: Any, otherwise: Any) -> Any:
    """``A N_off / B`` where both are there, else ``otherwise``. All are those of joined bins.

    Source: Gammapy 2.1, ``MapDatasetOnOff.stack``, which leaves NaN where there is nothing to go by.
    """
    known = (counts_off > 0) & (background > 0)
    return np.divide(acceptance * counts_off, background, out=np.array(otherwise, dtype=np.float64), where=known)


def stacked_acceptance_off(acceptance: Any, counts_off: Any, background: Any, acceptance_off: Any) -> Any:
    """As `joined_acceptance_off`; bins without off counts get the mean alpha of all bins, ``sum B / sum N_off``.

    Without any off counts at all they get ``acceptance_off``, the plain sum.
    """
    total, total_off = float(np.sum(background)), float(np.sum(counts_off))
    mean = acceptance * (total_off / total) if total > 0 and total_off > 0 else acceptance_off
    return joined_acceptance_off(acceptance, counts_off, background, mean)


def scaled(counts: MapArray, acceptance: MapArray, of: MapArray) -> MapArray:
    """Counts seen with one acceptance to those with another, in the same shape; nothing where nothing could be seen."""
    nothing = np.zeros(counts.shape, np.result_type(counts, acceptance, np.float32))
    return counts * np.divide(acceptance, of, out=nothing, where=of > 0)
