"""Convolution of images with a stack of kernels, and its adjoint, by real Fourier transforms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray

Part = tuple[slice, slice]

_GROUPS = 3  # sizes of transforms; narrow kernels need not pay for wide ones
_SMALLER = 0.75  # steps of sizes of the lit part of an image; kernels are transformed again for each
_CACHED = 1 << 15  # pixels that are transformed at a time
_KEPT = 2  # sizes of a group whose kernel transforms are kept
_DARK = 1e-10  # of an image's peak: tails that no prediction feels


@dataclass(frozen=True, eq=False)
class _Group:
    """Kernels of similar size: positions in the stack, (n, 2 half + 1, 2 half + 1), and the last sets of transforms."""

    members: IntArray
    half: int
    kernels: NDArray[np.float32 | np.float64]
    transforms: dict[tuple[int, int], NDArray[np.complex128]]

    def at(self, size: tuple[int, int]) -> NDArray[np.complex128]:
        """Transforms of the kernels, (n, rows, columns / 2 + 1)."""
        found = self.transforms.pop(size, None)
        if found is None:
            found = np.empty((len(self.members), size[0], size[1] // 2 + 1), dtype=np.complex128)
            for some in _chunks(len(self.kernels), size):
                found[some] = fft.rfft2(self.kernels[some].astype(np.float64), s=size)
            if len(self.transforms) >= _KEPT:
                self.transforms.pop(next(iter(self.transforms)))
        self.transforms[size] = found
        return found


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where folded images of one lit part lie in the transforms of one group.

    reach : rows and columns of the window that light falls on; size : of the transforms; origin : the window's pixel
    at the transform's first.
    """

    reach: Part
    size: tuple[int, int]
    origin: tuple[int, int]

    @cached_property
    def cut(self) -> Part:
        """`reach` within the transforms."""
        y, x = (slice(r.start - o, r.stop - o) for r, o in zip(self.reach, self.origin, strict=True))
        return y, x

    def find(self, y: IntArray, x: IntArray) -> tuple[IntArray | slice, IntArray]:
        """Which pixels of the window are reached, and their places in the flat transforms."""
        (rows, columns), (y0, x0) = self.reach, self.origin
        index = (y - y0) * self.size[1] + (x - x0)
        inside = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        if inside.all():
            return slice(None), index
        reached = np.flatnonzero(inside)
        return reached, index[reached]


