"""Convolution of images with a stack of kernels, and its adjoint, by Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import chain
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.maps.folding.frequencies import (
    ComplexArray,
    Part,
    Size,
    bounding_box,
    images_of,
    noise_of,
    spectra_of,
)
from gm.likelihood.maps.folding.kernel_groups import Grid, KernelGroup, chunks, moved

_SMALLER = 0.75  # steps of sizes of the bounding box of an image; kernels are transformed again for each


class Convolver:
    """``folded[k] = kernel[k] * image`` on a window; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the window, where folded images are wanted;
    support : rows and columns outside of which the images are 0, by default none.

    One forward transform of the image serves all kernels of a group. A transform is just so large that nothing that is
    read has wrapped around, and only the bounding box of an image is transformed.
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
        return chain.from_iterable(self.fold_in_pieces(image))

    def fold_in_pieces(self, image: Array) -> list[Iterator[tuple[int, Array]]]:
        """`fold_one_by_one` for some of the kernels each, to be gone through side by side."""
        part = bounding_box(image[(..., *self.support)])
        if part is None:
            return []
        part = _rounded_up(moved(part, self.support), self.support)
        pieces, noise = [], np.broadcast_to(noise_of(image[(..., *part)]), self.n_kernels)
        for group in self._groups:
            grid = Grid.of(part, self.shape, group.half)
            if image.ndim == 2:
                spectra = partial(_the_same, spectra_of(image[part], grid.size))
            else:
                spectra = partial(_of_each, image, part, grid.size)
            transforms = group.at(grid.size)
            for some in chunks(len(transforms), grid.size):
                pieces.append(self._folded(group.members[some], transforms[some], grid, spectra, noise))
        return pieces

    def _folded(
        self,
        members: IntArray,
        transforms: ComplexArray,
        grid: Grid,
        spectra: Callable[[IntArray], ComplexArray],
        noise: Array,
    ) -> Iterator[tuple[int, Array]]:
        """The convolutions with some kernels of images that have these spectra; less than ``noise`` (n,) is 0."""
        folded = np.zeros(self.shape)
        for k, one in zip(members, images_of(transforms * spectra(members), grid.size, grid.cut), strict=True):
            folded[grid.reach] = np.where(np.abs(one) > noise[k], one, 0.0)
            yield int(k), folded

    def fold_adjoint_each(self, images: Array) -> Array:
        """The transposed of `fold` for one image each: (n_kernels, *shape) from (n_kernels, *shape)."""
        each = np.zeros((self.n_kernels, *self.shape))
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
                each[(members, *self.support)] = back[:, :n_y, :n_x]
        return each


class NoConvolution:
    """What a `Convolver` is when nothing is spread: every image stays as it is. ``n_kernels`` : how many images.

    Images are (n_y, n_x), or (n_kernels, n_y, n_x) one for each.
    """

    def __init__(self, n_kernels: int, shape: tuple[int, int], support: Part | None = None) -> None:
        self.n_kernels, self.shape = n_kernels, shape
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        return chain.from_iterable(self.fold_in_pieces(image))

    def fold_in_pieces(self, image: Array) -> list[Iterator[tuple[int, Array]]]:
        return [iter([(k, image if image.ndim == 2 else image[k])]) for k in range(self.n_kernels)]

    def fold_adjoint_each(self, images: Array) -> Array:
        return images


def _the_same(spectrum: ComplexArray, members: IntArray) -> ComplexArray:
    return spectrum


def _of_each(images: Array, part: Part, size: Size, members: IntArray) -> ComplexArray:
    return spectra_of(images[(members, *part)], size)


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
