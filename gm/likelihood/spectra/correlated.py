"""A term of the likelihood: flux points that are compared with what is predicted together, with their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets import Datasets
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, LikelihoodTerm, PredictedBins, Pullback
from gm.likelihood.flux_shares import as_slice
from gm.likelihood.line import Line, RowLine
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint
from gm.likelihood.products import times, transposed_times
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.spectra.term import Term
from gm.statistics import Chi2


@final
class CorrelatedTerm(LikelihoodTerm):
    """``r^T C^-1 r`` of the points of one dataset, ``r = measured - predicted``.

    With ``C = L L^T`` it is the chi-square of ``L^-1 r``, numbers of error 1 that are independent; points that are
    left out take their rows and columns of C along.

    rows : predicts, and knows the points one by one; covariance : (n_rows, n_rows) of what was measured
    """

    def __init__(self, rows: Term, covariance: Array) -> None:
        assert isinstance(rows.statistic, Chi2)  # what a covariance belongs to
        self.rows, self.covariance = rows, covariance
        error = np.sqrt(np.diag(covariance))
        factor = np.linalg.cholesky(covariance / np.outer(error, error))
        self._whiten = np.linalg.inv(factor) / error
        self._statistic = Chi2(times(self._whiten, rows.statistic.dnde), np.ones(error.size))

    def _whitened(self, flux: Array) -> Array:
        return times(self._whiten, self.rows.predict(flux))

    @property
    def n_bins(self) -> int:
        return self.rows.n_bins

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        return self.rows.energy_bins()

    def value(self, flux: Array) -> float:
        return self._statistic.total(self._whitened(flux))

    def pullback(self, flux: Array) -> Pullback:
        value, slope = self._statistic.total_and_derivative(self._whitened(flux))
        d_flux = np.zeros(flux.size)
        self.rows.pull_back(transposed_times(self._whiten, slope), d_flux)
        return Pullback(value, d_flux)

    def _jacobian(self, flux_jacobian: Array) -> Array:
        """Of the independent numbers, (n_rows, n_free)."""
        return np.asarray(self._whiten @ self.rows.jacobian(flux_jacobian))

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Block:
        """``2 J^T C^-1 J``, the second derivatives themselves but for the curvature of the fluxes."""
        jacobian = self._jacobian(flux_jacobian)
        return Block.of(2.0 * (jacobian.T @ jacobian))

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        jacobian = self._jacobian(flux_jacobian)
        return ByDataset.of_rows(jacobian, np.full(len(jacobian), 2.0), self.rows.dataset, n_shared)

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, tuple[ImageAdjoint, ...]]:
        return self.information_by_dataset(flux, flux_jacobian, n_shared), ()

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        return self.rows.dataset[:1], np.array([self.value(flux)])

    def n_cut_off(self, flux: Array) -> int:
        return 0

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        [report] = self.rows.report(flux, by_component)
        return [replace(report, statistic=self.value(flux))]

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> EnergyReport:
        """The residual of a point is beside what those before it lead to expect of it: their squares add up to the
        statistic."""
        report = self.rows.by_energy(flux, background, by_component)
        return replace(report, residual=self._statistic.residuals(self._whitened(flux)))

    def predicted(self, flux: Array) -> list[PredictedBins]:
        return self.rows.predicted(flux)

    def line(self, rest: Array, signal: Array) -> Line:
        along = self.rows.line(rest, signal)
        return RowLine(self._statistic, times(self._whiten, along.signal), times(self._whiten, along.rest))

    def measured_again(self, datasets: Datasets, n_columns: int) -> CorrelatedTerm | None:
        [(number, bins)] = self.energy_bins()
        covariance = datasets[number].measurement().covariance(as_slice(bins))
        return None if covariance is None else CorrelatedTerm(self.rows.measured_again(datasets, n_columns), covariance)

    def cut(self, ranges: IntArray, n_columns: int) -> CorrelatedTerm | None:
        first, last = ranges.T
        keep = (first[self.rows.dataset] <= self.rows.bin) & (self.rows.bin < last[self.rows.dataset])
        return self.take(keep, n_columns) if keep.any() else None

    def take(self, keep: BoolArray, n_columns: int) -> CorrelatedTerm:
        """The term on the kept rows; ``keep`` is (n_rows,)."""
        return CorrelatedTerm(self.rows.take(keep, n_columns), self.covariance[keep][:, keep])
