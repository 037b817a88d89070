"""Sums over the bins with counts in the window of a kernel, for many pixels at once, bin by bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.planes import Plane


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Bins with counts in the windows of ``n`` pixels, pixel by pixel.

    pixels : (n_with,) the pixels that have any; starts : (n_with,) where the bins of each begin; owner : (n_pairs,) the
    pixel of each bin, by its place in ``pixels``; counts : (n_pairs,); poles : (n_pairs,) background over the signal of
    norm 1: nothing is predicted at a norm of minus that.
    """

    n: int
    pixels: IntArray
    starts: IntArray
    owner: IntArray
    counts: Array
    poles: Array

    def sums(self, values: Array) -> Array:
        """Of values (n_pairs,) by pixel, (n,)."""
        return self._spread(np.add, values, 0.0)

    def lowest(self, values: Array) -> Array:
        """The least of values (n_pairs,) by pixel, (n,); infinite without any."""
        return self._spread(np.minimum, values, np.inf)

    def _spread(self, ufunc: np.ufunc, values: Array, empty: float) -> Array:
        found = np.full(self.n, empty)
        if self.starts.size:
            found[self.pixels] = ufunc.reduceat(values, self.starts)
        return found

    def at(self, norms: Array) -> Array:
        """Norms (n,) of pixels for each of their bins, (n_pairs,)."""
        return norms[self.pixels][self.owner]

    def only(self, kept: BoolArray) -> Pairs:
        """Of some of the pixels."""
        number = np.cumsum(kept) - 1
        stays = kept[self.pixels]
        sizes = np.diff(np.append(self.starts, self.owner.size))[stays]
        inside = np.repeat(stays, np.diff(np.append(self.starts, self.owner.size)))
        return Pairs(
            int(np.count_nonzero(kept)),
            number[self.pixels[stays]],
            np.cumsum(sizes) - sizes,
            np.repeat(np.arange(sizes.size), sizes),
            self.counts[inside],
            self.poles[inside],
        )


@final
class Windows:
    """The bins with counts of some planes in the order of their pixels, so that each row of a window is one slice."""

    def __init__(self, planes: Sequence[Plane], shape: tuple[int, int]) -> None:
        self.planes, self.shape = planes, shape
        self._half = [max((plane.kernel.shape[axis] for plane in planes), default=1) // 2 for axis in (0, 1)]
        found = [np.nonzero(plane.has_counts) for plane in planes]
        number = np.concatenate([np.full(y.size, k) for k, (y, _) in enumerate(found)] or [np.empty(0, dtype=np.intp)])
        y, x = (np.concatenate([part[axis] for part in found] or [np.empty(0, dtype=np.intp)]) for axis in (0, 1))
        order = np.lexsort((number, x, y))
        self._plane, y, x = number[order], y[order], x[order]
        self._first = np.searchsorted(y * shape[1] + x, np.arange(shape[0] * shape[1] + 1))
        self.counts, self._ratio = np.empty(y.size), np.empty(y.size)
        for k, plane in enumerate(planes):
            own = self._plane == k
            at = y[own], x[own]
            self.counts[own], self._ratio[own] = plane.counts[at], plane.background[at] / plane.exposed[at]
        rows, columns = (2 * half + 1 for half in self._half)
        self._place = self._plane * (rows * columns) + (y + self._half[0]) * columns + x + self._half[1]

    @cached_property
    def _kernels(self) -> Array:
        """One over all kernels with the size of the largest, one after the other, flat."""
        sizes = [2 * half + 1 for half in self._half]
        kernels = np.zeros((len(self.planes), *sizes))
        for held, plane in zip(kernels, self.planes, strict=True):
            y, x = ((whole - size) // 2 for whole, size in zip(sizes, plane.kernel.shape, strict=True))
            held[y : y + plane.kernel.shape[0], x : x + plane.kernel.shape[1]] = plane.kernel
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / kernels.ravel())

    @cached_property
    def _sent(self) -> Array | None:
        """(n_planes, n_pixels), None where all are 1."""
        if all(plane.sent is None for plane in self.planes):
            return None
        sent = [np.ones(self.shape) if plane.sent is None else plane.sent for plane in self.planes]
        return np.stack(sent).reshape(len(self.planes), -1)

    def n_pairs(self, pixels: IntArray) -> IntArray:
        """How many bins the windows of pixels (n,) hold, (n,)."""
        return np.asarray(self._rows(pixels)[2].sum(axis=1))

    def _rows(self, pixels: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Row by row of each window, (n, n_rows): the first bin, and the number of bins; and rows and columns."""
        (n_y, n_x), (half_y, half_x) = self.shape, self._half
        y, x = np.divmod(pixels, n_x)
        rows = y[:, None] + np.arange(-half_y, half_y + 1)
        exists = (rows >= 0) & (rows < n_y)
        begin = np.where(exists, rows, 0) * n_x
        first = self._first[begin + np.maximum(x - half_x, 0)[:, None]]
        last = self._first[begin + np.minimum(x + half_x + 1, n_x)[:, None]]
        return y * (2 * half_x + 1) + x, first, np.where(exists, last - first, 0)

    def pairs(self, pixels: IntArray) -> Pairs:
        """Of pixels (n,), numbered in the flat image; only bins in which the kernel is above 0."""
        base, first, sizes = self._rows(pixels)
        each = sizes.ravel()
        ends = np.cumsum(each)
        bins = np.arange(ends[-1]) + np.repeat(first.ravel() - ends + each, each)
        of_pixel = sizes.sum(axis=1)
        has_any = np.flatnonzero(of_pixel)
        held = of_pixel[has_any]
        starts, owner = np.cumsum(held) - held, np.repeat(np.arange(held.size), held)
        poles = self._kernels[self._place[bins] - base[has_any][owner]]
        poles *= self._ratio[bins]
        if self._sent is not None:
            poles /= self._sent[self._plane[bins], pixels[has_any][owner]]
        found = Pairs(pixels.size, has_any, starts, owner, self.counts[bins], poles)
        seen = poles < np.inf
        return found if seen.all() else _with_signal(found, seen)


def _with_signal(pairs: Pairs, seen: BoolArray) -> Pairs:
    """Without the bins in which a source predicts nothing."""
    owner = pairs.owner[seen]
    sizes = np.bincount(owner, minlength=pairs.pixels.size)
    held = np.flatnonzero(sizes)
    starts = np.cumsum(sizes[held]) - sizes[held]
    return Pairs(
        pairs.n,
        pairs.pixels[held],
        starts,
        np.repeat(np.arange(held.size), sizes[held]),
        pairs.counts[seen],
        pairs.poles[seen],
    )
