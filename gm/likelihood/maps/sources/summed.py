"""Sources that are predicted in finer bins than those of their dataset, and summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets.finer_bins import FinerBins
from gm.likelihood.lattice import Lattice
from gm.likelihood.maps.bins import MapBins
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.image import ByShape, MapSource


@final
@dataclass(frozen=True, eq=False)
class Sums:
    """Which finer bins are summed into which of a dataset.

    finer : where they are; mask : (n_energy, n_y, n_x) finer bins that enter; row : (n_finer_rows,), increasing, the
    dataset's bin with counts that each finer one is a part of; shape : of the dataset's counts
    """

    finer: FinerBins
    mask: BoolArray
    row: IntArray
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, finer: FinerBins, bins: MapBins) -> tuple[Sums, MapBins]:
        """For the bins of a dataset; also the finer ones, in the order of the bins that they are a part of."""
        mask = finer.entering(bins.mask)
        number = np.full(bins.mask.shape, -1)
        number.reshape(len(number), -1)[bins.energy, bins.pixel] = np.arange(bins.energy.size)
        at = np.flatnonzero(mask)
        energy, pixel = np.divmod(at, mask[0].size)
        y, x = np.divmod(pixel, mask.shape[2])
        row = number[finer.to_energy[energy], finer.to_y[y], finer.to_x[x]]
        order = np.argsort(row, kind="stable")
        order = order[np.searchsorted(row[order], 0) :]
        parts = replace(bins, mask=mask, energy=energy[order], pixel=pixel[order])
        return cls(finer, mask, row[order], bins.mask.shape), parts

    def response(self, response: Response) -> Response:
        """Summed over the parts of each bin."""
        row = self.row[response.rows]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        matrix = np.add.reduceat(response.matrix, starts, axis=0) if starts.size else response.matrix
        return replace(response, rows=row[starts], matrix=matrix)

    def energies(self, totals: Array) -> Array:
        """(n_energy, ...) from (n_finer_energy, ...)."""
        summed = np.zeros((self.shape[0], *totals.shape[1:]))
        used = self.finer.to_energy >= 0
        np.add.at(summed, self.finer.to_energy[used], totals[used])
        return summed

    def bins(self, y: slice, x: slice, counts: Array) -> Array:
        """(n_energy, n_y, n_x) from finer counts in some rows and columns of their pixels."""
        summed = np.zeros(self.shape)
        finer, inside = self.finer, self.mask[:, y, x]
        energy, row, column = np.nonzero(inside)
        np.add.at(summed, (finer.to_energy[energy], finer.to_y[y][row], finer.to_x[x][column]), counts[inside])
        return summed

    def cut(self, kept: IntArray, first: int, last: int) -> tuple[Sums, IntArray, int, int]:
        """With the bins ``kept`` in energies ``first:last``; and which finer ones, in which finer energies, remain."""
        part = np.flatnonzero(np.isin(self.row, kept))
        energies = np.flatnonzero((self.finer.to_energy >= first) & (self.finer.to_energy < last))
        start, stop = (int(energies[0]), int(energies[-1]) + 1) if energies.size else (0, 0)
        mask = np.zeros_like(self.mask)
        mask[start:stop] = self.mask[start:stop]
        return replace(self, mask=mask, row=np.searchsorted(kept, self.row[part])), part, start, stop


@final
class FinerSource(MapSource):
    """A source on the finer bins of a dataset, seen from the dataset: responses summed, weights handed on."""

    def __init__(self, inner: MapSource, sums: Sums) -> None:
        super().__init__(inner.columns, inner.shape_columns)
        self._inner, self._sums = inner, sums

    def _flux(self, values: Array) -> Array:
        """A flux vector that holds these values of the shape and nothing else."""
        flux = np.zeros(max(self.columns.stop, self.shape_columns.stop))
        flux[self.shape_columns] = values
        return flux

    def _respond(self, values: Array) -> Response:
        return self._sums.response(self._inner.response(self._flux(values)))

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        return [None if s is None else self._sums.response(s) for s in self._inner.slopes(self._flux(values))]

    def forget_others(self, flux: Array, *, alike: bool) -> None:
        super().forget_others(flux, alike=alike)
        self._inner.forget_others(flux, alike=alike)

    def forget(self) -> None:
        super().forget()
        self._inner.forget()

    def lattice(self) -> Lattice | None:
        return self._inner.lattice()

    @property
    def is_heavy(self) -> bool:
        return self._inner.is_heavy

    def shape_pullback(self, flux: Array, weights: Array, slope: float) -> ByShape:
        return self._inner.shape_pullback(flux, weights[self._sums.row], slope)

    def shape_curvature(self, flux: Array, weights: Array, slope: float, steps: Array) -> ByShape:
        return self._inner.shape_curvature(flux, weights[self._sums.row], slope, steps)

    def in_full(self, flux: Array) -> tuple[Response, Array]:
        response, totals = self._inner.in_full(flux)
        return self._sums.response(response), self._sums.energies(totals)

    def totals(self, flux: Array) -> Array:
        return self._sums.energies(self._inner.totals(flux))

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        _, n_y, n_x = self._sums.shape
        return slice(0, n_y), slice(0, n_x), self._sums.bins(*self._inner.counts(flux))

    def cut(self, kept: IntArray, first: int, last: int) -> FinerSource:
        sums, part, start, stop = self._sums.cut(kept, first, last)
        return FinerSource(self._inner.cut(part, start, stop), sums)
