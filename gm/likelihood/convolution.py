"""Convolution of images with a stack of kernels, and its adjoint, by real Fourier transforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray

_GROUPS = 3  # sizes of transforms; narrow kernels need not pay for wide ones


@dataclass(frozen=True, eq=False)
class _Group:
    """Kernels of similar size: their positions in the stack, transforms, and what they reach.

    y, x : rows and columns of the images that the kernels reach from the support; shift : of the support in there.
    """

    members: IntArray
    size: tuple[int, int]
    transforms: NDArray[np.complex128]
    y: slice
    x: slice
    corner: tuple[int, int]


class Convolver:
    """``folded[e] = kernel[e] * image``, cut to the image's own grid; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the images; support : rows and columns outside of
    which the images are 0, by default none.

    One forward transform of the image serves all kernels of a group, and the adjoint adds them up in Fourier space
    before one transform back. A transform is as large as support and kernel together: nothing wraps around.
    """

    def __init__(self, kernels: Array, shape: tuple[int, int], support: tuple[slice, slice] | None = None) -> None:
        self.shape, self._n_kernels = shape, len(kernels)
        self._support = support or (slice(0, shape[0]), slice(0, shape[1]))
        halves = np.array([_half_width(kernel) for kernel in kernels])
        bounds = np.quantile(halves, np.arange(1, _GROUPS + 1) / _GROUPS, method="higher")
        groups = np.searchsorted(bounds, halves)
        self._groups = [self._group(kernels, np.flatnonzero(groups == g), halves) for g in np.unique(groups)]

    def _group(self, kernels: Array, members: IntArray, halves: IntArray) -> _Group:
        half, center = int(halves[members].max()), kernels.shape[-1] // 2
        part = kernels[members, center - half : center + half + 1, center - half : center + half + 1]
        lengths = [s.stop - s.start for s in self._support]
        size = tuple(fft.next_fast_len(length + 2 * half, real=True) for length in lengths)
        reach = [
            slice(max(s.start - half, 0), min(s.stop + half, n)) for s, n in zip(self._support, self.shape, strict=True)
        ]
        corner = tuple(r.start - s.start + half for r, s in zip(reach, self._support, strict=True))
        transforms = fft.rfft2(part, s=size)
        return _Group(members, (size[0], size[1]), transforms, reach[0], reach[1], (corner[0], corner[1]))

    def fold(self, image: Array) -> Array:
        """(n_kernels, ny, nx) from one image (ny, nx) for all kernels, or one for each (n_kernels, ny, nx)."""
        folded = np.zeros((self._n_kernels, *self.shape))
        inside = image[(..., *self._support)]
        for group in self._groups:
            images = inside if image.ndim == 2 else inside[group.members]
            product = group.transforms * fft.rfft2(images, s=group.size)
            whole = fft.irfft2(product, s=group.size, overwrite_x=True)
            (row, column), n_y, n_x = group.corner, group.y.stop - group.y.start, group.x.stop - group.x.start
            folded[group.members, group.y, group.x] = whole[:, row : row + n_y, column : column + n_x]
        return folded

    def fold_adjoint(self, images: Array) -> Array:
        """The transposed of `fold` for one image: (ny, nx) from (n_kernels, ny, nx)."""
        image = np.zeros(self.shape)
        for group in self._groups:
            total = np.einsum("eij,eij->ij", group.transforms.conj(), self._spread(group, images))
            image[self._support] += self._cut(fft.irfft2(total, s=group.size))
        return image

    def fold_adjoint_each(self, images: Array) -> Array:
        """The transposed of `fold` for one image each: (n_kernels, ny, nx) from (n_kernels, ny, nx)."""
        each = np.zeros_like(images)
        for group in self._groups:
            back = fft.irfft2(group.transforms.conj() * self._spread(group, images), s=group.size)
            each[(group.members, *self._support)] = self._cut(back)
        return each

    def _spread(self, group: _Group, images: Array) -> NDArray[np.complex128]:
        """Transforms of the part of the images that the group reaches, placed as `fold` reads them."""
        placed = np.zeros((len(group.members), *group.size))
        (row, column), part = group.corner, images[group.members, group.y, group.x]
        placed[:, row : row + part.shape[1], column : column + part.shape[2]] = part
        return np.asarray(fft.rfft2(placed, overwrite_x=True))

    def _cut(self, whole: Array) -> Array:
        lengths = [s.stop - s.start for s in self._support]
        return whole[..., : lengths[0], : lengths[1]]


def _half_width(kernel: Array) -> int:
    """Pixels from the centre to the last one that is not 0."""
    center = kernel.shape[-1] // 2
    used = np.flatnonzero(kernel.any(axis=0) | kernel.any(axis=1))
    return int(np.abs(used - center).max()) if used.size else 0
