"""The term of one map dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.likelihood.map_sources import FixedSource, MapSource
from gm.statistics import Statistic

SLOPE = 2.0  # d(-2 ln L)/d(predicted) in a bin without counts, for Cash and W alike


@final
class MapBackground:
    """Background counts times a factor of energy, which is a block of the flux vector; without a model the factor is 1.

    columns : (n_energy,) of the factors, or None; rows : (n_rows,) background in the bins with counts; energy : (n_rows,)
    their energy bins; totals : (n_energy,) background in all bins that enter.
    """

    def __init__(self, columns: slice | None, rows: Array, energy: IntArray, totals: Array) -> None:
        self.columns, self.rows, self.energy, self.totals = columns, rows, energy, totals

    def factor(self, flux: Array) -> Array:
        return np.ones(self.totals.size) if self.columns is None else flux[self.columns]


@final
class MapTerm:
    """-2 ln L of one map dataset: sums over all bins once per shape, values only where there are counts.

    dataset : its position; energy, pixel : (n_rows,) where the bins with counts are; statistic : of these bins;
    constant : what bins without counts cost when nothing is predicted; mask : (n_energy, ny, nx); whole : the statistic of
    all bins that enter, for predictions that are negative somewhere.
    """

    def __init__(
        self,
        dataset: int,
        energy: IntArray,
        pixel: IntArray,
        statistic: Statistic,
        constant: float,
        sources: Sequence[MapSource],
        background: MapBackground,
        mask: BoolArray,
    ) -> None:
        self.dataset, self.energy, self.pixel = dataset, energy, pixel
        self.statistic, self.constant, self.sources, self.background, self.mask = (
            statistic,
            constant,
            list(sources),
            background,
            mask,
        )