class Convolver:
    """``folded[k] = kernel[k] * image`` on a window; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the window, where folded images are wanted;
    support : rows and columns outside of which the images are 0, by default none.

    One forward transform of the image serves all kernels of a group, and the adjoint adds them up in Fourier space
    before one transform back. A transform is just so large that nothing that is read has wrapped around. What is dark
    in an image is left out.
    """

    def __init__(self, kernels: NDArray[np.float32 | np.float64], shape: tuple[int, int], support: Part | None = None):
        self.shape, self.n_kernels = shape, len(kernels)
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))
        halves = np.array([_half_width(kernel) for kernel in kernels])
        bounds = np.quantile(halves, np.arange(1, _GROUPS + 1) / _GROUPS, method="higher")
        groups = np.searchsorted(bounds, halves)
        center = kernels.shape[-1] // 2
        self._groups = []
        for members in (np.flatnonzero(groups == g) for g in np.unique(groups)):
            half = int(halves[members].max())
            inner = slice(center - half, center + half + 1)
            self._groups.append(_Group(members, half, kernels[members, inner, inner], {}))

    def lit(self, images: Array) -> Part | None:
        """Rows and columns within the support outside of which images (..., *shape) are as good as 0; None: dark."""
        peaks = np.abs(images[(..., *self.support)]).max(axis=tuple(range(images.ndim - 2)))
        bright = peaks > _DARK * peaks.max(initial=0.0)
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if not rows.size:
            return None
        y, x = (s.start + lit[[0, -1]] for s, lit in zip(self.support, (rows, columns), strict=True))
        return slice(int(y[0]), int(y[1]) + 1), slice(int(x[0]), int(x[1]) + 1)

    def fold(self, image: Array) -> Array:
        """(n_kernels, *shape) from one image (*shape) for all kernels, or one for each (n_kernels, *shape)."""
        folded = np.zeros((self.n_kernels, *self.shape))
        for k, one in self.fold_one_by_one(image):
            folded[k] = one
        return folded

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        """Kernel after kernel, and `fold` with it alone (*shape), which is overwritten by the next."""
        folded = np.zeros(self.shape)
        last: _Grid | None = None
        for members, _, grid, whole in self._folded(image[None]):
            if grid is not last:
                folded[:], last = 0.0, grid
            for k, one in zip(members, whole, strict=True):
                folded[grid.reach] = one[grid.cut]
                yield int(k), folded

    def fold_at(self, images: Array, y: IntArray, x: IntArray) -> Array:
        """(m, n_kernels, n_pixels): `fold` of m images at the window's pixels ``y``, ``x`` (n_pixels,) only."""
        values = np.zeros((len(images), self.n_kernels, y.size))
        last: _Grid | None = None
        reached: IntArray | slice = slice(None)
        index = y
        for members, j, grid, whole in self._folded(images):
            if grid is not last:
                last, (reached, index) = grid, grid.find(y, x)
            read = np.take(whole.reshape(len(whole), -1), index, axis=1)
            if isinstance(reached, slice):
                values[j, members] = read
            else:
                values[j, members[:, None], reached] = read
        return values

    def _folded(self, images: Array) -> Iterator[tuple[IntArray, int, _Grid, Array]]:
        """Some kernels, an image, the grid, and their convolutions on it (n, *grid.size)."""
        part = self.lit(images)
        if part is None:
            return
        inside = images[(..., *part)]
        for group in self._groups:
            grid = self._grid(group, part)
            spectra = fft.rfft2(inside, s=grid.size) if images.ndim == 3 else None
            transforms = group.at(grid.size)
            for some in _chunks(len(transforms), grid.size):
                members = group.members[some]
                for j in range(len(images)):
                    spectrum = fft.rfft2(inside[j, members], s=grid.size) if spectra is None else spectra[j]
                    yield members, j, grid, fft.irfft2(transforms[some] * spectrum, s=grid.size, overwrite_x=True)

    def adjoint_at(self, weights: Array, y: IntArray, x: IntArray, part: Part) -> Array:
        """The transposed of `fold_at` for one image, (*shape) from (n_kernels, n_pixels), no pixel twice.

        Only ``part`` of the image is computed, and 0 elsewhere.
        """
        image = np.zeros(self.shape)
        for group in self._groups:
            grid = self._grid(group, part)
            transforms = group.at(grid.size)
            reached, index = grid.find(y, x)
            (n_rows, n_columns), total = grid.size, np.zeros(transforms.shape[1:], dtype=np.complex128)
            # Read backwards an image has the conjugate transform, which the transposed convolution asks for.
            row, column = np.divmod(index, n_columns)
            backwards = -row % n_rows * n_columns + -column % n_columns
            for some in _chunks(len(transforms), grid.size):
                members = group.members[some]
                placed = np.zeros((len(members), n_rows * n_columns))
                placed[:, backwards] = weights[members][:, reached]
                product = fft.rfft2(placed.reshape(-1, *grid.size), overwrite_x=True)
                product *= transforms[some]
                for one in product:
                    total += one
            back = fft.irfft2(total, s=grid.size, overwrite_x=True)
            n_y, n_x = _lengths(part)
            image[part] += back[-np.arange(n_y) % n_rows][:, -np.arange(n_x) % n_columns]
        return image

    def fold_adjoint(self, images: Array) -> Array:
        """The transposed of `fold` for one image: (*shape) from (n_kernels, *shape)."""
        total = np.zeros(self.shape)
        for _, back in self._back(images):
            total[self.support] += back
        return total

    def fold_adjoint_each(self, images: Array) -> Array:
        """The transposed of `fold` for one image each: (n_kernels, *shape) from (n_kernels, *shape)."""
        each = np.zeros((self.n_kernels, *self.shape))
        for k, back in self._back(images):
            each[(k, *self.support)] = back
        return each

    def _back(self, images: Array) -> Iterator[tuple[int, Array]]:
        """Kernel, and the transposed of `fold` with it alone, on the support."""
        n_y, n_x = _lengths(self.support)
        for group in self._groups:
            grid = self._grid(group, self.support)
            transforms = group.at(grid.size)
            for some in _chunks(len(transforms), grid.size):
                members = group.members[some]
                placed = np.zeros((len(members), *grid.size))
                placed[(slice(None), *grid.cut)] = images[(members, *grid.reach)]
                product = fft.rfft2(placed, overwrite_x=True)
                np.conjugate(product, out=product)
                product *= transforms[some]
                back = fft.irfft2(np.conjugate(product, out=product), s=grid.size, overwrite_x=True)
                for k, image in zip(members, back, strict=True):
                    yield int(k), image[:n_y, :n_x]

    def _grid(self, group: _Group, part: Part) -> _Grid:
        """The smallest transforms whose results on the window are free of what wraps around.

        Light of n pixels from s on falls on [s - half, s + n + half). Read is [a, b), the part of it in the window:
        with N pixels, what lies N further must be beyond the light, and the same from below.
        """
        reach, size, origin = [], [], []
        for lit, support, n_window in zip(part, self.support, self.shape, strict=True):
            available = support.stop - support.start
            n = _rounded_up(lit.stop - lit.start, available)
            start, half = lit.start, group.half
            a, b = max(start - half, 0), min(lit.stop + half, n_window)
            least = max(n + half - (a - start), b - start + half, n, 2 * half + 1)
            widest = max(n + 2 * half, 2 * half + 1)
            reach.append(slice(a, max(a, b)))
            size.append(fft.next_fast_len(min(least, widest), real=True))
            origin.append(start - half)
        return _Grid((reach[0], reach[1]), (size[0], size[1]), (origin[0], origin[1]))


