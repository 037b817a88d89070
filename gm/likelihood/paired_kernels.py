"""Kernels in pairs, the second times i, and their transforms at the low frequencies where images have light.

The convolutions of an image with both kernels of a pair are the real and the imaginary part of one. Complex transforms
work in place, so that no memory comes and goes and threads do not wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.spectra import ComplexArray, Part, Size

_CACHED = 1 << 17  # complex numbers that are transformed at a time
_ROOM = 0.3  # frequencies more than an image needs: its second derivatives need a quarter more


@dataclass(frozen=True, eq=False)
class PairedKernels:
    """Transforms of pairs (n_pairs, n_y, n_x) at frequencies from ``-lowest`` on, for images that have no others.

    size : (rows, columns) of whole transforms; n : of kernels. Counted from the lowest frequency, a plane has the phase
    ``exp(2 pi i lowest p / size)`` at the pixel p, which is taken off where it is read.
    """

    n: int
    size: Size
    lowest: Size
    pairs: ComplexArray

    @classmethod
    def of(cls, kernels: NDArray[np.float32 | np.float64], size: Size, band: Size) -> PairedKernels:
        """From kernels (n, m, m) that start at a transform's first pixel, up to frequencies in ``band``."""
        y, x = (ceil(b * (1 + _ROOM)) for b in band)
        lowest = min(y, size[0] // 2), min(x, size[1] // 2)
        shape = -(-len(kernels) // 2), min(2 * lowest[0] + 1, size[0]), min(2 * lowest[1] + 1, size[1])
        made = cls(len(kernels), size, lowest, np.empty(shape, dtype=np.complex128))
        at = slice(kernels.shape[1]), slice(kernels.shape[2])
        for some in made._chunks():
            made.pairs[_pairs(some)] = made._transformed(kernels[some], at)
        return made

    def holds(self, band: Size) -> bool:
        """Whether frequencies up to those in ``band`` are there."""
        return all(b <= lowest for b, lowest in zip(band, self.lowest, strict=True))

    def cut(self, spectra: ComplexArray) -> ComplexArray:
        """The frequencies that are there, (..., n_y, n_x) from whole spectra (..., rows, columns)."""
        y, x = (
            (np.arange(n) - low) % size
            for n, low, size in zip(self.pairs.shape[1:], self.lowest, self.size, strict=True)
        )
        return np.take(np.take(spectra, y, axis=-2), x, axis=-1)

    def phase(self, y: IntArray, x: IntArray) -> ComplexArray:
        """Of planes at pixels."""
        by_row, by_column = (
            np.exp(2j * np.pi * low / n * np.arange(n)) for low, n in zip(self.lowest, self.size, strict=True)
        )
        return np.asarray(by_row[y] * by_column[x])

    def fold(self, spectra: ComplexArray) -> Iterator[tuple[slice, int, ComplexArray]]:
        """Some kernels, the image, and its convolutions with their pairs (*size), overwritten by the next."""
        for some in self._chunks():
            for j, spectrum in enumerate(spectra):
                planes, inner = self._planes(some)
                np.multiply(self.pairs[_pairs(some)], spectrum, out=inner)
                yield some, j, self._to_pixels(planes)

    def read(self, planes: ComplexArray, at: Part) -> Array:
        """Real and imaginary parts of planes in some rows and columns, one after the other, without their phase."""
        true = planes[(slice(None), *at)] * np.conjugate(self.phase(*_pixels(at)))
        return np.stack([true.real, true.imag], axis=1).reshape(-1, *true.shape[1:])

    def correlate(self, spectra: ComplexArray, weights: Array, y: IntArray, x: IntArray) -> Array:
        """For each image (m,) the sum of weights (n, n_pixels), times its convolutions at different pixels.

        Read backwards and conjugate, a plane of weights has the conjugate transform, which the transposed convolution
        asks for; its product with a spectrum is a sum over frequencies.
        """
        (rows, columns), total = self.size, np.zeros(self.pairs.shape[1:], dtype=np.complex128)
        y, x = -y % rows, -x % columns
        index, sent = y * columns + x, np.zeros((len(self.pairs), y.size), dtype=np.complex128)
        sent.real, sent.imag[: self.n // 2] = weights[::2], -weights[1::2]
        sent *= self.phase(y, x)
        for some in self._chunks():
            planes, inner = self._planes(some)
            planes.reshape(len(planes), -1)[:, index] = sent[_pairs(some)]
            self._to_frequencies(planes, slice(None))
            total += np.einsum("kyx,kyx->yx", inner, self.pairs[_pairs(some)])
        return np.asarray(np.einsum("yx,myx->m", total, spectra).real / prod(self.size))

    def transposed(self, images: Array, at: Part, shape: Size) -> Array:
        """The transposed convolution of images (n, ...) at some rows and columns, in the first pixels (n, *shape)."""
        back = np.empty((self.n, *shape))
        for some in self._chunks():
            sent = self._transformed(images[some], at)
            planes, inner = self._planes(some)
            # With the transforms at the opposite frequencies, each image meets its own kernel and not the other.
            for product, own, pair in zip(inner, sent, self.pairs[_pairs(some)], strict=True):
                turned, opposite = np.conjugate(pair), self._opposite(pair)
                mirror = np.conjugate(self._opposite(own))
                product[:] = 0.25 * ((turned + opposite) * (own + mirror) + 1j * (turned - opposite) * (own - mirror))
            whole = self.read(self._to_pixels(planes), (slice(0, shape[0]), slice(0, shape[1])))
            back[some] = whole[: some.stop - some.start]
        return back

    def _opposite(self, spectrum: ComplexArray) -> ComplexArray:
        """A spectrum (n_y, n_x) at the opposite frequencies; the highest one of an even size is its own opposite."""
        shifts = tuple(1 - n % 2 for n in self.pairs.shape[1:])
        flipped = spectrum[::-1, ::-1]
        return np.roll(flipped, shifts, (0, 1)) if any(shifts) else flipped

    def _transformed(self, images: NDArray[np.float32 | np.float64], at: Part) -> ComplexArray:
        """Transforms (n / 2, n_y, n_x) of pairs of images at some rows and columns."""
        planes, inner = self._planes(slice(0, len(images)))
        placed = planes[(slice(None), *at)]
        placed.real, placed.imag[: len(images) // 2] = images[::2], images[1::2]
        placed *= self.phase(*_pixels(at))
        self._to_frequencies(planes, at[0])
        return inner.copy()

    def _planes(self, some: slice) -> tuple[ComplexArray, ComplexArray]:
        """Zeros for pairs of some kernels (*size), in the memory of this thread, and the part for their frequencies."""
        n = prod(shape := (-(-(some.stop - some.start) // 2), *self.size))
        if _OWN.room.size < n:
            _OWN.room = np.empty(n, dtype=np.complex128)
        planes = _OWN.room[:n].reshape(shape)
        planes.fill(0.0)
        return planes, planes[:, : self.pairs.shape[1], : self.pairs.shape[2]]

    def _to_pixels(self, planes: ComplexArray) -> ComplexArray:
        """In place."""
        _transform(fft.ifft, planes[:, :, : self.pairs.shape[2]], 1)
        _transform(fft.ifft, planes, 2)
        return planes

    def _to_frequencies(self, planes: ComplexArray, rows: slice) -> None:
        """In place; ``rows`` : those that are not 0."""
        _transform(fft.fft, planes[:, rows], 2)
        _transform(fft.fft, planes[:, :, : self.pairs.shape[2]], 1)

    def _chunks(self) -> Iterator[slice]:
        """Some kernels at a time: so many that threads seldom wait for each other, so few that a cache holds them."""
        n_chunks = ceil(len(self.pairs) * prod(self.size) / _CACHED)
        step = 2 * ceil(len(self.pairs) / max(n_chunks, 1))
        return (slice(start, min(start + step, self.n)) for start in range(0, self.n, step))


class _Own(threading.local):
    """What each thread has of its own: memory that is used again and again."""

    room: ComplexArray = np.empty(0, dtype=np.complex128)


_OWN = _Own()


def _pairs(some: slice) -> slice:
    """The pairs of some kernels, of which the first is the first of its pair."""
    return slice(some.start // 2, -(-some.stop // 2))


def _pixels(part: Part) -> tuple[IntArray, IntArray]:
    """Rows (n, 1) and columns (1, m)."""
    return np.arange(part[0].start or 0, part[0].stop)[:, None], np.arange(part[1].start or 0, part[1].stop)[None]


def _transform(transform: Callable[..., ComplexArray], planes: ComplexArray, axis: int) -> None:
    """In place, which SciPy is free to do."""
    done = transform(planes, axis=axis, overwrite_x=True)
    if not np.may_share_memory(done, planes):
        planes[...] = done
