"""Kernels in pairs, the second times i, at the frequency support of images.

The convolutions of an image with both kernels of a pair are the real and the imaginary part of one. Complex transforms
work in place, so that no memory comes and goes and threads do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod

import numpy as np
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.maps.folding.frequencies import ComplexArray, Frequencies
from gm.likelihood.maps.folding.kernel_basis import KernelBasis
from gm.parallel import own_room

_CACHED = 1 << 17  # complex numbers that are transformed at a time


@dataclass(frozen=True, eq=False)
class PairedKernels:
    """Spectra of pairs of kernels, (n_pairs, n_y, n_x), at low frequencies.

    Counted from the lowest frequency, a plane of pixels has the phase ``exp(2 pi i lowest p / size)`` at the pixel p,
    which is taken off where it is read.
    """

    frequencies: Frequencies
    pairs: ComplexArray

    @classmethod
    def of(cls, basis: KernelBasis) -> PairedKernels:
        """Of a basis, which has an even number of kernels, some at a time."""
        pairs = np.empty((basis.n // 2, *basis.frequencies.shape), dtype=np.complex128)
        step = max(_CACHED // prod(basis.frequencies.shape), 1)
        for start in range(0, len(pairs), step):
            spectra = basis.spectra(some=slice(2 * start, 2 * (start + step)))
            pairs[start : start + step] = spectra[::2] + 1j * spectra[1::2]
        return cls(basis.frequencies, pairs)

    @cached_property
    def phase(self) -> ComplexArray:
        """Of planes, (*size)."""
        by_row, by_column = (
            np.exp(2j * np.pi * low / n * np.arange(n))
            for low, n in zip(self.frequencies.lowest, self.frequencies.size, strict=True)
        )
        return np.asarray(np.outer(by_row, by_column))

    def without_phase(self, pixels: IntArray) -> ComplexArray:
        """What takes the phase off at pixels, (n_pixels,)."""
        return np.asarray(np.conjugate(self.phase.reshape(-1)[pixels]))

    def fold(
        self, spectrum: ComplexArray, some: slice, pixels: IntArray, without_phase: ComplexArray, folded: ComplexArray
    ) -> None:
        """Convolutions of an image, given by its spectrum (n_y, n_x), with some pairs of kernels, which at pixels
        (n_pixels,) go to their places in ``folded`` (n_pixels, n_pairs)."""
        planes, inner = self._planes(some)
        np.multiply(self.pairs[some], spectrum, out=inner)
        _transform(fft.ifft, planes[:, :, : inner.shape[2]], 1)
        _transform(fft.ifft, planes, 2)
        for k, plane in enumerate(planes.reshape(len(planes), -1), some.start):
            np.multiply(plane.take(pixels, mode="clip"), without_phase, out=folded[:, k])

    def send(self, weights: Array, y: IntArray, x: IntArray, some: slice) -> ComplexArray:
        """The adjoint of `fold`: a spectrum (n_y, n_x) whose product with that of an image is the sum over pixels, each
        given once, of weights (n_pixels, n) times the convolutions with the kernels of some pairs.

        Read backwards and conjugate, a plane of weights has the conjugate transform, which the transposed convolution
        asks for.
        """
        (rows, columns), (planes, inner) = self.frequencies.size, self._planes(some)
        y, x = -y % rows, -x % columns
        sent = np.conjugate(np.ascontiguousarray(weights).view(np.complex128))
        sent *= self.phase[y, x][:, None]
        planes.reshape(len(planes), -1)[:, y * columns + x] = sent.T
        _transform(fft.fft, planes, 2)
        _transform(fft.fft, planes[:, :, : inner.shape[2]], 1)
        inner *= self.pairs[some]
        return np.asarray(inner.sum(axis=0) / prod(self.frequencies.size))

    def chunks(self, n: int) -> list[slice]:
        """The first n pairs, some at a time: so many that threads seldom wait for each other, so few that a cache holds
        them."""
        step = ceil(n / max(ceil(n * prod(self.frequencies.size) / _CACHED), 1))
        return [slice(start, min(start + step, n)) for start in range(0, n, max(step, 1))]

    def _planes(self, some: slice) -> tuple[ComplexArray, ComplexArray]:
        """Zeros for some pairs (*size), in the memory of this thread, and the part for their frequencies."""
        planes = own_room(some.stop - some.start, *self.frequencies.size)
        planes.fill(0.0)
        return planes, planes[:, : self.pairs.shape[1], : self.pairs.shape[2]]


def _transform(transform: Callable[..., ComplexArray], planes: ComplexArray, axis: int) -> None:
    """In place, which SciPy is free to do."""
    done = transform(planes, axis=axis, overwrite_x=True)
    if not np.may_share_memory(done, planes):
        planes[...] = done