class NoConvolution:
    """What a `Convolver` is when nothing is spread: every image stays as it is. ``n_kernels`` : how many images."""

    def __init__(self, n_kernels: int, shape: tuple[int, int]) -> None:
        self.n_kernels, self.shape = n_kernels, shape
        self.support: Part = slice(0, shape[0]), slice(0, shape[1])

    def lit(self, images: Array) -> Part | None:
        return self.support

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        for k in range(self.n_kernels):
            yield k, image if image.ndim == 2 else image[k]

    def fold_at(self, images: Array, y: IntArray, x: IntArray) -> Array:
        values = images[..., y, x]
        return values if images.ndim == 4 else np.repeat(values[:, None], self.n_kernels, axis=1)

    def adjoint_at(self, weights: Array, y: IntArray, x: IntArray, part: Part) -> Array:
        n_pixels = self.shape[0] * self.shape[1]
        image = np.zeros(n_pixels)
        image[y * self.shape[1] + x] = weights.sum(axis=0)
        return image.reshape(self.shape)

    def fold_adjoint_each(self, images: Array) -> Array:
        return images


def _chunks(n: int, size: tuple[int, int]) -> Iterator[slice]:
    """A few transforms at a time: enough that calls cost little, so few that they stay in the processor's cache."""
    step = max(1, _CACHED // (size[0] * size[1]))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _rounded_up(n: int, largest: int) -> int:
    """The smallest size in a few steps down from the largest that holds ``n`` pixels."""
    size = largest
    while (smaller := ceil(size * _SMALLER)) >= n and smaller < size:
        size = smaller
    return size


def _lengths(part: Part) -> tuple[int, int]:
    return part[0].stop - part[0].start, part[1].stop - part[1].start


def _half_width(kernel: NDArray[np.float32 | np.float64]) -> int:
    """Pixels from the centre to the last one that is not 0."""
    center = kernel.shape[-1] // 2
    used = np.flatnonzero(kernel.any(axis=0) | kernel.any(axis=1))
    return int(np.abs(used - center).max()) if used.size else 0
