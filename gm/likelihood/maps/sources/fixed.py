"""Sky components whose shape is fixed: what is kept of them, and how they are made again where all bins are wanted."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.image import MapSource, add_overlap

Around = tuple[int, int, int, int]  # rows and columns, from first to last + 1
Again = Callable[[Around | None], MapSource | None]


class MadeAgain(MapSource, ABC):
    """A component whose shape is fixed.

    ``again`` makes the source that it comes from, for the prediction of whole maps, or one that is right in some rows
    and columns, from first to last + 1; None: nothing is predicted there.
    """

    def __init__(self, columns: slice, again: Again) -> None:
        super().__init__(columns, slice(0, 0))
        self._again = again
        self._made: dict[Around | None, MapSource | None] = {}

    def slopes(self, flux: Array) -> Sequence[Response | None]:
        return []

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        return []

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        whole = self._part(None)
        assert whole is not None
        return whole.counts(flux)

    def counts_once(self, flux: Array) -> tuple[slice, slice, Array]:
        """Kernels and windows of all datasets at a time would be many: what is made for this is not kept."""
        whole = self._made[None] if None in self._made else self._again(None)
        assert whole is not None
        return whole.counts(flux)

    def _part(self, around: Around | None) -> MapSource | None:
        """What ``again`` makes, made once."""
        if around not in self._made:
            self._made[around] = self._again(around)
        return self._made[around]

    def add_counts(self, flux: Array, y: slice, x: slice, counts: Array) -> None:
        part = self._part((y.start, y.stop, x.start, x.stop))
        if part is not None:
            add_overlap(part.counts(flux), y, x, counts)


@final
class FixedSource(MadeAgain):
    """Its response is all that is kept. ``totals`` : (n_energy, n_energy_true)."""

    def __init__(self, columns: slice, response: Response, totals: Array, again: Again) -> None:
        super().__init__(columns, again)
        self._response, self._totals = response, totals

    def response(self, flux: Array) -> Response:
        return self._response

    def _respond(self, values: Array) -> Response:
        return self._response

    def totals(self, flux: Array) -> Array:
        return self._totals

    def cut(self, kept: IntArray, first: int, last: int) -> FixedSource:
        response = self._response
        totals = np.zeros_like(self._totals)
        totals[first:last] = self._totals[first:last]
        here = np.isin(response.rows, kept)
        rows = np.searchsorted(kept, response.rows[here])
        cut = replace(response, rows=rows, matrix=response.matrix[here], total=totals.sum(axis=0))
        return FixedSource(self.columns, cut, totals, self._again)


@final
class CountsSource(MadeAgain):
    """Nothing but predicted counts is asked for, and nothing is folded before."""

    def _respond(self, values: Array) -> NoReturn:
        raise TypeError(f"{self.name} was compiled for its counts alone")

    def totals(self, flux: Array) -> NoReturn:
        self._respond(flux)

    def cut(self, kept: IntArray, first: int, last: int) -> CountsSource:
        return self
