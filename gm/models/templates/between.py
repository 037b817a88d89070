"""Straight lines between pixels along one axis of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, IntArray


@final
@dataclass(frozen=True, eq=False)
class Between:
    """Each of n places between two pixels of an axis: ``first`` and ``second`` of these, (n,), and the share of the
    second.

    Half a pixel beyond the outermost centres the lines go on; places further out, and those that are no numbers, are
    taken for one on the axis.
    """

    first: IntArray
    second: IntArray
    share: Array

    @classmethod
    def of(cls, at: Array, n: int) -> Between:
        """From pixel coordinates (n_places,) of an axis of ``n`` pixels."""
        at = np.clip(np.nan_to_num(at), -0.5, n - 0.5)
        first = np.clip(np.floor(at), 0, max(n - 2, 0)).astype(np.intp)
        share = at - first if n > 1 else np.zeros_like(at)
        return cls(first, first + int(n > 1), share)

    def along(self, values: NDArray[Any], axis: int) -> Array:
        """Values at the places, which take the place of one axis of an image (n_y, n_x)."""
        share = self.share.reshape((-1, 1) if axis == 0 else (1, -1))
        found = values.take(self.second, axis) * share
        found += values.take(self.first, axis) * (1.0 - share)
        return np.asarray(found)
