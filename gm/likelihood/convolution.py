"""Convolution of images with a stack of kernels, and its adjoint, by real Fourier transforms."""

from __future__ import annotations

import numpy as np
from scipy import fft

from gm.arrays import Array


class Convolver:
    """``folded[e] = kernel[e] * image``, cut to the image's own grid; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the images.

    One forward transform of the image serves all kernels, and the adjoint adds all kernels up in Fourier space before
    its one transform back. Transforms are as large as the image plus half a kernel, so that nothing wraps around.
    """

    def __init__(self, kernels: Array, shape: tuple[int, int]) -> None:
        self.shape = shape
        half = kernels.shape[-1] // 2
        self._size = tuple(fft.next_fast_len(n + half, real=True) for n in shape)
        wrapped = np.zeros((len(kernels), *self._size))
        rows, columns = (np.arange(-half, half + 1) % n for n in self._size)
        # A kernel larger than the transform meets itself; what overlaps lies outside of the image.
        fits = [np.flatnonzero(np.abs(np.arange(-half, half + 1)) < n) for n in shape]
        wrapped[:, rows[fits[0]][:, None], columns[fits[1]]] = kernels[:, fits[0][:, None], fits[1]]
        self._kernels = fft.rfft2(wrapped)

    def fold(self, image: Array) -> Array:
        """(n_kernels, ny, nx) from one image (ny, nx) for all kernels, or one for each (n_kernels, ny, nx)."""
        ny, nx = self.shape
        return np.asarray(fft.irfft2(self._kernels * fft.rfft2(image, s=self._size), s=self._size)[:, :ny, :nx])

    def fold_adjoint(self, images: Array) -> Array:
        """The transposed of `fold` for one image: (ny, nx) from (n_kernels, ny, nx)."""
        ny, nx = self.shape
        total = np.einsum("eij,eij->ij", self._kernels.conj(), fft.rfft2(images, s=self._size))
        return np.asarray(fft.irfft2(total, s=self._size)[:ny, :nx])

    def fold_adjoint_each(self, images: Array) -> Array:
        """The transposed of `fold` for one image each: (n_kernels, ny, nx) from (n_kernels, ny, nx)."""
        ny, nx = self.shape
        back = self._kernels.conj() * fft.rfft2(images, s=self._size)
        return np.asarray(fft.irfft2(back, s=self._size)[:, :ny, :nx])
