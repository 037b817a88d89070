"""The term of one map dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import final

import numpy as np

from gm.arrays import Array, IntArray, MapArray
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line, RowLine, SummedLine
from gm.likelihood.maps.bins import SLOPE, BackgroundBins, MapBackground, MapBins
from gm.likelihood.maps.folding.sent_back import SentBack
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.image import MapSource, add_overlap
from gm.likelihood.products import times, transposed_times, weighted_rows
from gm.likelihood.report import TermReport
from gm.likelihood.spectra.term import DARK
from gm.statistics import WStat


@final
class MapTerm:
    """-2 ln L of one map dataset: a sum over all bins, linear in the fluxes, and values where there are counts.

    bins : with the bins with counts that a source reaches; alone : the others, if there are any; whole : the term on
    all energies of which this is a part
    """

    def __init__(
        self,
        dataset: int,
        counts: MapArray,
        bins: MapBins,
        sources: Sequence[MapSource],
        background: MapBackground,
        alone: BackgroundBins | None = None,
        whole: MapTerm | None = None,
    ) -> None:
        self.dataset, self.bins, self.sources, self.background = dataset, bins, list(sources), background
        self._alone, self._whole = alone or BackgroundBins.none(len(bins.mask)), whole
        self._rest: tuple[Array, slice, slice, Array] | None = None
        self._counts = counts
        self._last: tuple[Array, tuple[Array, float]] | None = None

    @property
    def n_bins(self) -> int:
        """Bins that enter the statistic."""
        return int(np.count_nonzero(self.bins.mask))

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        return [(self.dataset, np.flatnonzero(self.bins.mask.any(axis=(1, 2))))]

    def value(self, flux: Array) -> float:
        """-2 ln L of the dataset."""
        if self._is_clipped(flux):
            return float(np.sum(self.bins.whole.value(self.predict_whole(flux))))
        rows, total = self._predict(flux)
        at_rows = float(np.sum(self.bins.statistic.value(rows) - SLOPE * rows))
        return at_rows + SLOPE * total + self.bins.constant + self._alone.value(self.background.factor(flux))

    def value_and_pullback(self, flux: Array, d_flux: Array, sent_back: SentBack | None = None) -> float:
        """-2 ln L; its derivative with respect to the flux vector is added to ``d_flux`` (n_columns,)."""
        if self._is_clipped(flux):
            return self._clipped_pullback(flux, d_flux)
        (rows, total), factor = self._predict(flux), self.background.factor(flux)
        values, weights = self.bins.statistic.value_and_derivative(rows)
        weights = weights - SLOPE
        for source in self.sources:
            response = source.response(flux)
            d_flux[source.columns] += transposed_times(response.matrix, weights[response.rows])
            d_flux[source.columns] += SLOPE * response.total
            if source.n_shape:
                d_flux[source.shape_columns] += source.shape_pullback(flux, weights, SLOPE, sent_back)
        if self.background.columns is not None:
            by_energy = np.bincount(self.bins.energy, weights * self.background.rows, self.background.totals.size)
            d_flux[self.background.columns] += by_energy + SLOPE * self.background.totals + self._alone.slope(factor)
        at_rows = float(np.sum(values - SLOPE * rows))
        return at_rows + SLOPE * total + self.bins.constant + self._alone.value(factor)

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Array:
        """``J^T diag(curvature) J`` over the bins with counts; ``expected`` keeps it large far from the minimum."""
        rows, _ = self._predict(flux)
        used = self._used(flux_jacobian)
        jacobian = self._jacobian(flux, flux_jacobian[:, used], [s.slopes_about(flux) for s in self.sources])
        statistic = self.bins.statistic
        curvature = statistic.curvature(rows)
        if expected:
            curvature = np.maximum(curvature, statistic.expected_curvature(rows))
        information = np.zeros((flux_jacobian.shape[1], flux_jacobian.shape[1]))
        alone = self._alone_curvature(flux, flux_jacobian[:, used], expected=expected)
        information[np.ix_(used, used)] = weighted_rows(jacobian, curvature) + alone
        return information

    @property
    def is_heavy(self) -> bool:
        """Whether a shape is folded again when it changes."""
        return any(source.is_heavy for source in self.sources)

    @property
    def knows_second_derivatives(self) -> bool:
        return True

    def second_derivatives(
        self, flux: Array, flux_jacobian: Array, steps: Array, sent_back: SentBack | None = None
    ) -> Array | None:
        """Second derivatives (n_free, n_free) but for the curvature of the fluxes; None where bins are clipped.

        ``J^T diag(curvature) J``, and what a change of shape does to the slopes by fluxes and by the shape itself;
        ``steps`` (n_columns,) are the differences over which shapes are compared.
        """
        if self._is_clipped(flux):
            return None
        used = self._used(flux_jacobian)
        by_column = flux_jacobian[:, used]
        rows, _ = self._predict(flux)
        weights = self.bins.statistic.value_and_derivative(rows)[1] - SLOPE
        exact = [source.slopes(flux) for source in self.sources]
        second = weighted_rows(self._jacobian(flux, by_column, exact), self.bins.statistic.curvature(rows))
        second += self._alone_curvature(flux, by_column)
        for source in self.sources:
            if not source.n_shape:
                continue
            spectral, shape = by_column[source.columns], by_column[source.shape_columns]
            slopes = np.zeros((source.n_shape, len(spectral)))
            for k, slope in enumerate(source.slopes(flux)):
                if slope is not None:
                    slopes[k] = transposed_times(slope.matrix, weights[slope.rows]) + SLOPE * slope.total
            mixed = shape.T @ slopes @ spectral
            bend = source.shape_curvature(flux, weights, SLOPE, steps[source.shape_columns], sent_back)
            second += mixed + mixed.T + shape.T @ bend @ shape
        whole = np.zeros((flux_jacobian.shape[1], flux_jacobian.shape[1]))
        whole[np.ix_(used, used)] = second
        return whole

    def _used(self, flux_jacobian: Array) -> IntArray:
        """Which parameters the term depends on."""
        columns = [s.columns for s in self.sources] + [s.shape_columns for s in self.sources]
        if self.background.columns is not None:
            columns.append(self.background.columns)
        depends = [flux_jacobian[part].any(axis=0) for part in columns]
        return np.flatnonzero(np.any(depends, axis=0)) if depends else np.empty(0, dtype=np.intp)

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
        rows, total = self._predict(flux)
        off = self.bins.off + self._alone.off
        if isinstance(self.bins.statistic, WStat):
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
        if not isinstance(self.bins.statistic, WStat):
            at = self.bins.energy, self.bins.pixel
            counts = float(self._counts.reshape(len(self._counts), -1)[at].sum(dtype=np.float64)) + self._alone.n_counts
        return [TermReport(self.dataset, self.n_bins, self.value(flux), total + off, components, losses, counts)]

    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""
        factor = self.background.factor(flux)
        parts = [factor, *(flux[source.columns] for source in self.sources)]
        if all(part.min(initial=1.0) > DARK for part in parts):
            return 0
        least = self.bins.statistic.least()
        if least is None:
            return 0
        is_cut_off = self._predict(flux)[0] <= least
        if is_cut_off.any():
            could_be = self.background.rows > 0
            for source in self.sources:
                response = source.response(flux)
                could_be[response.rows] |= response.matrix.sum(axis=-1) > 0
            is_cut_off &= could_be
        return int(np.count_nonzero(is_cut_off)) + self._alone.n_cut_off(factor)

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

    def fill(self, flux: Array, predicted: Sequence[Array]) -> None:
        """Write the prediction of each bin that enters into the array of the dataset, (n_energy, ny, nx)."""
        predicted[self.dataset][self.bins.mask] = self.predict_whole(flux)

    def line(self, rest: Array, signal: Array) -> Line:
        """-2 ln L where the flux vector is ``rest + norm * signal``."""
        (rows, total), (more, added) = self._predict(rest), self._signal(rest, signal)
        factor, columns = self.background.factor(rest), self.background.columns
        is_along = self._alone.n_counts > 0 and columns is not None and bool(signal[columns].any())
        is_linear = not (self._may_be_negative(rest) or self._has_negative_fluxes(signal))
        if is_along or not is_linear or not self._alone.holds(factor):  # a signal has no shapes of its own
            return RowLine(self.bins.whole, self._signal_whole(rest, signal), self.predict_whole(rest))
        return SummedLine(
            rows=RowLine(self.bins.statistic, more, rows),
            linear_slope=SLOPE,
            total=added,
            constant=self.bins.constant + self._alone.value(factor) + SLOPE * (total - float(np.sum(rows))),
            n_bins=self.n_bins,
            make_lit=partial(self._lit, rest, signal),
        )

    def _lit(self, rest: Array, signal: Array) -> RowLine:
        """The bins that enter in which ``signal`` predicts something."""
        columns = self.background.columns
        if columns is not None and signal[columns].any():
            return RowLine(self.bins.whole, self._signal_whole(rest, signal), self.predict_whole(rest))
        alone = self._instead(rest, signal)
        parts = [source.counts(alone) for source in self.sources if signal[source.columns].any()]
        y, x = _around([y for y, _, _ in parts]), _around([x for _, x, _ in parts])
        mask = self.bins.mask[:, y, x]
        counts = np.zeros(mask.shape)
        for part in parts:
            add_overlap(part, y, x, counts)
        energy, row, column = np.nonzero(mask & (counts != 0))
        at = np.ravel_multi_index((energy, row + y.start, column + x.start), self.bins.mask.shape)
        below = (self._whole or self)._rest_in(rest, y, x)
        return RowLine(self.bins.make(at), counts[energy, row, column], below[energy, row, column])

    def _rest_in(self, flux: Array, y: slice, x: slice) -> Array:
        """Predicted counts in some rows and columns, (n_energy, ...); the last are kept, for all bands of energy."""
        if self._rest is None or self._rest[0] is not flux or self._rest[1:3] != (y, x):
            counts = self.background.factor(flux)[:, None, None] * self.background.stored[:, y, x]
            for source in self.sources:
                if flux[source.columns].any():
                    source.add_counts(flux, y, x, counts)
            self._rest = flux, y, x, counts
        return self._rest[3]

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
        alone, whole = self._alone.cut(first, last), self._whole or self
        return MapTerm(self.dataset, self._counts, bins, sources, within, alone, whole)

    def _predict(self, flux: Array) -> tuple[Array, float]:
        """Predicted counts in the bins with counts (n_rows,), and their sum over all bins.

        Those of the last flux vector are kept, for as long as it is the same array.
        """
        if self._last is None or self._last[0] is not flux:
            self._last = flux, self._predicted(flux)
        return self._last[1]

    def _predicted(self, flux: Array) -> tuple[Array, float]:
        factor = self.background.factor(flux)
        rows, total = self._of_sources(flux, flux)
        return rows + self.background.rows * factor[self.bins.energy], total + float(self.background.totals @ factor)

    def _signal(self, rest: Array, signal: Array) -> tuple[Array, float]:
        """As `_predict`, of what ``signal`` adds: not as a difference, in which a small one would be lost."""
        rows, total = self._of_sources(rest, signal)
        if self.background.columns is not None:
            factor = signal[self.background.columns]
            rows += self.background.rows * factor[self.bins.energy]
            total += float(self.background.totals @ factor)
        return rows, total

    def _of_sources(self, shapes: Array, fluxes: Array) -> tuple[Array, float]:
        """As `_predict`, of the sources with the shapes of one vector and the fluxes of another."""
        rows, total = np.zeros(self.bins.energy.size), 0.0
        for source in self.sources:
            response, spectrum = source.response(shapes), fluxes[source.columns]
            rows[response.rows] += times(response.matrix, spectrum)
            total += float(response.total @ spectrum)
        return rows, total

    def predict_map(self, flux: Array) -> Array:
        """Predicted counts in every bin of the map, (n_energy, ny, nx), without the background."""
        counts = np.zeros(self.bins.mask.shape)
        for source in self.sources:
            if flux[source.columns].any():
                y, x, part = source.counts(flux)
                counts[:, y, x] += part
        return counts

    def predict_whole(self, flux: Array) -> Array:
        """Predicted counts in the bins that enter, with the background, (n_bins,)."""
        factor = self.background.factor(flux)[np.nonzero(self.bins.mask)[0]]
        return np.asarray(self.predict_map(flux)[self.bins.mask] + factor * self._background_whole)

    @cached_property
    def _background_whole(self) -> Array:
        """In the bins that enter, with a factor of 1, (n_bins,)."""
        return np.asarray(self.background.stored[self.bins.mask], dtype=np.float64)

    def _instead(self, rest: Array, signal: Array) -> Array:
        """The flux vector with the fluxes of ``signal`` and the shapes of both."""
        alone = rest + signal
        for source in self.sources:
            alone[source.columns] = signal[source.columns]
        return alone

    def _signal_whole(self, rest: Array, signal: Array) -> Array:
        """What ``signal`` adds to ``rest`` in the bins that enter, (n_bins,)."""
        counts = self.predict_map(self._instead(rest, signal))[self.bins.mask]
        if self.background.columns is None:
            return counts
        return np.asarray(
            counts + signal[self.background.columns][np.nonzero(self.bins.mask)[0]] * self._background_whole
        )

    def _is_clipped(self, flux: Array) -> bool:
        """Something is predicted to be negative, where the statistic is not linear any more, or a background is 0."""
        if self._may_be_negative(flux) and bool((self.predict_whole(flux) < 0).any()):
            return True
        return not self._alone.holds(self.background.factor(flux))

    def _may_be_negative(self, flux: Array) -> bool:
        """A flux, a factor of the background, or a shape is negative somewhere."""
        shapes = [self.background.is_negative, *(source.response(flux).is_negative for source in self.sources)]
        return any(shapes) or self._has_negative_fluxes(flux)

    def _has_negative_fluxes(self, flux: Array) -> bool:
        parts = [flux[source.columns] for source in self.sources] + [self.background.factor(flux)]
        return any(part.min(initial=0.0) < 0 for part in parts)

    def _clipped_pullback(self, flux: Array, d_flux: Array) -> float:
        """As `value_and_pullback`, bin by bin: each flux column by its own prediction, each shape by differences."""
        values, weights = self.bins.whole.value_and_derivative(self.predict_whole(flux))
        energies = np.nonzero(self.bins.mask)[0]
        for source in self.sources:
            for column in range(source.columns.start, source.columns.stop):
                unit = flux.copy()
                unit[source.columns] = 0.0
                unit[column] = 1.0
                d_flux[column] += weights @ self._counts_of(source, unit)
            for column in range(source.shape_columns.start, source.shape_columns.stop):
                step = 1e-6 * max(abs(float(flux[column])), 1.0)
                low, high = flux.copy(), flux.copy()
                low[column], high[column] = flux[column] - step, flux[column] + step
                slope = (self._counts_of(source, high) - self._counts_of(source, low)) / (2 * step)
                d_flux[column] += weights @ slope
        if self.background.columns is not None:
            d_flux[self.background.columns] += np.bincount(
                energies, weights * self._background_whole, self.background.totals.size
            )
        return float(np.sum(values))

    def _counts_of(self, source: MapSource, flux: Array) -> Array:
        counts = np.zeros(self.bins.mask.shape)
        y, x, part = source.counts(flux)
        counts[:, y, x] = part
        return np.asarray(counts[self.bins.mask])


def _around(ranges: Sequence[slice]) -> slice:
    """What holds all ranges."""
    return slice(min((r.start for r in ranges), default=0), max((r.stop for r in ranges), default=0))
