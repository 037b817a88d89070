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
from gm.io.allocator import zeros_apart
from gm.likelihood.maps.folding.frequencies import ComplexArray, Frequencies
from gm.likelihood.maps.folding.kernel_basis import KernelBasis
from gm.parallel import own_room

_CACHED = 1 << 17  # complex numbers that are transformed at a time
_LARGE = 1 << 20  # complex numbers in all pairs: of more, and of symmetric kernels, a half or a quarter is kept


@dataclass(frozen=True, eq=False)
class PairedKernels:
    """Spectra of pairs of kernels, (n_pairs, n_y, n_x), at low frequencies.

    pieces : rows and columns of them, and the pairs there (n_pairs, n_rows, n_columns); where kernels are symmetric and
    many, those at negative and positive frequencies are the same memory
    turn : (n_y, n_x) by which spectra of images are multiplied before, else None: the phase of the kernels' centre
    along the axes in which they are

    Counted from the lowest frequency, a plane of pixels has the phase ``exp(2 pi i lowest p / size)`` at the pixel p,
    which is taken off where it is read.
    """

    frequencies: Frequencies
    pieces: list[tuple[slice, slice, ComplexArray]]
    turn: ComplexArray | None

    @classmethod
    def of(cls, basis: KernelBasis) -> PairedKernels:
        """Of a basis, which has an even number of kernels, some at a time."""
        frequencies = basis.frequencies
        (n_y, n_x), lowest = frequencies.shape, frequencies.lowest
        is_large = basis.n // 2 * n_y * n_x > _LARGE
        half_y, half_x = (is_large and is_even for is_even in basis.is_even)
        stored = lowest[0] + 1 if half_y else n_y, lowest[1] + 1 if half_x else n_x
        pairs = zeros_apart((basis.n // 2, *stored), np.complex128)
        step = max(_CACHED // (n_y * n_x), 1)
        for start in range(0, len(pairs), step):
            some = slice(2 * start, 2 * (start + step))
            spectra = basis.spectra_by_distance(some) if half_y or half_x else basis.spectra(some=some)
            pairs[start : start + step] = spectra[::2] + 1j * spectra[1::2]
        if not (half_y or half_x):
            return cls(frequencies, [(slice(0, n_y), slice(0, n_x), pairs)], None)
        rows, columns = _sides(lowest[0], n_y, half_y), _sides(lowest[1], n_x, half_x)
        pieces = [(y, x, pairs[:, its_y, its_x]) for y, its_y in rows for x, its_x in columns]
        by_row = basis.turn(0, frequencies.y) if half_y else np.ones(n_y)
        by_column = basis.turn(1, frequencies.x) if half_x else np.ones(n_x)
        return cls(frequencies, pieces, np.outer(by_row, by_column))

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return len(self.pieces[0][2])

    def turned(self, spectra: ComplexArray) -> ComplexArray:
        """Spectra (m, n_y, n_x) of images as `fold` takes them, in the same memory."""
        if self.turn is not None:
            spectra *= self.turn
        return spectra

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
        """Convolutions of an image, given by its `turned` spectrum (n_y, n_x), with some pairs of kernels, which at
        pixels (n_pixels,) go to ``folded`` (n_pixels, n_some)."""
        planes, inner = self._planes(some)
        for rows, columns, pairs in self.pieces:
            np.multiply(pairs[some], spectrum[rows, columns], out=inner[:, rows, columns])
        _transform(fft.ifft, planes[:, :, : inner.shape[2]], 1)
        _transform(fft.ifft, planes, 2)
        read = np.empty((len(planes), pixels.size), dtype=np.complex128)
        for plane, own in zip(planes.reshape(len(planes), -1), read, strict=True):
            np.take(plane, pixels, out=own, mode="clip")  # the other modes take a buffer
            own *= without_phase  # in place: on the way to columns NumPy 1 and 2.0 round by which address is higher
        folded[:] = read.T

    def send(self, weights: Array, y: IntArray, x: IntArray, some: slice) -> ComplexArray:
        """The adjoint of `fold`: a spectrum (n_y, n_x) whose product with the `turned` one of an image is the sum over
        pixels, each given once, of weights (n_pixels, n) times the convolutions with the kernels of some pairs.

        Read backwards and conjugate, a plane of weights has the conjugate transform, which the transposed convolution
        asks for.
        """
        (n_y, n_x), (planes, inner) = self.frequencies.size, self._planes(some)
        y, x = -y % n_y, -x % n_x
        sent = np.conjugate(np.ascontiguousarray(weights).view(np.complex128))
        sent *= self.phase[y, x][:, None]
        planes.reshape(len(planes), -1)[:, y * n_x + x] = sent.T
        _transform(fft.fft, planes, 2)
        _transform(fft.fft, planes[:, :, : inner.shape[2]], 1)
        for rows, columns, pairs in self.pieces:
            inner[:, rows, columns] *= pairs[some]
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
        n_y, n_x = self.frequencies.shape
        return planes, planes[:, :n_y, :n_x]


def _sides(lowest: int, n: int, is_half: bool) -> list[tuple[slice, slice]]:
    """Where frequencies along an axis are in spectra, and where in what is stored: all of them, or a half twice."""
    if not is_half:
        return [(slice(0, n), slice(0, n))]
    return [(slice(0, lowest), slice(lowest, 0, -1)), (slice(lowest, n), slice(0, n - lowest))]


def _transform(transform: Callable[..., ComplexArray], planes: ComplexArray, axis: int) -> None:
    """In place, which SciPy is free to do."""
    done = transform(planes, axis=axis, overwrite_x=True)
    if not np.may_share_memory(done, planes):
        planes[...] = done
