"""The term of one map dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import final

import numpy as np

from gm.arrays import Array, IntArray, MapArray, distinct
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, Curvature, LikelihoodTerm, PredictedBins, Pullback
from gm.likelihood.dark import DarkBins, dark_bins
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line, RowLine, SummedLine
from gm.likelihood.maps.bins import SLOPE, BackgroundBins, MapBackground, MapBins
from gm.likelihood.maps.by_energy import map_by_energy
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.prediction import MapPrediction
from gm.likelihood.maps.sources.image import MapSource, add_overlap
from gm.likelihood.products import times, transposed_times, weighted_rows
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.spectra.term import DARK


@final
class MapTerm(LikelihoodTerm):
    """-2 ln L of one map dataset: a sum over all bins, linear in the fluxes, and values where there are counts.

    bins : with the bins with counts that a source reaches; alone : the others, if there are any; whole : what is
    predicted on all energies, of which this is a part
    """

    def __init__(
        self,
        dataset: int,
        counts: MapArray,
        bins: MapBins,
        sources: Sequence[MapSource],
        background: MapBackground,
        alone: BackgroundBins | None = None,
        whole: MapPrediction | None = None,
    ) -> None:
        self.dataset, self.bins, self.background, self._counts = dataset, bins, background, counts
        self.prediction = MapPrediction(bins, sources, background)
        self._alone, self._whole = alone or BackgroundBins.none(len(bins.mask)), whole or self.prediction
        self._last_whole: tuple[bytes, Array] | None = None

    @property
    def sources(self) -> list[MapSource]:
        return self.prediction.sources

    @property
    def n_bins(self) -> int:
        """Bins that enter the statistic."""
        return int(np.count_nonzero(self.bins.mask))

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        return [(self.dataset, np.flatnonzero(self.bins.mask.any(axis=(1, 2))))]

    def value(self, flux: Array) -> float:
        """-2 ln L of the dataset."""
        if (whole := self._clipped(flux)) is not None:
            return float(np.sum(self.bins.whole.value(whole)))
        rows, total = self.prediction.rows(flux)
        at_rows = float(np.sum(self.bins.statistic.value(rows) - SLOPE * rows))
        return at_rows + SLOPE * total + self.bins.constant + self._alone.value(self.background.factor(flux))

    def pullback(self, flux: Array) -> Pullback:
        """-2 ln L, and its derivative with respect to the flux vector."""
        if (whole := self._clipped(flux)) is not None:
            return self._clipped_pullback(flux, whole)
        d_flux, shared = np.zeros_like(flux), list[ImageAdjoint]()
        (rows, total), factor = self.prediction.rows(flux), self.background.factor(flux)
        values, weights = self.bins.statistic.value_and_derivative(rows)
        weights = weights - SLOPE
        for source in self.sources:
            response = source.response(flux)
            d_flux[source.columns] += transposed_times(response.matrix, weights[response.rows])
            d_flux[source.columns] += SLOPE * response.total
            if source.n_shape:
                by_shape, its_shared = source.shape_pullback(flux, weights, SLOPE)
                d_flux[source.shape_columns] += by_shape
                shared += its_shared
        if self.background.columns is not None:
            by_energy = np.bincount(self.bins.energy, weights * self.background.rows, self.background.totals.size)
            d_flux[self.background.columns] += by_energy + SLOPE * self.background.totals + self._alone.slope(factor)
        at_rows = float(np.sum(values - SLOPE * rows))
        value = at_rows + SLOPE * total + self.bins.constant + self._alone.value(factor)
        return Pullback(value, d_flux, shared)

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Block:
        """``J^T diag(curvature) J`` over the bins with counts; ``expected`` keeps it large far from the minimum."""
        rows, _ = self.prediction.rows(flux)
        used, by_column = self._used(flux_jacobian)
        jacobian = self._jacobian(flux, by_column, [s.slopes_about(flux) for s in self.sources])
        statistic = self.bins.statistic
        curvature = statistic.curvature(rows)
        if expected:
            curvature = np.maximum(curvature, statistic.expected_curvature(rows))
        alone = self._alone_curvature(flux, by_column, expected=expected)
        return Block(used, weighted_rows(jacobian, curvature) + alone)

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        return np.array([self.dataset], dtype=np.intp), np.array([self.value(flux)])

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        block = self.information(flux, flux_jacobian, expected=expected)
        return ByDataset.of_matrix(block.over(flux_jacobian.shape[1]), self.dataset, n_shared)

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Sequence[ImageAdjoint]] | None:
        found = self.second_derivatives(flux, flux_jacobian, steps)
        if found is None:
            return None
        whole = found.block.over(flux_jacobian.shape[1])
        return ByDataset.of_matrix(whole, self.dataset, n_shared), found.shared

    @property
    def is_heavy(self) -> bool:
        """Whether a shape is folded again when it changes."""
        return any(source.is_heavy for source in self.sources)

    @property
    def knows_second_derivatives(self) -> bool:
        return True

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> Curvature | None:
        """Second derivatives but for the curvature of the fluxes; None where bins are clipped.

        ``J^T diag(curvature) J``, and what a change of shape does to the slopes by fluxes and by the shape itself;
        ``steps`` (n_columns,) are the differences over which shapes are compared.
        """
        if self._clipped(flux) is not None:
            return None
        used, by_column = self._used(flux_jacobian)
        rows, _ = self.prediction.rows(flux)
        weights = self.bins.statistic.value_and_derivative(rows)[1] - SLOPE
        exact = [source.slopes(flux) for source in self.sources]
        second = weighted_rows(self._jacobian(flux, by_column, exact), self.bins.statistic.curvature(rows))
        second += self._alone_curvature(flux, by_column)
        shared: list[ImageAdjoint] = []
        for source in self.sources:
            if not source.n_shape:
                continue
            spectral, shape = by_column[source.columns], by_column[source.shape_columns]
            slopes = np.zeros((source.n_shape, len(spectral)))
            for k, slope in enumerate(source.slopes(flux)):
                if slope is not None:
                    slopes[k] = transposed_times(slope.matrix, weights[slope.rows]) + SLOPE * slope.total
            mixed = shape.T @ slopes @ spectral
            bend, its_shared = source.shape_curvature(flux, weights, SLOPE, steps[source.shape_columns])
            shared += its_shared
            second += mixed + mixed.T + shape.T @ bend @ shape
        return Curvature(Block(used, second), shared)

    def _used(self, flux_jacobian: Array) -> tuple[IntArray, Array]:
        """Which parameters the term depends on, and the derivatives by them, (n_columns, n_used), of its columns alone:
        with many maps the others are many."""
        own = flux_jacobian[self._columns]
        used = np.flatnonzero(own.any(axis=0))
        by_column = np.zeros((len(flux_jacobian), used.size), order="F")
        by_column[self._columns] = own[:, used]
        return used, by_column

    @cached_property
    def _columns(self) -> IntArray:
        """Those of the flux vector that the term reads."""
        parts = [part for source in self.sources for part in (source.columns, source.shape_columns)]
        parts += [] if self.background.columns is None else [self.background.columns]
        return distinct(np.concatenate([np.empty(0, dtype=np.intp), *(np.arange(p.start, p.stop) for p in parts)]))

    def _alone_curvature(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Array:
        """What bins without a source add to the second derivatives, (n_par, n_par)."""
        if self.background.columns is None:
            return np.zeros((flux_jacobian.shape[1], flux_jacobian.shape[1]))
        curvature = self._alone.curvature(self.background.factor(flux), expected=expected)
        return weighted_rows(flux_jacobian[self.background.columns].T, curvature)

    def _jacobian(self, flux: Array, flux_jacobian: Array, slopes: list[Sequence[Response | None]]) -> Array:
        """Derivatives of the bins with counts, (n_par, n_rows), from the slopes of every source."""
        jacobian = np.zeros((flux_jacobian.shape[1], self.bins.energy.size))
        for source, by_value in zip(self.sources, slopes, strict=True):
            response, spectrum = source.response(flux), flux[source.columns]
            for k, by_column in enumerate(flux_jacobian[source.columns].T):
                if by_column.any():
                    jacobian[k, response.rows] += times(response.matrix, by_column)
            for slope, by_shape in zip(by_value, flux_jacobian[source.shape_columns], strict=True):
                if slope is not None:
                    moved = times(slope.matrix, spectrum)
                    for moving in np.flatnonzero(by_shape):
                        jacobian[moving, response.rows] += by_shape[moving] * moved
        if self.background.columns is not None:
            for k, by_column in enumerate(flux_jacobian[self.background.columns].T):
                if by_column.any():
                    jacobian[k] += self.background.rows * by_column[self.bins.energy]
        return jacobian

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        """Statistic and predicted counts of the dataset; ``by_component`` are flux vectors with one component each."""
        rows, total = self.prediction.rows(flux)
        off = self.bins.off + self._alone.off
        if self.bins.statistic.profiles_background:
            off += float(np.sum(self.bins.statistic.background(rows)))
        components = {
            name: sum(float(source.response(its).total @ its[source.columns]) for source in self.sources)
            for name, its in by_component.items()
        }
        losses = {
            source.name: source.loss.fractions(by_component[source.name][source.columns])
            for source in self.sources
            if source.loss is not None and source.name in by_component
        }
        counts = None  # those in bins without acceptance, which W leaves out, are not at hand
        if not self.bins.statistic.profiles_background:
            at = self.bins.energy, self.bins.pixel
            counts = float(self._counts.reshape(len(self._counts), -1)[at].sum(dtype=np.float64)) + self._alone.n_counts
        return [TermReport(self.dataset, self.n_bins, self.value(flux), total + off, components, losses, counts)]

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> EnergyReport:
        found = self.bins, self._counts, self.prediction
        return map_by_energy(self.dataset, *found, background, by_component)

    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""
        least = self.bins.statistic.least()
        if least is None or not self.prediction.is_dark(flux, DARK):
            return 0
        is_cut_off = self.prediction.rows(flux)[0] <= least
        if is_cut_off.any():
            is_cut_off &= self.prediction.could_be(flux)
        return int(np.count_nonzero(is_cut_off)) + self._alone.n_cut_off(self.background.factor(flux))

    def dark(self, flux: Array) -> list[DarkBins]:
        """In the bins that are apart since no source reaches them there is a background."""
        rows = self.prediction.rows(flux)[0]
        return dark_bins(self.bins.statistic, np.full(rows.size, self.dataset), rows)

    def forget(self) -> None:
        self._last_whole = None
        for prediction in (self.prediction, self._whole):
            prediction.forget()
        for source in self.sources:
            source.forget()

    def forget_others(self, flux: Array, *, alike: bool) -> None:
        for source in self.sources:
            if source.n_shape:
                source.forget_others(flux, alike=alike)

    def left_behind(self, flux: Array) -> list[str]:
        """Components whose shape has moved or grown beyond what their responses were made for."""
        return [s.name for s in self.sources if s.n_shape and not s.reach.covers(flux[s.shape_columns])]

    def is_current(self, flux: Array) -> bool:
        """Whether shapes are sampled as they would be if a fit started with them."""
        return all(s.reach.is_current(flux[s.shape_columns]) for s in self.sources if s.n_shape)

    @property
    def has_integrals(self) -> bool:
        """Whether shapes are integrated over pixels for a fit where the conventions have sums."""
        return any(s.has_integrals for s in self.sources)

    def lattices(self) -> list[Lattice]:
        """Free positions in which the statistic has kinks where they cross pixel centres."""
        found = (source.lattice() for source in self.sources)
        return [lattice for lattice in found if lattice is not None]

    def predicted(self, flux: Array) -> list[PredictedBins]:
        return [PredictedBins(self.dataset, np.flatnonzero(self.bins.mask), self.prediction.whole(flux))]

    def line(self, rest: Array, signal: Array) -> Line:
        """-2 ln L where the flux vector is ``rest + norm * signal``."""
        (rows, total), (more, added) = self.prediction.rows(rest), self.prediction.signal_rows(rest, signal)
        factor, columns = self.background.factor(rest), self.background.columns
        is_along = self._alone.n_counts > 0 and columns is not None and bool(signal[columns].any())
        is_linear = not (self.prediction.may_be_negative(rest) or self.prediction.has_negative_fluxes(signal))
        if is_along or not is_linear or not self._alone.holds(factor):  # a signal has no shapes of its own
            return RowLine(self.bins.whole, self.prediction.signal_whole(rest, signal), self.prediction.whole(rest))
        return SummedLine(
            rows=RowLine(self.bins.statistic, more, rows),
            linear_slope=SLOPE,
            total=added,
            constant=self.bins.constant + self._alone.value(factor) + SLOPE * (total - float(np.sum(rows))),
            n_bins=self.n_bins,
            with_signal=partial(self._with_signal, rest, signal),
        )

    def _with_signal(self, rest: Array, signal: Array) -> RowLine:
        """The bins that enter in which ``signal`` predicts something."""
        columns = self.background.columns
        if columns is not None and signal[columns].any():
            return RowLine(self.bins.whole, self.prediction.signal_whole(rest, signal), self.prediction.whole(rest))
        alone = self.prediction.instead(rest, signal)
        parts = [source.counts(alone) for source in self.sources if signal[source.columns].any()]
        y, x = _around([y for y, _, _ in parts]), _around([x for _, x, _ in parts])
        mask = self.bins.mask[:, y, x]
        counts = np.zeros(mask.shape)
        for part in parts:
            add_overlap(part, y, x, counts)
        energy, row, column = np.nonzero(mask & (counts != 0))
        at = np.ravel_multi_index((energy, row + y.start, column + x.start), self.bins.mask.shape)
        below = self._whole.within(rest, y, x)
        return RowLine(self.bins.make(at), counts[energy, row, column], below[energy, row, column])

    def cut(self, ranges: IntArray, n_columns: int) -> MapTerm | None:
        """The term on a range of reconstructed energies; ``ranges`` (n_datasets, 2) holds first and last + 1 bin."""
        first, last = (int(edge) for edge in ranges[self.dataset])
        bins, background = self.bins.cut(first, last, self._counts), self.background
        if bins is None:
            return None
        kept = np.flatnonzero((self.bins.energy >= first) & (self.bins.energy < last))
        totals = np.zeros_like(background.totals)
        totals[first:last] = background.totals[first:last]
        within = replace(background, rows=background.rows[kept], totals=totals)
        sources = [source.cut(kept, first, last) for source in self.sources]
        return MapTerm(self.dataset, self._counts, bins, sources, within, self._alone.cut(first, last), self._whole)

    def _clipped(self, flux: Array) -> Array | None:
        """What is predicted in the bins that enter, (n_bins,), where some of that is negative, so that the statistic is
        not linear any more, or a background is 0; else None.

        The last is kept: value and derivatives are asked for at one vector after the other."""
        is_linear = self._alone.holds(self.background.factor(flux))
        if is_linear and self.prediction.is_known_positive(flux):
            return None
        key = flux.tobytes()
        if self._last_whole is None or self._last_whole[0] != key:
            self._last_whole = key, self.prediction.whole(flux)
        whole = self._last_whole[1]
        if is_linear and not (whole < 0).any():
            self.prediction.learn_positive(flux)
            return None
        return whole

    def _clipped_pullback(self, flux: Array, whole: Array) -> Pullback:
        """As `pullback`, bin by bin: each flux column by its own prediction, each shape by differences.

        whole : (n_bins,) what is predicted
        """
        d_flux = np.zeros_like(flux)
        values, weights = self.bins.whole.value_and_derivative(whole)
        energies = np.nonzero(self.bins.mask)[0]
        for source in self.sources:
            d_flux[source.columns] += [weights @ counts for counts in self.prediction.of_columns(source, flux)]
            for column in range(source.shape_columns.start, source.shape_columns.stop):
                step = 1e-6 * max(abs(float(flux[column])), 1.0)
                low, high = flux.copy(), flux.copy()
                low[column], high[column] = flux[column] - step, flux[column] + step
                slope = (self.prediction.of_source(source, high) - self.prediction.of_source(source, low)) / (2 * step)
                d_flux[column] += weights @ slope
        if self.background.columns is not None:
            d_flux[self.background.columns] += np.bincount(
                energies, weights * self.prediction.background_whole, self.background.totals.size
            )
        return Pullback(float(np.sum(values)), d_flux)


def _around(ranges: Sequence[slice]) -> slice:
    """What holds all ranges."""
    return slice(min((r.start for r in ranges), default=0), max((r.stop for r in ranges), default=0))
