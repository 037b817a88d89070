"""What the statistic of a dataset is made of: the values that were measured, bin by bin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.statistics import Cash, Statistic, WStat

Columns: TypeAlias = tuple[Array | BoolArray, ...]
"""The arguments of a statistic, each (n_bins,) or (n_bins, n)."""


class Measurement(ABC):
    """The measured values of all bins of a dataset, and the statistic that compares them with what is predicted.

    ``bins`` are positions in the flattened arrays, (n_bins,).
    """

    @property
    @abstractmethod
    def kind(self) -> type[Statistic]:
        """The statistic."""

    @abstractmethod
    def columns(self, bins: IntArray | slice) -> Columns:
        """What the statistic of some bins is made of."""

    def covariance(self, bins: IntArray | slice) -> Array | None:
        """That of the measured values of some bins, (n_bins, n_bins), where these do not stand for themselves."""
        return None

    def statistic(self, bins: IntArray) -> Statistic:
        """The statistic of some bins."""
        return self.kind(*self.columns(bins))


@final
@dataclass(frozen=True, eq=False)
class MeasuredColumns(Measurement):
    """Columns of a table that a statistic takes as they are; with their covariance, (n, n), or None."""

    values: Columns
    compared_by: type[Statistic]
    matrix: Array | None = None

    @property
    def kind(self) -> type[Statistic]:
        return self.compared_by

    def columns(self, bins: IntArray | slice) -> Columns:
        return tuple(column[bins] for column in self.values)

    def covariance(self, bins: IntArray | slice) -> Array | None:
        return None if self.matrix is None else self.matrix[bins][:, bins]


@final
@dataclass(frozen=True, eq=False)
class MeasuredCounts(Measurement):
    """Counts where the background is known. counts : (n,)"""

    counts: MapArray
    kind = Cash

    def columns(self, bins: IntArray | slice) -> Columns:
        return (self.counts[bins].astype(np.float64, copy=False),)


@final
@dataclass(frozen=True, eq=False)
class MeasuredOnOff(Measurement):
    """Counts ON and OFF with their acceptances, each (n,)."""

    counts: MapArray
    counts_off: MapArray
    acceptance: MapArray
    acceptance_off: MapArray
    kind = WStat

    def columns(self, bins: IntArray | slice) -> Columns:
        on, off, acceptance = (
            values[bins].astype(np.float64, copy=False) for values in (self.counts, self.counts_off, self.acceptance)
        )
        return on, off, acceptance / self.acceptance_off[bins]
