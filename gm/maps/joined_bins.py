"""Bins joined along an axis: sums over those that are safe, and masks that are in when any of their bins is."""

from __future__ import annotations

from typing import Any

import numpy as np

from gm.arrays import BoolArray, IntArray


def summed(values: Any, safe: BoolArray | None, groups: IntArray, axis: int = 0) -> Any:
    """Sums of the bins between each of the edges ``groups``, by number, and the next along an axis.

    Over safe bins, in double precision; what lies outside of the edges is left out.

    safe : in the shape of the bins, None for all; groups : (n_joined + 1,)
    """
    inside = values if safe is None else np.where(safe, values, 0)
    part = np.take(inside, np.arange(groups[0], groups[-1]), axis=axis)
    return np.add.reduceat(part, groups[:-1] - groups[0], axis=axis, dtype=np.float64)


def any_of(mask: BoolArray | None, groups: IntArray) -> BoolArray | None:
    """A joined bin is in when any of its bins is.

    mask : (n_bins, ...), None for all; groups : (n_joined + 1,) numbers of edges
    """
    if mask is None:
        return None
    joined: BoolArray = np.logical_or.reduceat(mask[groups[0] : groups[-1]], groups[:-1] - groups[0], axis=0)
    return joined


def places(n_bins: int, groups: IntArray) -> IntArray:
    """(n_bins,): which of the bins between the edges ``groups`` holds each old one, -1 for none."""
    bins = np.arange(n_bins)
    return np.where((bins >= groups[0]) & (bins < groups[-1]), np.searchsorted(groups, bins, side="right") - 1, -1)


def all_safe(safe: BoolArray | None, groups: IntArray) -> bool:
    """Whether every bin between the first and the last edge is safe.

    safe : (n_bins, ...), None for all; groups : (n_joined + 1,)
    """
    return safe is None or bool(safe[groups[0] : groups[-1]].all())
