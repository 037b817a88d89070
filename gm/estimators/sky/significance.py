"""Excess counts with significance, errors and limits, for many independent numbers of counts at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array
from gm.estimators.sky.rises import distances, mirrored
from gm.statistics import Cash, WStat

_LEAST = 1e-12  # counts: less background is the rounding of none


class Excess(ABC):
    """Counts above what is expected. All arrays are (n,)."""

    counts: Array

    @property
    @abstractmethod
    def excess(self) -> Array:
        """Counts beyond those expected."""

    @abstractmethod
    def ts(self) -> Array:
        """-2 ln L of no excess, less that of the best one."""

    @abstractmethod
    def error(self) -> Array:
        """The standard deviation of the excess."""

    @abstractmethod
    def intervals(self, sigma: float, sigma_ul: float) -> tuple[Array, Array, Array]:
        """Lower and upper error (positive) and upper limit of the excess; NaN for what does not exist."""

    def more(self) -> dict[str, Array]:
        """What a map of it shows besides."""
        return {}


@final
@dataclass(frozen=True, eq=False)
class KnownExcess(Excess):
    """Counts ``n`` where ``expected`` ones ``b`` are known: ``-2 ln L = 2 (mu - n ln mu)``, Cash, 1979.

    It has risen by ``sigma^2`` from its minimum ``mu = n`` where ``mu = -n W(-exp(-c / n - 1))``, ``c = sigma^2 / 2``,
    with both real branches of Lambert's W. All arrays are (n,).
    """

    counts: Array
    expected: Array

    @property
    def excess(self) -> Array:
        return np.asarray(self.counts - self.expected)

    def ts(self) -> Array:
        expected = np.where(self.expected > _LEAST, self.expected, 0.0)
        statistic = Cash(self.counts)
        return np.maximum(statistic.value(expected) - statistic.value(self.counts), 0.0)

    def error(self) -> Array:
        return np.sqrt(self.counts)

    def intervals(self, sigma: float, sigma_ul: float) -> tuple[Array, Array, Array]:
        errp = self._end(sigma, -1) - self.counts
        limit = errp if sigma == sigma_ul else self._end(sigma_ul, -1) - self.counts
        return self.counts - self._end(sigma, 0), errp, self.excess + limit

    def _end(self, sigma: float, branch: int) -> Array:
        """The expected counts at which -2 ln L has risen, below (0) or above (-1) the counts; of none only above."""
        from scipy.special import lambertw

        c = 0.5 * sigma**2
        values, place = np.unique(self.counts, return_inverse=True)
        some = np.where(values > 0, values, 1.0)
        end = -some * lambertw(-np.exp(-c / some - 1.0), branch).real
        return np.asarray(np.where(values > 0, end, c if branch else 0.0)[place])


@final
@dataclass(frozen=True, eq=False)
class MeasuredExcess(Excess):
    """Counts where those expected are ``alpha`` times off counts, and ``signal`` ones of sources: Li & Ma, 1983.

    All arrays are (n,).
    """

    counts: Array
    counts_off: Array
    alpha: Array
    signal: Array

    @property
    def excess(self) -> Array:
        return np.asarray(self.counts - self.alpha * self.counts_off - self.signal)

    def more(self) -> dict[str, Array]:
        return {"counts_off": self.counts_off, "alpha": self.alpha}

    def _statistic(self) -> WStat:
        return WStat(self.counts, self.counts_off, self.alpha)

    def ts(self) -> Array:
        statistic = self._statistic()
        return np.maximum(statistic.value(self.signal) - statistic.value(self.signal + self.excess), 0.0)

    def error(self) -> Array:
        return np.sqrt(self.counts + self.alpha**2 * self.counts_off)

    def intervals(self, sigma: float, sigma_ul: float) -> tuple[Array, Array, Array]:
        statistic, best = self._statistic(), self.signal + self.excess
        least = statistic.value(best)

        def rise(away: Array) -> tuple[Array, Array]:
            value, slope = statistic.value_and_derivative(best + away)
            return value - least, slope

        width = np.where(self.error() > 0, self.error(), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            errp = distances(rise, sigma, sigma * width)
            limit = distances(rise, sigma_ul, sigma_ul * width)
            errn = distances(mirrored(rise), sigma, np.where(self.counts > 0, sigma * width, np.nan))
        return errn, errp, self.excess + limit
