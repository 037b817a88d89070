"""The data of a map dataset as its term sees it: bins with counts, bins without, and the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.statistics import Cash, Statistic

SLOPE = 2.0  # d(-2 ln L)/d(predicted) in a bin without counts, for Cash and W alike
_TINY = 1e-100  # its square is still a float
_DARK = 1e-20  # predicted counts, well above where Cash cuts them off


@final
@dataclass(frozen=True, eq=False)
class MapBins:
    """The data of a map dataset in the bins that enter.

    mask : (n_energy, ny, nx); energy, pixel : (n_rows,) of the bins with counts; statistic : of these bins; constant :
    what the bins without counts cost when nothing is predicted; off : their profiled background, 0 where it is known;
    make : the statistic of any bins, given as positions in the flat map.
    """

    mask: BoolArray
    energy: IntArray
    pixel: IntArray
    statistic: Statistic
    constant: float
    off: float
    make: Callable[[IntArray], Statistic]

    @classmethod
    def of(cls, mask: BoolArray, counts: MapArray, make: Callable[[IntArray], Statistic]) -> MapBins:
        """From the bins that enter, the counts, and the statistic that bins of the flat map have."""
        rows = np.flatnonzero((mask & (counts > 0)).ravel())
        energy, pixel = np.divmod(rows, mask[0].size)
        constant = off = 0.0
        statistic = make(rows)
        if statistic.profiles_background:
            empty = make(np.flatnonzero((mask & (counts == 0)).ravel()))
            linear = empty.linear()
            constant = float(np.sum(linear[2])) if linear is not None else 0.0
            off = float(np.sum(empty.background(np.zeros(empty.counts.size)))) if empty.counts is not None else 0.0
        return cls(mask, energy, pixel, statistic, constant, off, make)

    def positions(self) -> IntArray:
        """(n_rows,) of the bins with counts in the flat map, increasing."""
        return np.asarray(self.energy * self.mask[0].size + self.pixel)

    @cached_property
    def whole(self) -> Statistic:
        """The statistic of all bins that enter."""
        return self.make(np.flatnonzero(self.mask))

    def cut(self, first: int, last: int, counts: MapArray) -> MapBins | None:
        """The bins in a range of energies; None when there are none."""
        inside = np.zeros_like(self.mask)
        inside[first:last] = self.mask[first:last]
        if not inside.any():
            return None
        rows = self.take((self.energy >= first) & (self.energy < last))
        whole = MapBins.of(inside, counts, self.make)
        return replace(whole, energy=rows.energy, pixel=rows.pixel, statistic=rows.statistic)

    def take(self, rows: BoolArray) -> MapBins:
        """With some of the bins with counts only."""
        return replace(self, energy=self.energy[rows], pixel=self.pixel[rows], statistic=self.statistic.take(rows))


@final
@dataclass(frozen=True, eq=False)
class MapBackground:
    """Background counts times a factor of energy, which is a block of the flux vector; without a model the factor is 1.

    columns : (n_energy,) of the factors, or None; rows : (n_rows,) background in the bins with counts; totals :
    (n_energy,) background over all bins that enter; stored : (n_energy, ny, nx); is_negative : whether it is less than
    0 anywhere.
    """

    columns: slice | None
    rows: Array
    totals: Array
    stored: MapArray
    is_negative: bool = False

    def factor(self, flux: Array) -> Array:
        """(n_energy,)."""
        return np.ones(self.totals.size) if self.columns is None else flux[self.columns]


@final
class BackgroundBins:
    """Bins with counts that no source reaches: of a background times a factor of energy, only sums are needed.

    With Cash and ``mu = factor b`` they add ``sum -2 n ln b - sum over energies 2 N ln factor`` to what is linear in
    the prediction, N being their counts in an energy. W, which has no background to predict, is constant there.

    energy : (n,); statistic : of the n bins; background : (n,) counts predicted with a factor of 1
    """

    def __init__(self, energy: IntArray, statistic: Statistic, background: Array, n_energy: int) -> None:
        self._energy, self._statistic, self._background, self._n_energy = energy, statistic, background, n_energy
        self.n_counts = self.off = 0.0
        self._counts, self._sums, self._least = np.zeros(n_energy), np.zeros(n_energy), np.full(n_energy, np.inf)
        self._constant = float(np.sum(statistic.value(background) - SLOPE * background))
        if statistic.profiles_background:
            self.off = float(np.sum(statistic.background(background)))
        elif (counts := statistic.counts) is not None:
            self.n_counts = float(counts.sum())
            self._counts += np.bincount(energy, counts, n_energy)
            self._sums += np.bincount(energy, background, n_energy)
            np.minimum.at(self._least, energy, background)

    @classmethod
    def apart(
        cls, bins: MapBins, background: MapBackground, reached: BoolArray
    ) -> tuple[MapBins, MapBackground, BackgroundBins | None]:
        """The bins in pixels that a source reaches (ny, nx), the background there, and the other bins."""
        stays = reached.ravel()[bins.pixel]
        if not bins.statistic.profiles_background:
            stays |= background.rows <= _DARK
        away = ~stays
        if not away.any():
            return bins, background, None
        alone = cls(bins.energy[away], bins.statistic.take(away), background.rows[away], len(bins.mask))
        return bins.take(stays), replace(background, rows=background.rows[stays]), alone

    @classmethod
    def none(cls, n_energy: int) -> BackgroundBins:
        """No such bins."""
        nothing = np.zeros(0)
        return cls(nothing.astype(np.intp), Cash(nothing), nothing, n_energy)

    def holds(self, factor: Array) -> bool:
        """Whether the prediction is above where Cash cuts it off, with a factor (n_energy,)."""
        some = self._counts > 0
        return bool((factor[some] * self._least[some] > _DARK).all())

    def n_cut_off(self, factor: Array) -> int:
        """Bins whose factor (n_energy,) of the background is 0 or less."""
        return int(np.count_nonzero(factor[self._energy] <= 0))

    def value(self, factor: Array) -> float:
        """-2 ln L, less what is linear in the prediction."""
        some = self._counts > 0
        return self._constant - 2.0 * float(self._counts[some] @ np.log(factor[some]))

    def slope(self, factor: Array) -> Array:
        """Its derivative with respect to the factor, (n_energy,)."""
        return np.asarray(-2.0 * self._counts / np.where(self._counts > 0, factor, 1.0))

    def curvature(self, factor: Array, *, expected: bool = False) -> Array:
        """Its second derivative, (n_energy,); ``expected`` keeps it large far from the minimum."""
        factor = np.where(factor > 0, np.maximum(factor, _TINY), 1.0)
        curvature = 2.0 * self._counts / factor**2
        return np.maximum(curvature, 2.0 * self._sums / factor) if expected else curvature

    def cut(self, first: int, last: int) -> BackgroundBins:
        """The bins in energies ``first:last``."""
        kept = np.flatnonzero((self._energy >= first) & (self._energy < last))
        return BackgroundBins(self._energy[kept], self._statistic.take(kept), self._background[kept], self._n_energy)
