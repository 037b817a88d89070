"""B-splines of degree 7 on a lattice, and the cardinal splines made from them.

Source: Unser 1999, IEEE Signal Processing Magazine 16(6), 22: ``B(s) = sum_i (-1)^i C(8, i) max(s - i, 0)^7 / 7!``.
"""

from __future__ import annotations

from functools import cache
from math import comb, factorial

import numpy as np
from scipy import fft
from scipy.sparse import csr_array

from gm.arrays import Array

_DEGREE = 7
TAPS = _DEGREE + 1  # nodes along an axis at which a place has splines


def spread(place: Array, size: tuple[int, int], *, slopes: bool) -> csr_array:
    """B-splines of the nodes of a lattice (rows, columns) at places (2, n), x and y: (n, n_nodes), sums 1.

    With ``slopes`` (3 n, n_nodes): below them their derivatives by x, and by y. Places are no closer than `TAPS` to the
    border.
    """
    first = np.floor(place).astype(np.int32)
    (x, d_x), (y, d_y) = (_b_splines(t) for t in place - first)
    columns, rows = ((start - _DEGREE // 2)[:, None] + np.arange(TAPS, dtype=np.int32) for start in first)
    factors = ((x, y), (d_x, y), (x, d_y))[: 3 if slopes else 1]
    data = np.empty((len(factors), place.shape[1], TAPS, TAPS))
    for part, (along_x, along_y) in zip(data, factors, strict=True):
        np.multiply(along_y[:, :, None], along_x[:, None, :], out=part)
    index = np.broadcast_to(rows[:, :, None] * np.int32(size[1]) + columns[:, None, :], data.shape).ravel()
    starts = np.arange(0, index.size + 1, TAPS**2, dtype=np.int32)
    return csr_array((data.ravel(), index, starts), shape=(len(starts) - 1, size[0] * size[1]))


def cardinal(images: Array) -> Array:
    """Weights of cardinal splines, 1 at their own node and 0 at all others, from those of B-splines (..., ny, nx)."""
    n_y, n_x = images.shape[-2:]
    size = fft.next_fast_len(n_y, real=True), fft.next_fast_len(n_x, real=True)
    spectra = fft.rfft2(images, s=size)
    spectra /= _at_nodes(size[0], size[0])[:, None] * _at_nodes(size[1], size[1] // 2 + 1)
    return np.asarray(fft.irfft2(spectra, s=size, overwrite_x=True))[..., :n_y, :n_x]


def _at_nodes(n: int, n_frequencies: int) -> Array:
    """The transform over n nodes of the spline at these."""
    values, at = _polynomials()[0, :_DEGREE], np.arange(_DEGREE) - _DEGREE // 2
    return np.asarray(np.cos(2 * np.pi / n * np.outer(np.arange(n_frequencies), at)) @ values)


def _b_splines(t: Array) -> tuple[Array, Array]:
    """The splines (n, 8) that are not 0 at t (n,), from 0 to 1 between nodes, and their derivatives."""
    powers = t[:, None] ** np.arange(TAPS)
    slopes = np.arange(TAPS) * np.concatenate([np.zeros((t.size, 1)), powers[:, :-1]], axis=1)
    return powers @ _polynomials(), slopes @ _polynomials()


@cache
def _polynomials() -> Array:
    """(8, 8) coefficients by power of t of each spline: the j-th one is at ``s = t + 7 - j``."""
    table = np.zeros((TAPS, TAPS))
    for j in range(TAPS):
        for i in range(TAPS - j):
            shifted = [comb(_DEGREE, power) * (_DEGREE - j - i) ** (_DEGREE - power) for power in range(TAPS)]
            table[:, j] += (-1) ** i * comb(TAPS, i) * np.array(shifted)
    return table / factorial(_DEGREE)
