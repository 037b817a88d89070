"""Stacks of kernels, in groups of similar size, and the transforms that are large enough for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import BoolArray, IntArray, distinct
from gm.likelihood.maps.folding.frequencies import ComplexArray, Part, Size, spectra_of
from gm.parallel import TaskGroup

_GROUPS = 3  # sizes of transforms; narrow kernels need not pay for wide ones
_WIDER = 1.2  # kernels of widths that differ by less share their size
_CACHED = 1 << 15  # pixels that are transformed at a time
_KEPT = 2  # sizes of a group whose kernel transforms are kept


@dataclass(frozen=True, eq=False)
class Grid:
    """Where folded images with one bounding box lie in the transforms of one group.

    reach : rows and columns of the window that an image is folded onto; size : of the transforms; origin : the window's
    pixel at the transform's first.
    """

    reach: Part
    size: Size
    origin: tuple[int, int]

    @classmethod
    def of(cls, part: Part, shape: Size, half: int, *, real: bool = True) -> Grid:
        """The smallest transforms whose results on the window are free of what wraps around.

        An image of n pixels from s on is folded onto [s - half, s + n + half). Read is [a, b), the part in the window:
        with N pixels, what lies N further must be beyond it, and the same from below.
        """
        reach, size, origin = [], [], []
        for own, n_window in zip(part, shape, strict=True):
            n, start = own.stop - own.start, own.start
            a, b = max(start - half, 0), min(own.stop + half, n_window)
            least = max(n + half - (a - start), b - start + half, n, 2 * half + 1)
            widest = max(n + 2 * half, 2 * half + 1)
            reach.append(slice(a, max(a, b)))
            size.append(fft.next_fast_len(min(least, widest), real=real))
            origin.append(start - half)
        return cls((reach[0], reach[1]), (size[0], size[1]), (origin[0], origin[1]))

    def with_size(self, size: Size) -> Grid:
        """The same in larger transforms."""
        return replace(self, size=size)

    @cached_property
    def cut(self) -> Part:
        """`reach` within the transforms."""
        y, x = (slice(r.start - o, r.stop - o) for r, o in zip(self.reach, self.origin, strict=True))
        return y, x

    def index(self, y: IntArray, x: IntArray) -> tuple[IntArray, BoolArray]:
        """Positions of a window's pixels (n,) in the transforms, 0 for those that are not reached; which are, (n,)."""
        (rows, columns), (y0, x0) = self.reach, self.origin
        inside = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        return np.where(inside, (y - y0) * self.size[1] + x - x0, 0), inside


@dataclass(frozen=True, eq=False)
class KernelGroup:
    """Kernels of similar size: positions in the stack, (n, 2 half + 1, 2 half + 1), and the last sets of transforms."""

    members: IntArray
    half: int
    kernels: NDArray[np.float32 | np.float64]
    transforms: dict[Size, ComplexArray]

    @classmethod
    def all_of(cls, kernels: NDArray[np.float32 | np.float64]) -> list[KernelGroup]:
        """The groups of a stack (n_kernels, n, n), n odd."""
        if not len(kernels):
            return []
        halves = np.array([_half_width(kernel) for kernel in kernels])
        bounds = np.sort(halves)[[-(-len(halves) * part // _GROUPS) - 1 for part in range(1, _GROUPS + 1)]]
        bounds = bounds[np.append(bounds[1:] > _WIDER * bounds[:-1], True)]
        group_of, center, groups = np.searchsorted(bounds, halves), kernels.shape[-1] // 2, []
        for members in (np.flatnonzero(group_of == g) for g in distinct(group_of)):
            half = int(halves[members].max())
            inner = slice(center - half, center + half + 1)
            groups.append(cls(members, half, kernels[members, inner, inner], {}))
        return groups

    def at(self, size: Size) -> ComplexArray:
        """Transforms of the kernels, (n, rows, columns / 2 + 1)."""
        found = self.transforms.pop(size, None)
        if found is None:
            found = np.empty((len(self.members), size[0], size[1] // 2 + 1), dtype=np.complex128)
            TaskGroup(partial(self._transform, some, size, found) for some in chunks(len(self.kernels), size)).finish()
            if len(self.transforms) >= _KEPT:
                self.transforms.pop(next(iter(self.transforms)))
        self.transforms[size] = found
        return found

    def _transform(self, some: slice, size: Size, transforms: ComplexArray) -> None:
        transforms[some] = spectra_of(self.kernels[some].astype(np.float64), size)


def chunks(n: int, size: Size) -> Iterator[slice]:
    """A few transforms at a time: enough that calls cost little, so few that they stay in the processor's cache."""
    step = max(1, _CACHED // (size[0] * size[1]))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def moved(part: Part, support: Part) -> Part:
    """From rows and columns of the support to those of the window."""
    y, x = (slice(p.start + s.start, p.stop + s.start) for p, s in zip(part, support, strict=True))
    return y, x


def trimmed(kernels: NDArray[np.float32 | np.float64]) -> NDArray[np.float32 | np.float64]:
    """Kernels (n, m, m) without a margin that is 0 in all of them."""
    half, center = _half_width(np.asarray(kernels.any(axis=0))), kernels.shape[-1] // 2
    inner = slice(center - half, center + half + 1)
    return kernels[:, inner, inner]


def _half_width(kernel: NDArray[Any]) -> int:
    """Pixels from the centre to the last one that is not 0."""
    center = kernel.shape[-1] // 2
    used = np.flatnonzero(kernel.any(axis=0) | kernel.any(axis=1))
    return int(np.abs(used - center).max()) if used.size else 0
