"""Integrals of a log parabola over energy bins by the log-log rule, from what is known of it on each segment.

Between two nodes the rule takes a spectrum for a power law. With ``x = ln(E / E0)`` at the lower node, L the width of
the segment in ln E, and ``M = (x + L)^2 - x^2``, that of ``(E / E0)^(-a - b x)`` has no logarithm to be taken of it::

    d = (1 - a) L - b M                  I = E e^(-x (a + b x)) L expm1(d) / d
    dI/da = -I (x + q L)                 dI/db = -I (x^2 + q M)                 q = 1 + 1 / expm1(d) - 1 / d

where q is the derivative of ln(expm1(d) / d). That is what the rule gives, but for roundings.
"""

from __future__ import annotations

from math import log

import numpy as np

from gm.arrays import Array

_SERIES = 1e-3  # of |d|: below, the terms of q that cancel lose more than three digits
_TINY = 1e-300  # in place of a d of 0
_FAR = 250.0  # largest exponent: beyond, the model keeps its values within limits


class LogParabolaSegments:
    """Segments of the bins of some energy axes, edges (n_bins + 1,) [TeV] each, with ``n_nodes`` on every bin of each
    axis, both ends included.

    Where they are seen from the last reference energy is kept: that of a fit hardly ever changes.
    """

    def __init__(self, axes: list[Array], n_nodes: list[int]) -> None:
        lower, widths, counts = [], [], []
        for edges, n in zip(axes, n_nodes, strict=True):
            ratio = np.log(edges[1:] / edges[:-1])
            width = ratio / (n - 1)
            lower.append((np.log(edges[:-1])[:, None] + width[:, None] * np.arange(n - 1)).ravel())
            widths.append(np.repeat(width, n - 1))
            counts.append(np.full(ratio.size, n - 1))
        self._log_lo, self._width = np.concatenate(lower), np.concatenate(widths)
        self._moment = np.exp(self._log_lo) * self._width
        self._starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))[:-1]])
        self._range = float(self._log_lo.min()), float((self._log_lo + self._width).max())
        self._widths = float(self._width.min()), float(self._width.max())
        self._last = np.nan, self._log_lo, self._width

    def _seen_from(self, reference: float) -> tuple[Array, Array]:
        """x and M of each segment, (n_segments,)."""
        last, x, m = self._last
        if last != reference:
            x = self._log_lo - log(reference)
            m = (2.0 * x + self._width) * self._width
            self._last = reference, x, m
        return x, m

    def hold(self, a: float, b: float, reference: float) -> bool:
        """Whether nothing overflows."""
        if not reference > 0:
            return False
        x0 = log(reference)
        farthest = max(x0 - self._range[0], self._range[1] - x0)
        steepest = abs(a) + 2.0 * abs(b) * farthest
        return steepest * farthest < _FAR and (1.0 + steepest) * self._widths[1] < _FAR

    def integrate(self, a: float, b: float, reference: float) -> Array:
        """Integrals of ``(E / E0)^(-a - b x)``, (n_bins,) [TeV]."""
        integral = np.empty(self._width.size)
        self._fill(integral, a, b, reference)
        return np.add.reduceat(integral, self._starts)

    def integrate_with_slopes(self, a: float, b: float, reference: float) -> tuple[Array, Array]:
        """The integrals, (n_bins,), and their derivatives by a and b, (2, n_bins)."""
        parts = integral, by_a, by_b = np.empty((3, self._width.size))
        d, growth, may_be_flat = self._fill(integral, a, b, reference)
        x, m = self._seen_from(reference)
        q = 1.0 / growth
        q -= 1.0 / d
        q += 1.0
        if may_be_flat:
            np.copyto(q, 0.5 + d / 12.0, where=np.abs(d) < _SERIES)
        q *= integral
        first = x * integral
        np.multiply(q, self._width, out=by_a)
        by_a += first
        np.multiply(q, m, out=by_b)
        first *= x
        by_b += first
        sums = np.add.reduceat(parts, self._starts, axis=1)
        return sums[0], np.negative(sums[1:], out=sums[1:])

    def _fill(self, integral: Array, a: float, b: float, reference: float) -> tuple[Array, Array, bool]:
        """Write the integral over each segment, (n_segments,); d and ``expm1(d)`` there, and what `_has_flat` says."""
        x, m = self._seen_from(reference)
        d, may_be_flat = (1.0 - a) * self._width, self._has_flat(a, b, reference)
        d -= b * m
        if may_be_flat:
            np.copyto(d, _TINY, where=d == 0)
        growth = np.expm1(d)
        np.multiply(-b, x, out=integral)
        integral -= a
        integral *= x
        np.exp(integral, out=integral)
        integral *= self._moment
        integral *= growth
        integral /= d
        return d, growth, may_be_flat

    def _has_flat(self, a: float, b: float, reference: float) -> bool:
        """Whether there may be segments on which E f(E) is all but flat: |d| below 1e-3."""
        middle, change = 1.0 - a + 2.0 * b * log(reference), 2.0 * b
        first, last = middle - change * self._range[0], middle - change * self._range[1]
        return min(first, last) * self._widths[0] < _SERIES and max(first, last) * self._widths[0] > -_SERIES
