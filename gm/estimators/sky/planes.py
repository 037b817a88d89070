"""Images of counts, and what a source at any pixel predicts in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray


@final
@dataclass(frozen=True, eq=False)
class Plane:
    """One image of counts, and what a source of norm 1 at any pixel predicts there.

    The source at pixel ``p`` predicts ``kernel[i - p] * exposed[i] * sent[p]`` counts at pixel ``i``.

    counts, background : (n_y, n_x); exposed : (n_y, n_x) [counts], 0 in pixels that do not enter; kernel : (k_y, k_x),
    both odd; sent : (n_y, n_x), or None for 1.
    """

    counts: Array
    background: Array
    exposed: Array
    kernel: Array
    sent: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.counts.shape[0], self.counts.shape[1]

    @cached_property
    def has_counts(self) -> BoolArray:
        """(n_y, n_x): pixels with counts in which a source may be seen."""
        return (self.counts > 0) & (self.exposed > 0)

    @cached_property
    def rate(self) -> Array:
        """Signal over background for a kernel of 1, in the pixels with counts, else 0; (n_y, n_x)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.has_counts, self.exposed / self.background, 0.0)

    def with_(self, **changes: Array) -> Plane:
        """The same with another kernel or other counts."""
        return replace(self, **changes)

    def seen_from(self, image: Array, power: int = 1) -> Array:
        """``sum over i of (kernel[i - p] * sent[p])^power * image[i]`` at every pixel ``p``, (n_y, n_x)."""
        from scipy.signal import fftconvolve

        seen = np.asarray(fftconvolve(image, self.kernel[::-1, ::-1] ** power, mode="same"))
        return seen if self.sent is None else seen * self.sent**power
