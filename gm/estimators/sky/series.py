"""Sums over the tails of a kernel, where a source predicts little compared with the background: a polynomial.

With ``c = background / signal`` of each bin, ``sum of n / (F + c)^k = sum over j of a[k, j] F^j T[j + k]``, where
``T[j] = sum of n / c^j`` is a convolution: its cost does not depend on the size of the kernel. ``a[k, j]`` are those of
the polynomial that is nearest to ``(1 + x)^-k`` for ``x = F / c`` from -`DOWN` to `UP`, as near as Taylor's series with
as many powers is to 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial, chebyshev

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.planes import Plane, seen_from

ORDER = 12
UP, DOWN = 0.5, 0.3  # of F / c, to both sides
_APART = 5.0  # rates above so many times the usual ones are left to pairs, where their powers would drown the others
_MOST = 2.0  # of |F| / c anywhere in the map, for the noise of the transforms
_ENOUGH = 0.995  # of the pixels
_SHORT = 10.0  # pairs for each pixel, below which sums count by count take less than transforms
_SAVED = 150  # pairs for each count, below which these sums take longer than the pairs themselves


@final
@dataclass(frozen=True, eq=False)
class Series:
    """``moments`` : (ORDER, n) the sums T of n pixels; ``reach`` : (2, n) how far down and up norms may go."""

    moments: Array
    reach: Array

    @classmethod
    def none(cls, n: int) -> Series:
        return cls(np.zeros((0, n)), np.full((2, n), np.inf))

    @classmethod
    def of(cls, planes: Sequence[Plane], pixels: IntArray) -> Series:
        """Of what planes hold, kernels and counts of the tails alone, at pixels (n,) of the flat image."""
        if not planes:
            return cls.none(pixels.size)
        moments, share, most = _moments(planes, pixels), np.zeros(pixels.size), np.zeros(pixels.size)
        for plane in planes:
            near, anywhere = _shares(plane)
            share, most = np.maximum(share, near.ravel()[pixels]), np.maximum(most, anywhere.ravel()[pixels])
        with np.errstate(divide="ignore"):
            return cls(moments, np.minimum(np.array([[DOWN], [UP]]) / share, _MOST / most))

    def holds(self, down: Array, up: Array) -> BoolArray:
        """Whether norms may go so far to both sides, (n,) each."""
        return np.asarray((self.reach[0] > down) & (self.reach[1] > up))

    def only(self, kept: BoolArray | slice) -> Series:
        """Of some of the pixels."""
        return Series(self.moments[:, kept], self.reach[:, kept])

    def powers(self, norms: Array, n: int) -> list[Array]:
        """``sum of counts / (norm + c)^k`` for k = 1 ... n, each (n_pixels,)."""
        return [self._sum(norms, k - 1, _POWERS[k - 1]) for k in range(1, n + 1)]

    def logs(self, norms: Array) -> Array:
        """``sum of counts * ln(1 + norm / c)``, (n_pixels,)."""
        return norms * self._sum(norms, 0, _logarithm)

    def _sum(self, norms: Array, first: int, function: Callable[[Array], Array]) -> Array:
        """``sum over j of a[j] norm^j T[first + j + 1]``."""
        if not len(self.moments):
            return np.zeros(norms.size)
        *others, last = _coefficients(function, ORDER - first)
        total, part = np.asarray(self.moments[-1] * last), np.empty(norms.size)
        for moment, coefficient in zip(self.moments[first:-1][::-1], others[::-1], strict=True):
            total *= norms
            total += np.multiply(moment, coefficient, out=part)
        return total


def _moments(planes: Sequence[Plane], pixels: IntArray) -> Array:
    """T, (ORDER, n), count by count where these are few, which takes less than transforms."""
    moments, alone, many = np.zeros((ORDER, pixels.size)), list[Plane](), list[Plane]()
    for plane in planes:
        is_short = plane.sent is None and np.count_nonzero(plane.has_counts) * plane.kernel.size <= _SHORT * pixels.size
        (alone if is_short else many).append(plane)
    if alone:
        moments += _by_count(alone).reshape(-1, ORDER)[pixels].T
    if many:
        images = [plane.counts.copy() for plane in many]
        for power, moment in enumerate(moments, 1):
            for image, plane in zip(images, many, strict=True):
                image *= plane.rate
            moment += seen_from(many, images, power).ravel()[pixels]
    return moments


def _by_count(planes: Sequence[Plane]) -> Array:
    """T at all pixels, (n_y, n_x, ORDER), of planes that send alike."""
    n_y, n_x = planes[0].shape
    half_y, half_x = (max(plane.kernel.shape[axis] for plane in planes) // 2 for axis in (0, 1))
    total, powers = np.zeros((n_y + 2 * half_y, n_x + 2 * half_x, ORDER)), np.arange(1.0, ORDER + 1)
    for plane in planes:
        k_y, k_x = plane.kernel.shape
        seen = plane.kernel[::-1, ::-1, None] ** powers
        y, x = np.nonzero(plane.has_counts)
        weights = plane.counts[y, x, None] * plane.rate[y, x, None] ** powers
        part = np.empty_like(seen)
        for row, column, weight in zip(
            (y + half_y - k_y // 2).tolist(), (x + half_x - k_x // 2).tolist(), weights, strict=True
        ):
            total[row : row + k_y, column : column + k_x] += np.multiply(seen, weight, out=part)
    return total[half_y : half_y + n_y, half_x : half_x + n_x]


def _logarithm(x: Array) -> Array:
    return np.log1p(x) / x


_POWERS: tuple[Callable[[Array], Array], ...] = (
    lambda x: 1.0 / (1.0 + x),
    lambda x: (1.0 + x) ** -2.0,
    lambda x: (1.0 + x) ** -3.0,
)


@cache
def _coefficients(function: Callable[[Array], Array], n: int) -> Array:
    """(n,) of the polynomial that meets a function between -`DOWN` and `UP` where Chebyshev's is 0."""
    half, middle = 0.5 * (UP + DOWN), 0.5 * (UP - DOWN)
    nodes = middle + half * chebyshev.chebpts1(n)
    fitted = Chebyshev.fit(nodes, function(nodes), n - 1, domain=[-DOWN, UP])
    return np.asarray(fitted.convert(kind=Polynomial).coef, dtype=np.float64)


