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
        found = [dict(_parts(stack, frequencies)) for stack in stacks]
        parities = sorted({parity for parts in found for parity in parts} | {(0, 0)})
        # A sine or cosine of frequency k stands for k and -k; beyond the support anything will do.
        weights, in_band = limit * np.sqrt(np.outer(*(1.0 + (np.arange(n) > 0) for n in limit.shape))), limit > FAINT
        matrix = np.zeros((sum(map(len, stacks)), len(parities), np.count_nonzero(in_band)))
        first = 0
        for stack, parts in zip(stacks, found, strict=True):
            for i, parity in enumerate(parities):
                if parity in parts:
                    np.multiply(parts[parity][:, in_band], weights[in_band], out=matrix[first : first + len(stack), i])
            first += len(stack)
        del found, parts  # as large as the matrix, each
        sums, basis, lacking = sums_of_few(matrix.reshape(first, matrix[0].size), _PRECISION)
        is_each = len(stacks) == 1 and len(basis) >= first
        if is_each:
            basis = np.pad(matrix.reshape(first, -1), ((0, first % 2), (0, 0)))
            lacking = np.append(np.ones(len(basis)), lacking[-1])
        by_parity = np.zeros((len(basis), len(parities), *limit.shape))
        by_parity[..., in_band] = basis.reshape(len(basis), *matrix.shape[1:]) / weights[in_band]
        parts = {parity: by_parity[:, i] for i, parity in enumerate(parities)}
        return cls(frequencies, center, None if is_each else sums, parts, limit, lacking)

    @property
    def n(self) -> int:
        return self.lacking.size - 1

    @property
    def is_even_in_y(self) -> bool:
        """Whether all are the same at frequencies of both signs in y, but for the phase of their centre."""
        return not any(odd_y for odd_y, _ in self.parts)

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

    def spectra_by_distance(self, some: slice) -> ComplexArray:
        """Of some of a basis that `is_even_in_y`, at the frequencies 0, 1, 2 ... in y, without the `turn` of its rows:
        (n, l_y + 1, n_x)."""
        x, spectra = self.frequencies.x, np.zeros((), dtype=np.complex128)
        columns = np.abs(x).astype(np.intp)
        for (_, odd_x), part in self.parts.items():
            spectra = spectra + self.turn(1, x) * (-1j * np.sign(x)) ** odd_x * part[some][..., columns]
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
    values, n = kernels.astype(np.float64), kernels.shape[1] // 2 + 1
    once = np.where(np.arange(n) > 0, 1.0, 0.5)  # pixels in the middle are in both halves
    for odd_y, odd_x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quadrant = values[:, n - 1 :, n - 1 :] + (-1) ** odd_y * values[:, n - 1 :: -1, n - 1 :]
        quadrant += (-1) ** odd_x * values[:, n - 1 :, n - 1 :: -1]
        quadrant += (-1) ** (odd_y + odd_x) * values[:, n - 1 :: -1, n - 1 :: -1]
        if quadrant.any():
            by_row, by_column = _waves(frequencies, 0, n, odd_y) * once, _waves(frequencies, 1, n, odd_x) * once
            yield (odd_y, odd_x), by_row @ quadrant @ by_column.T


def _waves(frequencies: Frequencies, axis: int, n: int, odd: int) -> Array:
    """Cosines or sines of the frequencies from 0 on at n pixels from the centre, (l + 1, n)."""
    angles = 2 * np.pi / frequencies.size[axis] * np.outer(np.arange(frequencies.lowest[axis] + 1), np.arange(n))
    return np.asarray(np.sin(angles) if odd else np.cos(angles))


def sums_of_few(matrix: Array, precision: float) -> tuple[Array, Array, Array]:
    """``matrix = coefficients @ basis``, (n, m) = (n, r) @ (r, m), to ``precision`` of its longest row in every row.

    The basis is orthonormal, its most important rows come first, and r is even. The last of what is returned, (r + 1,),
    is what is missing with only the first 0, 1, 2 ... of them.

    The range is found by random sums of what is left, always the same ones: `randQB_b` of Martinsson and Voronin
    (2016).
    """
    longest = np.sqrt((matrix**2).sum(axis=1).max(initial=0.0)) or 1.0
    random, left = np.random.default_rng(0), matrix.copy()
    span, within = np.zeros((0, matrix.shape[1])), np.zeros((len(matrix), 0))
    while np.sqrt((left**2).sum(axis=1).max(initial=0.0)) > 0.5 * precision * longest and len(span) < min(matrix.shape):
        n = min(_AT_A_TIME, min(matrix.shape) - len(span))
        more = random.standard_normal((n, len(left))) @ left
        more = np.linalg.qr((more - (more @ span.T) @ span).T)[0].T
        more = np.linalg.qr((more - (more @ span.T) @ span).T)[0].T
        along = left @ more.T
        left -= along @ more
        span, within = np.concatenate([span, more]), np.concatenate([within, along], axis=1)
    rows, lengths, columns = np.linalg.svd(within, full_matrices=False)
    coefficients = rows * lengths
    beyond = np.append(np.sqrt((coefficients**2)[:, ::-1].cumsum(axis=1)[:, ::-1].max(axis=0, initial=0.0)), 0.0)
    r = int(np.count_nonzero(beyond > 0.5 * precision * longest))
    odd = ((0, 0), (0, r % 2))
    lacking = np.pad(beyond[: r + 1] / longest, odd[1], mode="edge") + 0.5 * precision
    return np.pad(coefficients[:, :r], odd), np.pad(columns[:r] @ span, odd[::-1]), lacking
