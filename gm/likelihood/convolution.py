"""Convolution of images with a stack of kernels, and its adjoint, by Fourier transforms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.kernel_groups import Grid, KernelGroup, chunks, moved
from gm.likelihood.spectra import Part, Size, lit

_SMALLER = 0.75  # steps of sizes of the lit part of an image; kernels are transformed again for each


class Convolver:
    """``folded[k] = kernel[k] * image`` on a window; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the window, where folded images are wanted;
    support : rows and columns outside of which the images are 0, by default none.

    One forward transform of the image serves all kernels of a group. A transform is just so large that nothing that is
    read has wrapped around, and what is dark in an image is left out.
    """

    def __init__(
        self,
        kernels: NDArray[np.float32 | np.float64],
        shape: tuple[int, int],
        support: Part | None = None,
    ) -> None:
        self.shape, self.n_kernels = shape, len(kernels)
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))
        self._kernels = kernels

    @cached_property
    def _groups(self) -> list[KernelGroup]:
        return KernelGroup.all_of(self._kernels)

    def fold(self, image: Array) -> Array:
        """(n_kernels, *shape) from one image (*shape) for all kernels, or one for each (n_kernels, *shape)."""
        folded = np.zeros((self.n_kernels, *self.shape))
        for k, one in self.fold_one_by_one(image):
            folded[k] = one
        return folded

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        """Kernel after kernel, and `fold` with it alone (*shape), which is overwritten by the next."""
        folded = np.zeros(self.shape)
        last: Grid | None = None
        for members, grid, whole in self._folded(image):
            if grid is not last:
                folded[:], last = 0.0, grid
            for k, one in zip(members, whole, strict=True):
                folded[grid.reach] = one[grid.cut]
                yield int(k), folded

    def _folded(self, image: Array) -> Iterator[tuple[IntArray, Grid, Array]]:
        """Some kernels, their grid, and their convolutions on it (n, *grid.size)."""
        part = lit(image[(..., *self.support)])
        if part is None:
            return
        part = _rounded_up(moved(part, self.support), self.support)
        for group in self._groups:
            grid = Grid.of(part, self.shape, group.half)
            spectrum = fft.rfft2(image[part], s=grid.size) if image.ndim == 2 else None
            transforms = group.at(grid.size)
            for some in chunks(len(transforms), grid.size):
                members = group.members[some]
                own = fft.rfft2(image[(members, *part)], s=grid.size) if spectrum is None else spectrum
                yield members, grid, fft.irfft2(transforms[some] * own, s=grid.size, overwrite_x=True)

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
            grid = Grid.of(self.support, self.shape, group.half)
            transforms = group.at(grid.size)
            for some in chunks(len(transforms), grid.size):
                members = group.members[some]
                placed = np.zeros((len(members), *grid.size))
                placed[(slice(None), *grid.cut)] = images[(members, *grid.reach)]
                product = fft.rfft2(placed, overwrite_x=True)
                np.conjugate(product, out=product)
                product *= transforms[some]
                back = fft.irfft2(np.conjugate(product, out=product), s=grid.size, overwrite_x=True)
                for k, image in zip(members, back, strict=True):
                    yield int(k), image[:n_y, :n_x]


class NoConvolution:
    """What a `Convolver` is when nothing is spread: every image stays as it is. ``n_kernels`` : how many images."""

    def __init__(self, n_kernels: int, shape: tuple[int, int], support: Part | None = None) -> None:
        self.n_kernels, self.shape = n_kernels, shape
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        for k in range(self.n_kernels):
            yield k, image if image.ndim == 2 else image[k]

    def fold_adjoint_each(self, images: Array) -> Array:
        return images


def spread_out(images: Array, support: Part, shape: tuple[int, int]) -> Array:
    """Images on the support (..., *support) on a window (..., *shape)."""
    if images.shape[-2:] == shape:
        return images
    whole = np.zeros((*images.shape[:-2], *shape))
    whole[(..., *support)] = images
    return whole


def _rounded_up(part: Part, support: Part) -> Part:
    """A part of the support that holds another: its size is one of few, so that kernels are not transformed anew."""
    parts = []
    for own, whole in zip(part, support, strict=True):
        size = whole.stop - whole.start
        while (smaller := ceil(size * _SMALLER)) >= own.stop - own.start and smaller < size:
            size = smaller
        start = min(own.start, whole.stop - size)
        parts.append(slice(start, start + size))
    return parts[0], parts[1]


def _lengths(part: Part) -> Size:
    return part[0].stop - part[0].start, part[1].stop - part[1].start
