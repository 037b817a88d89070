"""The likelihood along a line in the space of fluxes: ``predicted = rest + norm * signal`` in every bin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array
from gm.statistics import Statistic

_AT_A_TIME = 1 << 16  # bins of all norms together


class Line(ABC):
    """-2 ln L of one term as a function of one norm, convex in its `domain`."""

    @abstractmethod
    def signal_size(self) -> float:
        """The absolute signal at a norm of 1, summed over all bins."""

    @abstractmethod
    def domain(self) -> tuple[float, float]:
        """The open interval of norms in which something is predicted in every bin that has counts and signal.

        At its ends -2 ln L is infinite; beyond, where the statistic is cut off, it does not mean anything. Empty, the
        first end above the other, when no norm predicts all counts.
        """

    @abstractmethod
    def values(self, norms: Array) -> Array:
        """-2 ln L at each norm, (n,)."""

    @abstractmethod
    def slope(self, norm: float) -> float:
        """Its derivative."""

    @abstractmethod
    def curvature(self, norm: float) -> float:
        """Its second derivative."""

    @abstractmethod
    def expected_curvature(self, norm: float) -> float:
        """The second derivative that data as predicted would have."""

    @abstractmethod
    def expected_ts(self, norm: float) -> float | None:
        """Test statistic of ``norm`` against 0 on data as predicted with it; None where there are no counts."""

    @abstractmethod
    def expected_rise(self, norm: float) -> float | None:
        """-2 ln L of ``norm`` above that of 0 on data as predicted without signal; None where there are no counts."""


@final
@dataclass(frozen=True, eq=False)
class RowLine(Line):
    """Bin by bin; ``signal`` and ``rest`` are (n_bins,)."""

    statistic: Statistic
    signal: Array
    rest: Array

    def signal_size(self) -> float:
        return float(np.sum(np.abs(self.signal)))

    def domain(self) -> tuple[float, float]:
        least = self.statistic.least()
        if least is None:
            return -np.inf, np.inf
        # Without anything else predicted a negative signal, which may be the rounding of none, is cut off at any norm.
        along = ((self.signal > 0) | ((self.signal < 0) & (self.rest > least))) & (least > -np.inf)
        signal = self.signal[along]
        with np.errstate(over="ignore"):
            poles = (least[along] - self.rest[along]) / signal
        return float(poles[signal > 0].max(initial=-np.inf)), float(poles[signal < 0].min(initial=np.inf))

    def _at(self, norm: float) -> Array:
        return np.asarray(norm * self.signal + self.rest)

    def values(self, norms: Array) -> Array:
        if norms.size > 1 and norms.size * self.signal.size > _AT_A_TIME:
            return np.concatenate([self.values(norm[None]) for norm in norms])
        return np.asarray(np.sum(self.statistic.value(np.multiply.outer(norms, self.signal) + self.rest), axis=1))

    def slope(self, norm: float) -> float:
        return float(self.signal @ self.statistic.derivative(self._at(norm)))

    def curvature(self, norm: float) -> float:
        return float(self.signal**2 @ self.statistic.curvature(self._at(norm)))

    def expected_curvature(self, norm: float) -> float:
        return float(self.signal**2 @ self.statistic.expected_curvature(self._at(norm)))

    def expected_ts(self, norm: float) -> float | None:
        return self.statistic.expected_ts(self.rest, self._at(norm))

    def expected_rise(self, norm: float) -> float | None:
        return self.statistic.expected_ts(self._at(norm), self.rest)


@final
@dataclass(frozen=True, eq=False)
class SummedLine(Line):
    """Only the bins with counts one by one, the linear rest in total: ``constant + slope * norm * total``.

    ``rows`` : the bins with counts; ``n_bins`` : of all; ``with_signal`` : gives those that have
    signal, for norms below 0 and for data that are expected.
    """

    rows: RowLine
    linear_slope: float
    total: float
    constant: float
    n_bins: int
    with_signal: Callable[[], RowLine]

    @cached_property
    def _seen(self) -> RowLine:
        return self.with_signal()

    @cached_property
    def _unseen(self) -> float:
        """-2 ln L of the bins that have none."""
        if self._seen.signal.size == self.n_bins:
            return 0.0
        nothing = np.zeros(1)
        return float(self.values(nothing)[0] - self._seen.values(nothing)[0])

    @cached_property
    def _elsewhere(self) -> float:
        """Signal in the bins without counts."""
        return self.total - float(np.sum(self.rows.signal))

    def signal_size(self) -> float:
        return self.total

    def domain(self) -> tuple[float, float]:
        return self.rows.domain()

    def values(self, norms: Array) -> Array:
        below = norms < 0
        if below.any():
            values = np.empty(norms.size)
            values[below], values[~below] = self._seen.values(norms[below]) + self._unseen, self.values(norms[~below])
            return values
        return self.rows.values(norms) + self.linear_slope * self._elsewhere * norms + self.constant

    def slope(self, norm: float) -> float:
        return self.rows.slope(norm) + self.linear_slope * self._elsewhere if norm >= 0 else self._seen.slope(norm)

    def curvature(self, norm: float) -> float:
        return self.rows.curvature(norm) if norm >= 0 else self._seen.curvature(norm)

    def expected_curvature(self, norm: float) -> float:
        return self._seen.expected_curvature(norm)

    def expected_ts(self, norm: float) -> float | None:
        return self._seen.expected_ts(norm)

    def expected_rise(self, norm: float) -> float | None:
        return self._seen.expected_rise(norm)
