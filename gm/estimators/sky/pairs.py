"""Sums over the bins with counts in the window of a kernel, for many pixels at once, bin by bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.planes import Plane
from gm.statistics.cash import TRUNCATION


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
        return np.repeat(norms[self.pixels], self._sizes)

    @cached_property
    def _sizes(self) -> IntArray:
        """(n_with,) how many bins each has."""
        return np.diff(self.starts, append=self.owner.size)

    def only(self, kept: BoolArray) -> Pairs:
        """Of some of the pixels."""
        number = np.cumsum(kept) - 1
        stays = kept[self.pixels]
        sizes, inside = self._sizes[stays], np.repeat(stays, self._sizes)
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
        found = [np.flatnonzero(plane.has_counts) for plane in planes]
        pixel, number, counts, ratio = (
            np.concatenate(parts) if planes else np.empty(0, dtype=kind)
            for kind, parts in (
                (np.intp, found),
                (np.intp, [np.full(at.size, k) for k, at in enumerate(found)]),
                (np.float64, [plane.counts.ravel()[at] for plane, at in zip(planes, found, strict=True)]),
                (np.float64, [_ratio(plane, at) for plane, at in zip(planes, found, strict=True)]),
            )
        )
        order = np.argsort(pixel * max(len(planes), 1) + number)
        self._plane, self.counts, self._ratio = number[order], counts[order], ratio[order]
        self._first = np.concatenate([[0], np.cumsum(np.bincount(pixel, minlength=shape[0] * shape[1]))])
        y, x = np.divmod(pixel[order], shape[1])
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
        (n_y, n_x), (half_y, half_x) = self.shape, self._half
        before = np.zeros((n_y + 1, n_x + 1), dtype=np.intp)
        np.cumsum(np.cumsum(np.diff(self._first).reshape(n_y, n_x), axis=0), axis=1, out=before[1:, 1:])
        y, x = np.divmod(pixels, n_x)
        y0, y1, x0, x1 = y - half_y, y + half_y + 1, x - half_x, x + half_x + 1
        (y0, x0), (y1, x1) = np.maximum([y0, x0], 0), (np.minimum(y1, n_y), np.minimum(x1, n_x))
        return np.asarray(before[y1, x1] - before[y0, x1] - before[y1, x0] + before[y0, x0])

    @cached_property
    def _rows(self) -> tuple[IntArray, IntArray]:
        """Of the pixels that a row of a window may have in its middle, flat: the first bin of the row, and the number
        of its bins, none above and below the image."""
        (n_y, n_x), (half_y, half_x) = self.shape, self._half
        x, row = np.arange(n_x), np.arange(n_y)[:, None] * n_x
        first, sizes = np.zeros((2, n_y + 2 * half_y, n_x), dtype=np.intp)
        inside = slice(half_y, half_y + n_y)
        first[inside] = self._first[row + np.maximum(x - half_x, 0)]
        sizes[inside] = self._first[row + np.minimum(x + half_x + 1, n_x)] - first[inside]
        return first.ravel(), sizes.ravel()

    def pairs(self, pixels: IntArray) -> Pairs:
        """Of pixels (n,), numbered in the flat image; only bins in which the kernel is above 0."""
        row = pixels[:, None] + self.shape[1] * np.arange(2 * self._half[0] + 1)
        first, sizes = (of_row[row] for of_row in self._rows)
        each = sizes.ravel()
        ends = np.cumsum(each)
        bins = np.arange(ends[-1]) + np.repeat(first.ravel() - ends + each, each)
        base = pixels // self.shape[1] * (2 * self._half[1] + 1) + pixels % self.shape[1]
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


def _ratio(plane: Plane, at: IntArray) -> Array:
    """Background over the signal for a kernel of 1, in pixels (n,) of the flat image; as far as Cash is not cut off
    where there is none."""
    return np.asarray(np.maximum(plane.background.ravel()[at], TRUNCATION) / plane.exposed.ravel()[at])


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
