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


class Line(ABC):
    """-2 ln L of one term as a convex function of one norm."""

    @abstractmethod
    def value(self, norm: float) -> float:
        """-2 ln L."""

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


@final
@dataclass(frozen=True, eq=False)
class RowLine(Line):
    """Bin by bin; ``signal`` and ``rest`` are (n_bins,)."""

    statistic: Statistic
    signal: Array
    rest: Array

    def _at(self, norm: float) -> Array:
        return np.asarray(norm * self.signal + self.rest)

    def value(self, norm: float) -> float:
        return float(np.sum(self.statistic.value(self._at(norm))))

    def slope(self, norm: float) -> float:
        return float(self.signal @ self.statistic.value_and_derivative(self._at(norm))[1])

    def curvature(self, norm: float) -> float:
        return float(self.signal**2 @ self.statistic.curvature(self._at(norm)))

    def expected_curvature(self, norm: float) -> float:
        return float(self.signal**2 @ self.statistic.expected_curvature(self._at(norm)))

    def expected_ts(self, norm: float) -> float | None:
        predicted = self._at(norm)
        asimov = self.statistic.asimov(predicted)
        return None if asimov is None else float(np.sum(asimov.value(self.rest) - asimov.value(predicted)))


@final
@dataclass(frozen=True, eq=False)
class SummedLine(Line):
    """Only the bins with counts one by one, the linear rest in total: ``constant + slope (total_rest + norm total)``.

    ``rows`` : the bins with counts; ``make_whole`` : all bins, for norms below 0 and for data that are expected.
    """

    rows: RowLine
    linear_slope: float
    total: float
    constant: float
    make_whole: Callable[[], RowLine]

    @cached_property
    def _whole(self) -> RowLine:
        return self.make_whole()

    def value(self, norm: float) -> float:
        if norm < 0:
            return self._whole.value(norm)
        excess = norm * (self.total - float(np.sum(self.rows.signal)))
        return self.rows.value(norm) + self.linear_slope * excess + self.constant

    def slope(self, norm: float) -> float:
        if norm < 0:
            return self._whole.slope(norm)
        return self.rows.slope(norm) + self.linear_slope * (self.total - float(np.sum(self.rows.signal)))

    def curvature(self, norm: float) -> float:
        return self.rows.curvature(norm) if norm >= 0 else self._whole.curvature(norm)

    def expected_curvature(self, norm: float) -> float:
        return self._whole.expected_curvature(norm)

    def expected_ts(self, norm: float) -> float | None:
        return self._whole.expected_ts(norm)
