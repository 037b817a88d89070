"""A term of the likelihood: bins whose prediction is linear in the flux vector, under one statistic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, anywhere
from gm.datasets import Datasets
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, Curvature, LikelihoodTerm, PredictedBins, Pullback
from gm.likelihood.dark import DarkBins, dark_bins
from gm.likelihood.flux_shares import as_slice
from gm.likelihood.line import RowLine
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint
from gm.likelihood.products import weighted_square
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.spectra.folds import Fold
from gm.statistics import Statistic

DARK = 1e-30  # flux [cm-2 s-1], of which no exposure makes as much as Cash can tell from nothing


@final
class Term(LikelihoodTerm):
    """Bins of several datasets under one statistic, ``predicted = offset + sum of folds``.

    Empty bins are linear in the prediction while nothing is negative, so they are summed once at construction; each
    evaluation then touches the bins with counts alone. A negative flux sends the term down its dense path, over all.

    ``offset`` (n_rows,) is what is predicted without any model; ``dataset`` and ``bin`` (n_rows,) say which dataset,
    and which of its energy bins, a row is.
    """

    def __init__(
        self,
        statistic: Statistic,
        folds: Sequence[Fold],
        offset: Array,
        dataset: IntArray,
        bin: IntArray,
        n_columns: int,
    ) -> None:
        self.statistic, self.folds, self.offset, self.dataset, self.bin = statistic, folds, offset, dataset, bin
        self._columns = _columns_of(folds)
        self._is_linear = all(fold.is_linear for fold in folds)
        self._is_negative_anyway = anywhere(offset < 0) or not all(fold.is_positive() for fold in folds)
        self._sparse = self._summed(n_columns)

    def _summed(self, n_columns: int) -> _Summed | None:
        linear = self.statistic.linear()
        if linear is None or not anywhere(linear[0]) or self._is_negative_anyway or not self._is_linear:
            return None
        empty, slope, intercept = linear
        d_flux, counted = np.zeros(n_columns), ~empty
        _pull_back(self.folds, np.where(empty, slope, 0.0), d_flux)
        own = _in_order(self._columns)
        return _Summed(
            d_flux=d_flux,
            own=own,
            d_own=d_flux[own],
            constant=float(intercept[empty].sum() + slope * self.offset[empty].sum()),
            statistic=self.statistic.take(counted),
            folds=[fold.take(counted) for fold in self.folds],
            offset=self.offset[counted],
            dataset=self.dataset[counted],
        )

    @property
    def n_bins(self) -> int:
        """Bins that enter the statistic."""
        return self.offset.size

    def _is_first(self) -> BoolArray:
        """Which rows are the first of their dataset, (n_rows,)."""
        is_first = np.ones(self.n_bins, dtype=bool)
        np.not_equal(self.dataset[1:], self.dataset[:-1], out=is_first[1:])
        return is_first

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        starts = np.flatnonzero(self._is_first())
        return list(zip(self.dataset[starts].tolist(), np.split(self.bin, starts[1:]), strict=True))

    def measured_again(self, datasets: Datasets, n_columns: int) -> Term:
        measured = [datasets[number].measurement().columns(as_slice(bins)) for number, bins in self.energy_bins()]
        statistic = type(self.statistic)(*(np.concatenate(parts) for parts in zip(*measured, strict=True)))
        return Term(statistic, self.folds, self.offset, self.dataset, self.bin, n_columns)

    def cut(self, ranges: IntArray, n_columns: int) -> Term | None:
        """The term on a range of energy bins per dataset; ``ranges`` (n_datasets, 2) holds first and last + 1 bin."""
        first, last = ranges.T
        keep = (first[self.dataset] <= self.bin) & (self.bin < last[self.dataset])
        return self.take(keep, n_columns) if keep.any() else None

    def take(self, keep: BoolArray, n_columns: int) -> Term:
        """The term on the kept rows; ``keep`` is (n_rows,)."""
        folds = [fold.take(keep) for fold in self.folds]
        kept = self.offset[keep], self.dataset[keep], self.bin[keep]
        return Term(self.statistic.take(keep), folds, *kept, n_columns)

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        """Statistic and predicted counts per dataset; ``by_component`` are flux vectors with one component each."""
        is_first = self._is_first()
        starts, index = np.flatnonzero(is_first), np.cumsum(is_first) - 1
        datasets = self.dataset[starts]

        def sums(rows: Array) -> Array:
            return np.bincount(index, weights=rows, minlength=datasets.size).astype(np.float64)

        rows = self.predict(flux)
        predicted = sums(rows + self.statistic.background(rows))
        columns = sums(np.ones_like(rows)), sums(self.statistic.value(rows)), predicted
        parts = {
            name: sums(_predict(self.folds, np.zeros_like(self.offset), its)) for name, its in by_component.items()
        }
        beyond = self.statistic.extrapolated(rows)
        n_beyond = np.zeros(datasets.size) if beyond is None else sums(beyond.astype(np.float64))
        components = [{name: float(part[i]) for name, part in parts.items()} for i in range(datasets.size)]
        return [
            TermReport(int(d), int(n), float(value), float(total), its, counts=counted, extrapolated=int(far))
            for d, n, value, total, its, counted, far in zip(
                datasets, *columns, components, self._counts(starts), n_beyond, strict=True
            )
        ]

    def _counts(self, starts: IntArray) -> list[float] | list[None]:
        """Of each dataset, from the first of its rows (n_datasets,); None where nothing is counted."""
        counts = self.statistic.counts
        if counts is None:
            return [None] * starts.size
        return list(np.add.reduceat(counts, starts, dtype=np.float64).tolist())

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> EnergyReport:
        rows, nothing = self.predict(flux), np.zeros_like(self.offset)
        off = self.statistic.background(rows)
        return EnergyReport(
            dataset=self.dataset,
            bin=self.bin,
            n_bins=np.ones(rows.size, dtype=np.intp),
            counts=self.statistic.counts,
            predicted=rows + off,
            background=self.predict(background) + off,
            residual=self.statistic.residuals(rows),
            components={name: _predict(self.folds, nothing, its) for name, its in by_component.items()},
        )

    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""
        lowest = (np.minimum.reduce(flux[part], initial=1.0) for part in self._columns)
        if not self._is_negative_anyway and all(one > DARK for one in lowest):
            return 0
        least = self.statistic.least()
        if least is None or not (is_cut_off := self.predict(flux) <= least).any():
            return 0
        could_be = _predict(self.folds, np.zeros_like(self.offset), np.ones_like(flux)) > 0
        return int(np.count_nonzero(is_cut_off & could_be))

    def dark(self, flux: Array) -> list[DarkBins]:
        return dark_bins(self.statistic, self.dataset, self.predict(flux))

    def predicted(self, flux: Array) -> list[PredictedBins]:
        """The prediction of each row, by dataset."""
        rows = self.predict(flux)
        starts = np.flatnonzero(self._is_first())
        parts = np.split(np.arange(rows.size), starts[1:])
        return [PredictedBins(int(self.dataset[part[0]]), self.bin[part], rows[part]) for part in parts]

    def line(self, rest: Array, signal: Array) -> RowLine:
        """-2 ln L where the flux vector is ``rest + norm * signal``."""
        folds = self.folds if self._is_linear else _at(self.folds, rest)
        return RowLine(self.statistic, _predict(folds, np.zeros_like(self.offset), signal), self.predict(rest))

    def _is_negative(self, flux: Array) -> bool:
        if np.minimum.reduce(flux, initial=0.0) >= 0:
            return False
        return any(np.minimum.reduce(flux[columns], initial=0.0) < 0 for columns in self._columns)

    def predict(self, flux: Array) -> Array:
        """Predicted counts (or flux) of every row, (n_rows,)."""
        return _predict(self.folds, self.offset, flux)

    def pull_back(self, weights: Array, d_flux: Array) -> None:
        """Add what derivatives by the prediction of every row (n_rows,) make to those by the vector, (n_columns,)."""
        _pull_back(self.folds, weights, d_flux)

    def jacobian(self, flux_jacobian: Array) -> Array:
        """Derivatives of all predictions, (n_rows, n_free), from those of the vector, (n_columns, n_free)."""
        return _jacobian(self.folds, self.n_bins, flux_jacobian)

    def value(self, flux: Array) -> float:
        """-2 ln L of the term."""
        sparse = self._sparse
        if sparse is None or self._is_negative(flux):
            return self.statistic.total(self.predict(flux))
        total = sparse.statistic.total(_predict(sparse.folds, sparse.offset, flux))
        return total + sparse.linear(flux)

    def pullback(self, flux: Array) -> Pullback:
        """-2 ln L, and its derivative with respect to each flux."""
        sparse = self._sparse
        if sparse is None or self._is_negative(flux):
            folds = self.folds if self._is_linear else _at(self.folds, flux)
            value, weights = self.statistic.total_and_derivative(_predict(folds, self.offset, flux))
            d_flux = np.zeros(flux.size)
            _pull_back(folds, weights, d_flux)
            return Pullback(value, d_flux)
        value, weights = sparse.statistic.total_and_derivative(_predict(sparse.folds, sparse.offset, flux))
        d_flux = sparse.d_flux.copy()
        _pull_back(sparse.folds, weights, d_flux)
        return Pullback(value + sparse.linear(flux), d_flux)

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        starts = np.flatnonzero(self._is_first())
        values = self.statistic.value(self.predict(flux))
        return self.dataset[starts], np.add.reduceat(values, starts) if starts.size else np.empty(0)

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Block:
        """``J^T diag(d2 W / d predicted2) J``; with ``expected`` the curvature is averaged over the data."""
        jacobian, curvature, _ = self._curved(flux, flux_jacobian, expected=expected)
        return Block.of(weighted_square(jacobian, curvature))

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        return ByDataset.of_rows(*self._curved(flux, flux_jacobian, expected=expected), n_shared)

    @property
    def is_light(self) -> bool:
        return True

    @property
    def knows_second_derivatives(self) -> bool:
        return self._is_linear and self.statistic.knows_curvature

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> Curvature | None:
        """The observed information, since predictions are linear in the vector."""
        return Curvature(self.information(flux, flux_jacobian)) if self.knows_second_derivatives else None

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Sequence[ImageAdjoint]] | None:
        """The observed information, since predictions are linear in the vector."""
        if not self.knows_second_derivatives:
            return None
        return self.information_by_dataset(flux, flux_jacobian, n_shared), ()

    def _curved(self, flux: Array, flux_jacobian: Array, *, expected: bool) -> tuple[Array, Array, IntArray]:
        """Derivatives of the rows (n_rows, n_free) that have a curvature, that (n_rows,), and their datasets."""
        rows = self if expected or self._sparse is None or self._is_negative(flux) else self._sparse
        folds = rows.folds if self._is_linear else _at(rows.folds, flux)
        predicted = _predict(folds, rows.offset, flux)
        jacobian = _jacobian(folds, predicted.size, flux_jacobian)
        statistic = rows.statistic
        curvature = statistic.expected_curvature(predicted) if expected else statistic.curvature(predicted)
        return jacobian, curvature, rows.dataset


@dataclass(frozen=True, eq=False)
class _Summed:
    """The bins with counts, and the sum over the empty ones: ``constant + d_flux @ flux``.

    own : the columns that the term reads, and ``d_own`` the derivative by these: what others read changes no bit
    """

    d_flux: Array
    own: IntArray | slice
    d_own: Array
    constant: float
    statistic: Statistic
    folds: Sequence[Fold]
    offset: Array
    dataset: IntArray

    def linear(self, flux: Array) -> float:
        """-2 ln L of the empty bins."""
        return float(self.d_own.dot(flux[self.own])) + self.constant


def _in_order(columns: Sequence[IntArray | slice]) -> IntArray | slice:
    """All columns that folds read, each once, in the order of the folds."""
    if len(columns) == 1 and isinstance(columns[0], slice):
        return columns[0]
    every = [np.arange(part.start, part.stop) if isinstance(part, slice) else part for part in columns]
    found, first = np.unique(np.concatenate(every or [np.empty(0, dtype=np.intp)]), return_index=True)
    return as_slice(found[np.argsort(first)])


def _columns_of(folds: Sequence[Fold]) -> list[IntArray | slice]:
    return [fold.columns for fold in folds]


def _predict(folds: Sequence[Fold], offset: Array, flux: Array) -> Array:
    predicted = offset.copy()
    for fold in folds:
        fold.add_predicted(flux, predicted)
    return predicted


def _at(folds: Sequence[Fold], flux: Array) -> list[Fold]:
    return [fold.at(flux) for fold in folds]


def _pull_back(folds: Sequence[Fold], weights: Array, d_flux: Array) -> None:
    for fold in folds:
        fold.add_adjoint(weights, d_flux)


def _jacobian(folds: Sequence[Fold], n_rows: int, flux_jacobian: Array) -> Array:
    jacobian = np.zeros((n_rows, flux_jacobian.shape[1]))
    for fold in folds:
        fold.add_jacobian(flux_jacobian, jacobian)
    return jacobian
