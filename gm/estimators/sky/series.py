"""Sums over the tails of a kernel, where a source predicts little compared with the background: a power series.

With ``c = background / signal`` of each bin, ``sum of n / (F + c) = sum over j of (-F)^j T[j + 1]`` for ``|F| < c``,
where ``T[j] = sum of n / c^j`` is a convolution: its cost does not depend on the size of the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.planes import Plane, seen_from

ORDER = 12
LARGEST = 0.2  # of |F| / c: the first power that is left out is 4e-9 of what counts
_APART = 5.0  # rates above so many times the usual ones are left to pairs, where their powers would drown the others
_MOST = 1.0  # of |F| / c anywhere in the map, for the noise of the transforms
_ENOUGH = 0.995  # of the pixels
_FEW = 15.0  # pairs for each pixel, below which transforms take longer


@final
@dataclass(frozen=True, eq=False)
class Series:
    """``moments`` : (ORDER, n) the sums T of n pixels; ``reach`` : (n,) the largest norm, up or down, it holds for."""

    moments: Array
    reach: Array

    @classmethod
    def none(cls, n: int) -> Series:
        return cls(np.zeros((0, n)), np.full(n, np.inf))

    @classmethod
    def of(cls, planes: Sequence[Plane], pixels: IntArray) -> Series:
        """Of what planes hold, kernels and counts of the tails alone, at pixels (n,) of the flat image."""
        if not planes:
            return cls.none(pixels.size)
        moments, share, most = np.zeros((ORDER, pixels.size)), np.zeros(pixels.size), np.zeros(pixels.size)
        for power in range(1, ORDER + 1):
            moments[power - 1] = seen_from(planes, [p.counts * p.rate**power for p in planes], power).ravel()[pixels]
        for plane in planes:
            near, anywhere = _shares(plane)
            share, most = np.maximum(share, near.ravel()[pixels]), np.maximum(most, anywhere.ravel()[pixels])
        with np.errstate(divide="ignore"):
            return cls(moments, np.minimum(LARGEST / share, _MOST / most))

    def only(self, kept: BoolArray) -> Series:
        """Of some of the pixels."""
        return Series(self.moments[:, kept], self.reach[kept])

    def powers(self, norms: Array, n: int) -> list[Array]:
        """``sum of counts / (norm + c)^k`` for k = 1 ... n, each (n_pixels,)."""
        found = []
        for k in range(1, n + 1):
            total, factor = np.zeros(norms.size), 1.0
            coefficients = []
            for j in range(len(self.moments) - k + 1):
                coefficients.append(factor)
                factor *= (k + j) / (j + 1)
            for j in reversed(range(len(coefficients))):
                total = self.moments[k - 1 + j] * coefficients[j] - norms * total
            found.append(total)
        return found

    def logs(self, norms: Array) -> Array:
        """``sum of counts * ln(1 + norm / c)``, (n_pixels,)."""
        total = np.zeros(norms.size)
        for j in reversed(range(len(self.moments))):
            total = self.moments[j] / (j + 1) - norms * total
        return np.asarray(norms * total)


def _shares(plane: Plane) -> tuple[Array, Array]:
    """The largest 1 / c of a window, and that with the largest rate of the map, (n_y, n_x)."""
    from scipy.ndimage import maximum_filter

    sent = np.ones(plane.shape) if plane.sent is None else plane.sent
    largest = float(plane.kernel.max())
    near = maximum_filter(plane.rate, plane.kernel.shape, mode="constant")
    return largest * near * sent, largest * plane.rate.max() * sent


def split(planes: Sequence[Plane], size: Array) -> tuple[list[Plane], list[Plane], list[Plane]]:
    """Planes as parts: those near the middle of kernels, tails for a `Series`, and whole ones for all else.

    size : (n_y, n_x) about how large norms are, up or down. The middle is as large as nearly all pixels need it.
    """
    near, tails, whole = [], [], []
    for plane in planes:
        usual = _APART * float(np.median(plane.rate[plane.has_counts])) if plane.has_counts.any() else 0.0
        is_usual = plane.rate <= usual
        half = _half_width(plane, size)
        saved = plane.kernel.size - (2 * half + 1) ** 2
        if np.count_nonzero(plane.has_counts & is_usual) * saved <= _FEW * size.size:
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
    product = (plane.rate * size * (1.0 if plane.sent is None else plane.sent))[plane.has_counts]
    if not product.size or not np.isfinite(product).all():
        return int(max(plane.kernel.shape) // 2)
    enough = LARGEST / max(float(np.quantile(product, _ENOUGH)), 1e-300)
    half_y, half_x = plane.kernel.shape[0] // 2, plane.kernel.shape[1] // 2
    y, x = np.ogrid[-half_y : half_y + 1, -half_x : half_x + 1]
    distance: IntArray = np.maximum(np.abs(y), np.abs(x))
    return int(np.max(np.where(plane.kernel > enough, distance, 0)))
