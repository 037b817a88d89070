"""What the sources and the background of a map dataset predict, as functions of the flux vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.likelihood.maps.bins import MapBackground, MapBins
from gm.likelihood.maps.positivity import KnownPositive
from gm.likelihood.maps.sources.image import MapSource
from gm.likelihood.products import times

_KEPT = 1 << 20  # numbers


@final
class MapPrediction:
    """Predicted counts: those of the sources, and the background times a factor of energy.

    In the bins with counts, (n_rows,), and in total over all bins that enter, which is what the statistic needs; or in
    every bin, which is rarely asked for.
    """

    def __init__(self, bins: MapBins, sources: Sequence[MapSource], background: MapBackground) -> None:
        self.sources, self.background = list(sources), background
        self._mask, self._energy = bins.mask, bins.energy
        self._last: tuple[bytes, tuple[Array, float]] | None = None
        self._rest: tuple[bytes, slice, slice, Array] | None = None
        self._by_column: dict[MapSource, Sequence[Array]] = {}
        self._positive = KnownPositive()

    def rows(self, flux: Array) -> tuple[Array, float]:
        """Predicted counts in the bins with counts (n_rows,), and their sum over all bins; the last ones are kept."""
        key = flux.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self._rows(flux)
        return self._last[1]

    def _rows(self, flux: Array) -> tuple[Array, float]:
        factor = self.background.factor(flux)
        rows, total = self._of_sources(flux, flux)
        return rows + self.background.rows * factor[self._energy], total + float(self.background.totals @ factor)

    def signal_rows(self, rest: Array, signal: Array) -> tuple[Array, float]:
        """As `rows`, of what ``signal`` adds: not as a difference, in which a small one would be lost."""
        rows, total = self._of_sources(rest, signal)
        if self.background.columns is not None:
            factor = signal[self.background.columns]
            rows += self.background.rows * factor[self._energy]
            total += float(self.background.totals @ factor)
        return rows, total

    def _of_sources(self, shapes: Array, fluxes: Array) -> tuple[Array, float]:
        """As `rows`, of the sources with the shapes of one vector and the fluxes of another."""
        rows, total = np.zeros(self._energy.size), 0.0
        for source in self.sources:
            response, spectrum = source.response(shapes), fluxes[source.columns]
            rows[response.rows] += times(response.matrix, spectrum)
            total += float(response.total @ spectrum)
        return rows, total

    def of_sources(self, flux: Array) -> Array:
        """In every bin of the map, (n_energy, ny, nx), without the background."""
        counts = np.zeros(self._mask.shape)
        for source in self.sources:
            if flux[source.columns].any():
                y, x, part = source.counts(flux)
                counts[:, y, x] += part
        return counts

    def parts_once(self, flux: Array) -> Iterator[tuple[slice, slice, Array]]:
        """Of each source that has a flux: rows and columns, and counts in every bin of these, (n_energy, ...), where
        they are needed once."""
        for source in self.sources:
            if flux[source.columns].any():
                yield source.counts_once(flux)

    def of_source(self, source: MapSource, flux: Array) -> Array:
        """Of one source in the bins that enter, (n_bins,)."""
        counts = np.zeros(self._mask.shape)
        y, x, part = source.counts(flux)
        counts[:, y, x] = part
        return np.asarray(counts[self._mask])

    def of_component(self, flux: Array) -> Array:
        """Of all sources in the bins that enter, (n_bins,); those that have no flux are not asked."""
        y, x = self._around
        counts = np.zeros((len(self._mask), y.stop - y.start, x.stop - x.start))
        for source in self.sources:
            if flux[source.columns].any():
                source.add_counts(flux, y, x, counts)
        return np.asarray(counts[self._mask[:, y, x]])

    @cached_property
    def _around(self) -> tuple[slice, slice]:
        """Rows and columns that hold all bins that enter."""
        entering: BoolArray = np.any(self._mask, axis=0)
        y, x = (np.flatnonzero(entering.any(axis=axis)) for axis in (1, 0))
        return slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)

    def background_counts(self, flux: Array) -> Array:
        """The background in the bins that enter, (n_bins,)."""
        return np.asarray(self._by_bin(self.background.factor(flux)) * self.background_whole)

    def of_columns(self, source: MapSource, flux: Array) -> Sequence[Array]:
        """Of each flux column of a source alone, with a flux of 1, in the bins that enter, (n_columns, n_bins).

        Those of a fixed shape are kept where that takes little.
        """
        if source in self._by_column:
            return self._by_column[source]
        units = []
        for column in range(source.columns.start, source.columns.stop):
            unit = flux.copy()
            unit[source.columns] = 0.0
            unit[column] = 1.0
            units.append(self.of_source(source, unit))
        if not source.n_shape and len(units) * units[0].size <= _KEPT:
            self._by_column[source] = units
        return units

    def whole(self, flux: Array) -> Array:
        """In the bins that enter, with the background, (n_bins,)."""
        return self.of_component(flux) + self.background_counts(flux)

    def forget(self) -> None:
        """The background goes, until it is asked for again."""
        self.__dict__.pop("background_whole", None)

    @cached_property
    def background_whole(self) -> Array:
        """The background in the bins that enter, with a factor of 1, (n_bins,), as it is stored."""
        return np.asarray(self.background.stored[self._mask])

    def signal_whole(self, rest: Array, signal: Array) -> Array:
        """What ``signal`` adds to ``rest`` in the bins that enter, (n_bins,)."""
        counts = self.of_sources(self.instead(rest, signal))[self._mask]
        if self.background.columns is None:
            return counts
        return np.asarray(counts + self._by_bin(signal[self.background.columns]) * self.background_whole)

    def _by_bin(self, values: Array) -> Array:
        """Values (n_energy,) in the bins that enter, (n_bins,)."""
        return np.repeat(values, np.count_nonzero(self._mask, axis=(1, 2)))

    def instead(self, rest: Array, signal: Array) -> Array:
        """The flux vector with the fluxes of ``signal`` and the shapes of both."""
        alone = rest + signal
        for source in self.sources:
            alone[source.columns] = signal[source.columns]
        return alone

    def within(self, flux: Array, y: slice, x: slice) -> Array:
        """In every bin of some rows and columns, (n_energy, ...); the last are kept, for all bands of energy."""
        key = flux.tobytes()
        if self._rest is None or self._rest[:3] != (key, y, x):
            counts = self.background.factor(flux)[:, None, None] * self.background.stored[:, y, x]
            for source in self.sources:
                if flux[source.columns].any():
                    source.add_counts(flux, y, x, counts)
            self._rest = key, y, x, counts
        return self._rest[3]

    def is_known_positive(self, flux: Array) -> bool:
        """Whether nothing that is predicted is negative, without asking all bins."""
        if self._has_negative_shapes(flux):
            return False
        return not self.has_negative_fluxes(flux) or self._positive.covers(self._amounts(flux))

    def learn_positive(self, flux: Array) -> None:
        """From fluxes of both signs that predict nothing negative: by what has a fixed shape, of either sign alone."""
        if self._has_negative_shapes(flux) or not self._positive.may_learn:
            return
        blocks = [source.columns for source in self.sources if not source.n_shape]
        if self.background.columns is not None:
            blocks.append(self.background.columns)
        positive, negative = (flux.copy() for _ in range(2))
        for source in self.sources:
            positive[source.columns] = negative[source.columns] = 0.0
        for block in blocks:
            positive[block], negative[block] = np.maximum(flux[block], 0.0), np.minimum(flux[block], 0.0)
        less, its_amounts = self.of_component(negative), self._amounts(negative)
        if self.background.columns is None:
            its_amounts[-self.background.totals.size :] = 0.0
        else:
            less += self.background_counts(negative)
        self._positive.learn(self._amounts(positive), its_amounts, self.whole(positive), less)

    def _amounts(self, flux: Array) -> Array:
        """Of all sources, then of the background, (n,)."""
        return np.concatenate([*(flux[source.columns] for source in self.sources), self.background.factor(flux)])

    def may_be_negative(self, flux: Array) -> bool:
        """A flux, a factor of the background, or a shape is negative somewhere."""
        return self._has_negative_shapes(flux) or self.has_negative_fluxes(flux)

    def _has_negative_shapes(self, flux: Array) -> bool:
        return self.background.is_negative or any(source.response(flux).is_negative for source in self.sources)

    def has_negative_fluxes(self, flux: Array) -> bool:
        """A flux, or a factor of the background, is negative."""
        parts = [flux[source.columns] for source in self.sources] + [self.background.factor(flux)]
        return any(part.min(initial=0.0) < 0 for part in parts)

    def is_dark(self, flux: Array, least: float) -> bool:
        """A flux, or a factor of the background, is not above ``least``."""
        parts = [self.background.factor(flux), *(flux[source.columns] for source in self.sources)]
        return not all(part.min(initial=1.0) > least for part in parts)

    def could_be(self, flux: Array) -> BoolArray:
        """Which bins with counts something could be predicted in, (n_rows,)."""
        could_be = self.background.rows > 0
        for source in self.sources:
            response = source.response(flux)
            could_be[response.rows] |= response.matrix.sum(axis=-1) > 0
        return could_be
