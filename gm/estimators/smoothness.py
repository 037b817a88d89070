"""A penalty on spectra that bend from band to band more than data ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, IntArray

_LEAST = 1e-3  # norm, below which the logarithm goes on as its tangent


@final
@dataclass(frozen=True, eq=False)
class Smoothness:
    """``weight * sum over k of (second difference of ln norm at band k)^2``, added to -2 ln L.

    The difference is ``h^2`` times the divided one, ``h`` the mean distance between bands in ln E: for bands of one
    width ``ln n[k-1] - 2 ln n[k] + ln n[k+1]``, and 0 for every power law times the reference, whatever the widths.
    Below a norm of 0.001 the logarithm goes on as its tangent, so that norms may go through 0.

    norms : (n,) which ones of all; energies : (n,) where the bands are [TeV]
    """

    weight: float
    norms: IntArray
    energies: Array

    @cached_property
    def _differences(self) -> Array:
        """(n - 2, n)."""
        x = np.log(self.energies)
        matrix, scale = np.zeros((max(x.size - 2, 0), x.size)), np.mean(np.diff(x)) ** 2 if x.size > 1 else 0.0
        for k in range(x.size - 2):
            left, right = x[k + 1] - x[k], x[k + 2] - x[k + 1]
            matrix[k, k : k + 3] = 2 * scale / (left + right) * np.array([1 / left, -1 / left - 1 / right, 1 / right])
        return matrix

    def _logarithm(self, norms: Array) -> tuple[Array, Array]:
        """And its derivative."""
        above = np.maximum(norms, _LEAST)
        return np.log(above) + np.minimum(norms - _LEAST, 0.0) / _LEAST, 1.0 / above

    def value(self, norms: Array) -> float:
        """Of the norms (n,)."""
        return self.weight * float(np.sum((self._differences @ self._logarithm(norms)[0]) ** 2))

    def gradient(self, norms: Array) -> Array:
        """Its derivatives, (n,)."""
        logarithm, slope = self._logarithm(norms)
        return np.asarray(2 * self.weight * slope * (self._differences.T @ (self._differences @ logarithm)))

    def curvature(self, norms: Array) -> Array:
        """Its second derivatives but for those of the logarithm, which may be negative, (n, n)."""
        along = self._differences * self._logarithm(norms)[1]
        return np.asarray(2 * self.weight * along.T @ along)
