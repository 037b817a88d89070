"""Cash statistic: Poisson counts and a known background."""

from __future__ import annotations

from typing import Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.statistics.base import Statistic

TRUNCATION = 1e-25
_ONE_IN_A_MILLION = 1e-6  # bins that expect less say nothing about a step


@final
class Cash(Statistic):
    """Cash, 1979, ApJ 228, 939: ``2 (mu - n ln mu)`` with ``mu = max(predicted, 1e-25)`` and the total clipped at 0.

    Counts ``n`` may be fractional (Asimov data).
    """

    def __init__(self, counts: Array) -> None:
        self._counts = counts

    @property
    def counts(self) -> Array:
        return self._counts

    def value(self, predicted: Array) -> Array:
        mu = np.maximum(predicted, TRUNCATION)
        return np.asarray(2.0 * (mu - self._counts * np.log(mu)))

    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        mu = np.maximum(predicted, TRUNCATION)
        value = 2.0 * (mu - self._counts * np.log(mu))
        return value, self._derivative(predicted, mu)

    def derivative(self, predicted: Array) -> Array:
        return self._derivative(predicted, np.maximum(predicted, TRUNCATION))

    def _derivative(self, predicted: Array, mu: Array) -> Array:
        return np.where(predicted > TRUNCATION, 2.0 - 2.0 * self._counts / mu, 0.0)

    def residuals(self, predicted: Array) -> Array:
        """From the deviance ``2 (mu - n + n ln(n / mu))``."""
        mu, n = np.maximum(predicted, TRUNCATION), self._counts
        deviance = 2.0 * (mu - n + n * np.log(np.where(n > 0, n, mu) / mu))
        return np.asarray(np.sign(n - mu) * np.sqrt(np.maximum(deviance, 0.0)))

    def joined(self, groups: IntArray, n_groups: int) -> Cash:
        return Cash(np.bincount(groups, self._counts, n_groups).astype(np.float64))

    def curvature(self, predicted: Array) -> Array:
        mu = np.maximum(predicted, TRUNCATION)
        return np.where(predicted > TRUNCATION, 2.0 * self._counts / mu**2, 0.0)

    def expected_curvature(self, predicted: Array) -> Array:
        """Nothing in empty bins in which less than nothing is predicted: they do not care how much less."""
        says = (predicted > TRUNCATION) | (self._counts > 0)
        return np.where(says, 2.0 / np.maximum(predicted, _ONE_IN_A_MILLION), 0.0)

    def saturated(self) -> float:
        """``2 (n - n ln n)``. Source: Baker & Cousins, 1984, NIM 221, 437."""
        counts = self._counts[self._counts > 0]
        return 2.0 * float(np.sum(counts - counts * np.log(counts)))

    def least(self) -> Array:
        return np.where(self._counts > 0, TRUNCATION, -np.inf)

    def linear(self) -> tuple[BoolArray, float, Array]:
        return self._counts == 0, 2.0, np.zeros_like(self._counts)

    def expected_ts(self, null: Array, predicted: Array) -> float:
        null, counts = np.maximum(null, TRUNCATION), np.maximum(predicted, TRUNCATION)
        return 2.0 * float(counts @ np.log(counts / null) - np.sum(counts) + np.sum(null))

    def take(self, bins: IntArray | BoolArray) -> Self:
        return type(self)(self._counts[bins])