def _shares(plane: Plane) -> tuple[Array, Array]:
    """The largest 1 / c of a window, and that with the largest rate of the map, (n_y, n_x)."""
    from scipy.ndimage import maximum_filter

    sent = np.ones(plane.shape) if plane.sent is None else plane.sent
    largest = float(plane.kernel.max())
    near = maximum_filter(plane.rate, plane.kernel.shape, mode="constant")
    return largest * near * sent, largest * plane.rate.max() * sent


def split(planes: Sequence[Plane], size: Array) -> tuple[list[Plane], list[Plane], list[Plane]]:
    """Planes as parts: those near the middle of kernels, tails for a `Series`, and whole ones for all else.

    size : (n_y, n_x) about how far up norms go, or as much as they are as far down. The middle is as large as nearly
    all pixels need it.
    """
    near, tails, whole = [], [], []
    for plane in planes:
        usual = _APART * float(np.median(plane.rate[plane.has_counts])) if plane.has_counts.any() else 0.0
        is_usual = plane.rate <= usual
        half = _half_width(plane, size)
        saved = plane.kernel.size - (2 * half + 1) ** 2
        if saved <= _SAVED:
            whole.append(plane)
            continue
        smooth, rough = (plane.with_(counts=np.where(part, plane.counts, 0.0)) for part in (is_usual, ~is_usual))
        middle_y, middle_x = (slice(n // 2 - half, n // 2 + half + 1) for n in plane.kernel.shape)
        tail = plane.kernel.copy()
        tail[middle_y, middle_x] = 0.0
        near.append(smooth.with_(kernel=plane.kernel[middle_y, middle_x]))
        tails.append(smooth.with_(kernel=tail))
        whole += [rough] if rough.has_counts.any() else []
    return near, tails, whole


def _half_width(plane: Plane, size: Array) -> int:
    """The half width of the middle of a kernel, outside of which it is small enough for nearly all pixels."""
    with np.errstate(invalid="ignore"):  # the rate is infinite where there is no background
        product = (plane.rate * size * (1.0 if plane.sent is None else plane.sent))[plane.has_counts]
    if not product.size or not np.isfinite(product).all():
        return int(max(plane.kernel.shape) // 2)
    enough = UP / max(float(np.quantile(product, _ENOUGH)), 1e-300)
    half_y, half_x = plane.kernel.shape[0] // 2, plane.kernel.shape[1] // 2
    y, x = np.ogrid[-half_y : half_y + 1, -half_x : half_x + 1]
    distance: IntArray = np.maximum(np.abs(y), np.abs(x))
    return int(np.max(np.where(plane.kernel > enough, distance, 0)))
