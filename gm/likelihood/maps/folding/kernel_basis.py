"""Many kernels as sums of a few, as exact as the frequency support of images can tell.

The PSFs of an instrument at all energies, in all runs, are much alike within the frequency support of an image: of 19
runs of H.E.S.S. the 380 kernels are sums of 80, to 9 digits. What an image gives with these 80 gives it with every
kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.io.allocator import zeros_apart
from gm.likelihood.maps.folding.frequencies import FAINT, ComplexArray, Frequencies, Size
from gm.likelihood.products import product

_PRECISION = 1e-9  # of the longest kernel, as images with the expected spectrum see it
_ROOM = 1.4  # factor in frequency for images to come: derivatives and smaller shapes have more of the high ones
_UNSEEN = 0.1  # of a precision: amplitudes at frequencies that are left out
_AT_A_TIME = 32  # sums that are tried

_Parity = tuple[int, int]  # 1 for what is odd in rows, columns
_Stack = NDArray[np.float32 | np.float64]


@dataclass(frozen=True, eq=False)
class KernelBasis:
    """``kernel[k] = sum over r of coefficients[k, r] basis[r]`` at low frequencies.

    center : the pixel of transforms in which the centre of a kernel lies; coefficients : (n_kernels, n_basis), None
    where kernels are no sums of fewer and are the basis themselves, with one of zeros if they are odd; parts : by
    parity, cosine and sine transforms (n_basis, l_y + 1, l_x + 1) of the basis around its centre; limit :
    (l_y + 1, l_x + 1) amplitudes of the expected images, in units of their largest; lacking : (n_basis + 1,) what is
    missing with the first 0, 1, 2 ... of the basis, of the longest kernel, as these images see it
    """

    frequencies: Frequencies
    center: Size
    coefficients: Array | None
    parts: dict[_Parity, Array]
    limit: Array
    lacking: Array

    @classmethod
    def of(cls, stacks: Sequence[_Stack], size: Size, center: Size, envelope: Array) -> KernelBasis:
        """For kernels (n, m, m) in several stacks, and images with amplitudes ``envelope`` (n_y, n_x) or a bit more."""
        frequencies = Frequencies.up_to(size, (_ROOM * (envelope.shape[0] - 1), _ROOM * (envelope.shape[1] - 1)))
        limit = np.maximum(_widened(envelope, frequencies.lowest), FAINT)
        parities = sorted({parity for stack in stacks for parity, _ in _quadrants(stack)} | {(0, 0)})
        # A sine or cosine of frequency k stands for k and -k; beyond the support anything will do.
        weights, in_band = limit * np.sqrt(np.outer(*(1.0 + (np.arange(n) > 0) for n in limit.shape))), limit > FAINT
        matrix = zeros_apart((sum(map(len, stacks)), len(parities), int(np.count_nonzero(in_band))))
        first = 0
        for stack in stacks:
            for parity, part in _parts(stack, frequencies):
                own = matrix[first : first + len(stack), parities.index(parity)]
                np.multiply(part[:, in_band], weights[in_band], out=own)
            first += len(stack)
        alone, shape = matrix.copy() if len(stacks) == 1 else None, matrix.shape[1:]
        sums, basis, lacking = sums_of_few(matrix.reshape(first, matrix[0].size), _PRECISION)
        is_each = alone is not None and len(basis) >= first
        if alone is not None and is_each:
            basis = np.pad(alone.reshape(first, -1), ((0, first % 2), (0, 0)))
            lacking = np.append(np.ones(len(basis)), lacking[-1])
        del matrix, alone
        by_parity = zeros_apart((len(basis), len(parities), *limit.shape))
        basis = basis.reshape(len(basis), *shape)
        by_parity[..., in_band] = np.divide(basis, weights[in_band], out=basis)
        parts = {parity: by_parity[:, i] for i, parity in enumerate(parities)}
        return cls(frequencies, center, None if is_each else sums, parts, limit, lacking)

    @property
    def n(self) -> int:
        return self.lacking.size - 1

    @property
    def is_even(self) -> tuple[bool, bool]:
        """Whether all are the same at frequencies of both signs in y, and in x, but for the phase of their centre."""
        return not any(odd_y for odd_y, _ in self.parts), not any(odd_x for _, odd_x in self.parts)

    def without_parts(self) -> KernelBasis:
        """What says how much of it is `enough`, without the transforms, which were made something else of."""
        return replace(self, parts={})

    def enough(self, envelope: Array, precision: float) -> int | None:
        """How many of the basis give images with amplitudes ``envelope`` (n_y, n_x) to a precision; None: it cannot."""
        rows, columns = (min(n) for n in zip(envelope.shape, self.limit.shape, strict=True))
        beyond = max(envelope[rows:].max(initial=0.0), envelope[:, columns:].max(initial=0.0))
        excess = float((envelope[:rows, :columns] / self.limit[:rows, :columns]).max(initial=0.0))
        exact = np.flatnonzero(self.lacking * excess <= precision)
        return int(exact[0] + exact[0] % 2) if exact.size and beyond <= _UNSEEN * precision else None

    def spectra(
        self, coefficients: Array | None = None, some: slice = slice(None), *, half: bool = False
    ) -> ComplexArray:
        """Of some of the basis, or of sums of it with coefficients (n, n_basis): (n, n_y, n_x), or (n, n_y, n_half)."""
        y, x = self.frequencies.y, self.frequencies.half if half else self.frequencies.x
        rows, columns = np.abs(y).astype(np.intp), np.abs(x).astype(np.intp)
        by_row, by_column = self.turn(0, y), self.turn(1, x)
        n = len(range(self.n)[some]) if coefficients is None else len(coefficients)
        spectra: ComplexArray = np.zeros((n, y.size, x.size), dtype=np.complex128)
        for (odd_y, odd_x), part in self.parts.items():
            if coefficients is None:
                part = part[some]
            else:
                part = product(part.reshape(self.n, self.limit.size).T, coefficients.T).T.reshape(n, *self.limit.shape)
            factor = np.outer(by_row * (-1j * np.sign(y)) ** odd_y, by_column * (-1j * np.sign(x)) ** odd_x)
            spectra += factor * part[:, rows][:, :, columns]
        return spectra

    def spectra_by_distance(self, some: slice) -> Array | ComplexArray:
        """Of some of the basis: along an axis in which it `is_even` at the frequencies 0, 1, 2 ... alone and without
        the `turn`, (n, l_y + 1 or n_y, l_x + 1 or n_x); real where it is so along both."""
        spectra: Array | ComplexArray = np.zeros(())
        for odd, whole in self.parts.items():
            part: Array | ComplexArray = whole[some]
            for axis, frequencies in enumerate((self.frequencies.y, self.frequencies.x)):
                if not self.is_even[axis]:
                    factor = self.turn(axis, frequencies) * (-1j * np.sign(frequencies)) ** odd[axis]
                    part = np.take(part, np.abs(frequencies).astype(np.intp), axis=1 + axis)
                    part = part * (factor if axis else factor[:, None])
            spectra = spectra + part
        return spectra

    def turn(self, axis: int, frequencies: Array) -> ComplexArray:
        """The phase of the centre at frequencies (n,) along rows (0) or columns (1), (n,)."""
        return np.asarray(np.exp(-2j * np.pi * self.center[axis] / self.frequencies.size[axis] * frequencies))


def _widened(envelope: Array, highest: Size) -> Array:
    """An envelope (n_y, n_x) with room in frequency, up to the highest ones."""
    y, x = (
        np.minimum((np.arange(last + 1) / _ROOM).astype(np.intp), n - 1)
        for last, n in zip(highest, envelope.shape, strict=True)
    )
    return np.asarray(envelope[y][:, x])


def _parts(kernels: _Stack, frequencies: Frequencies) -> Iterator[tuple[_Parity, Array]]:
    """Cosine and sine transforms (n, l_y + 1, l_x + 1) of kernels (n, m, m); symmetric kernels have no odd parts."""
    n = kernels.shape[1] // 2 + 1
    once = np.where(np.arange(n) > 0, 1.0, 0.5)  # pixels in the middle are in both halves
    for (odd_y, odd_x), quadrant in _quadrants(kernels):
        by_row, by_column = _waves(frequencies, 0, n, odd_y) * once, _waves(frequencies, 1, n, odd_x) * once
        yield (odd_y, odd_x), by_row @ quadrant @ by_column.T


def _quadrants(kernels: _Stack) -> Iterator[tuple[_Parity, Array]]:
    """Kernels (n, m, m) folded up along rows and columns, with the signs of each parity, where something is left."""
    values, n = kernels.astype(np.float64), kernels.shape[1] // 2 + 1
    for odd_y, odd_x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        by_row = values[:, n - 1 :] + (-1) ** odd_y * values[:, n - 1 :: -1]
        quadrant = by_row[..., n - 1 :] + (-1) ** odd_x * by_row[..., n - 1 :: -1]
        if quadrant.any():
            yield (odd_y, odd_x), quadrant


def _waves(frequencies: Frequencies, axis: int, n: int, odd: int) -> Array:
    """Cosines or sines of the frequencies from 0 on at n pixels from the centre, (l + 1, n)."""
    angles = 2 * np.pi / frequencies.size[axis] * np.outer(np.arange(frequencies.lowest[axis] + 1), np.arange(n))
    return np.asarray(np.sin(angles) if odd else np.cos(angles))


def sums_of_few(matrix: Array, precision: float) -> tuple[Array, Array, Array]:
    """``matrix = coefficients @ basis``, (n, m) = (n, r) @ (r, m), to ``precision`` of its longest row in every row.

    The matrix is overwritten. The basis is orthonormal, its most important rows come first, and r is even. The last of
    what is returned, (r + 1,), is what is missing with only the first 0, 1, 2 ... of them.

    The range is found by random sums of what is left, always the same ones: `randQB_b` of Martinsson and Voronin
    (2016).
    """
    longest = _longest(matrix) or 1.0
    random, left, most = np.random.default_rng(0), matrix, min(matrix.shape)
    room = zeros_apart((most, matrix.shape[1]))
    span, within = room[:0], np.zeros((len(matrix), 0))
    while _longest(left) > 0.5 * precision * longest and len(span) < most:
        n = min(_AT_A_TIME, most - len(span))
        more = random.standard_normal((n, len(left))) @ left
        more = np.linalg.qr((more - (more @ span.T) @ span).T)[0].T
        more = np.linalg.qr((more - (more @ span.T) @ span).T)[0].T
        along = left @ more.T
        for start in range(0, len(left), _AT_A_TIME):
            left[start : start + _AT_A_TIME] -= along[start : start + _AT_A_TIME] @ more
        room[len(span) : len(span) + n] = more
        span, within = room[: len(span) + n], np.concatenate([within, along], axis=1)
    rows, lengths, columns = np.linalg.svd(within, full_matrices=False)
    coefficients = rows * lengths
    beyond = np.append(np.sqrt((coefficients**2)[:, ::-1].cumsum(axis=1)[:, ::-1].max(axis=0, initial=0.0)), 0.0)
    r = int(np.count_nonzero(beyond > 0.5 * precision * longest))
    odd = ((0, 0), (0, r % 2))
    lacking = np.pad(beyond[: r + 1] / longest, odd[1], mode="edge") + 0.5 * precision
    return np.pad(coefficients[:, :r], odd), np.pad(columns[:r], odd[::-1]) @ span, lacking


def _longest(rows: Array) -> float:
    """The length of the longest of rows (n, m)."""
    return float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max(initial=0.0)))
