"""Branches of a profile: minima over the other parameters that no path from the best fit leads to.

As long as all spectra keep their shapes Cash is convex in the amplitudes, of either sign, and has one minimum. With
free shapes it has several: a background below 0 that is steep enough takes nothing from the bins with counts, and makes
up for a source in those without, whatever the norm of the source. So shapes are tried far from where they start, each
with the amplitudes that fit best.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray

_AWAY = 0.0, 1.0, -1.0, 3.0, -3.0, 8.0, -8.0  # of the size of a parameter: e-folds at the ends of a decade, or none


def shape_sizes(start: Array) -> Array:
    """Of parameters that start there, (n,): how far away another shape is."""
    return np.where(start != 0, np.abs(start), 1.0)


class Band(Protocol):
    """-2 ln L of the norm of a source and of the parameters of the other components, (n,)."""

    def approach(self, start: Array, active: BoolArray) -> tuple[float, Array]:
        """The lowest value over the ``active`` parameters (n,) near ``start`` (n,), and where, (n,)."""


class Branches:
    """Where other minima at a norm may be.

    start : (n,) where the fit of the band starts; lower, upper : (n,) limits
    shapes, amplitudes : (n,) which parameters are tried, and which are fitted for each of these; neither is the norm
    """

    def __init__(
        self, band: Band, start: Array, lower: Array, upper: Array, shapes: BoolArray, amplitudes: BoolArray
    ) -> None:
        self._band, self._start, self._lower, self._upper = band, start, lower, upper
        self._shapes, self._amplitudes = np.flatnonzero(shapes), amplitudes

    def at(self, norm: float) -> list[Array]:
        """The lowest vector (n,) of each shape parameter that was tried at this norm."""
        return [self._lowest(norm, int(k)) for k in self._shapes]

    def _lowest(self, norm: float, k: int) -> Array:
        size, found = shape_sizes(self._start)[k], []
        for away in _AWAY:
            vector = self._start.copy()
            vector[0], vector[k] = norm, np.clip(vector[k] + away * size, self._lower[k], self._upper[k])
            found.append(self._band.approach(vector, self._amplitudes))
        return min(found, key=lambda pair: pair[0])[1]
