"""W statistic: Poisson counts on and off the source, the background rate profiled out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, anywhere
from gm.statistics.base import Statistic

_TINY = 1e-100  # its square is still a float
_ONE_IN_A_MILLION = 1e-6  # bins that expect less say nothing about a step


@final
class WStat(Statistic):
    """On/Off counts with an unknown background, profiled in each bin.

    Sources: Li & Ma, 1983, ApJ 272, 317; the XSPEC manual, appendix B.

    With ``alpha = acceptance / acceptance_off`` and the predicted signal ``s``, the background in the off region is the
    positive root ``b = (C + D) / (2 alpha (1 + alpha))`` of

        C = alpha (n_on + n_off) - (1 + alpha) s          D^2 = C^2 + 4 alpha (1 + alpha) n_off s

        W = 2 [t + b - n_on ln t - n_off ln b - n_on (1 - ln n_on) - n_off (1 - ln n_off)],   t = s + alpha b

    in which a term with ``n_on = 0`` or ``n_off = 0`` is dropped. The signal may be negative; ``alpha`` must not be 0.
    """

    profiles_background: ClassVar[bool] = True

    def __init__(self, n_on: Array, n_off: Array, alpha: Array) -> None:
        self.n_on, self.n_off, self.alpha = n_on, n_off, alpha
        self._one_alpha = 1.0 + alpha
        self._twice = 2.0 * alpha * self._one_alpha
        self._four_off = 2.0 * self._twice * n_off
        self._sum = alpha * (n_on + n_off)
        counts = np.concatenate([n_on, n_off])
        on, off = _n_log_n(counts).reshape(2, -1)
        self._constant = 2.0 * (on - n_on + off - n_off)
        self._twice_counts = 2.0 * counts
        self._twice_on, self._twice_off = self._twice_counts.reshape(2, -1)

    @cached_property
    def _whole_constant(self) -> float:
        return float(np.add.reduce(self._constant))

    @cached_property
    def _no_on(self) -> BoolArray:
        return np.asarray(self.n_on == 0)

    @cached_property
    def _any_no_on(self) -> bool:
        return anywhere(self._no_on)

    @property
    def counts(self) -> Array:
        return self.n_on

    def background(self, predicted: Array) -> Array:
        """In the on region, ``alpha b``."""
        return self.alpha * self._off(predicted)[0]

    def _off(self, signal: Array) -> tuple[Array, Array, Array]:
        """``b``, ``C`` and ``D``; for C < 0 the root is taken in the form that does not cancel."""
        c = self._sum - self._one_alpha * signal
        d = self._four_off * signal
        d += c * c
        d = np.sqrt(np.maximum(d, 0.0))
        b = np.add(c, d)
        b /= self._twice
        np.divide(self._twice_off * signal, d - c, out=b, where=c < 0)
        return b, c, d

    def _expected(self, signal: Array) -> tuple[Array, Array]:
        """What is expected on and off the source, (2, ..., n_bins): ``s + alpha b`` and ``b``; and the same above 0."""
        expected = np.empty((2, *signal.shape))
        expected[1], _, _ = self._off(signal)
        np.multiply(self.alpha, expected[1], out=expected[0])
        expected[0] += signal
        return expected, np.maximum(expected, _TINY)

    def _value(self, expected: Array, above: Array) -> Array:
        logs = self._twice_on * np.log(above[0]) + self._twice_off * np.log(above[1])
        return np.asarray(2.0 * (expected[0] + expected[1]) - logs + self._constant)

    def _total(self, expected: Array, above: Array) -> float:
        whole, logs = np.add.reduce(expected.reshape(-1)), self._twice_counts.dot(np.log(above).reshape(-1))
        return float(2.0 * whole - logs) + self._whole_constant

    def _derivative(self, signal: Array, on: Array) -> Array:
        derivative = 2.0 - self._twice_on / on
        if self._any_no_on:
            return self._without_on(signal, derivative, lambda s: -2.0 / self.alpha - self._twice_off / s)
        return derivative

    def value(self, predicted: Array) -> Array:
        return self._value(*self._expected(predicted))

    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        expected, above = self._expected(predicted)
        return self._value(expected, above), self._derivative(predicted, above[0])

    def derivative(self, predicted: Array) -> Array:
        return self._derivative(predicted, self._expected(predicted)[1][0])

    def total(self, predicted: Array) -> float:
        return self._total(*self._expected(predicted))

    def total_and_derivative(self, predicted: Array) -> tuple[float, Array]:
        expected, above = self._expected(predicted)
        return self._total(expected, above), self._derivative(predicted, above[0])

    def joined(self, groups: IntArray, n_groups: int) -> WStat:
        """With the ratio of acceptances that keeps the expected background, ``sum(alpha n_off) / sum(n_off)``."""
        on, off, background, alpha, n_bins = (
            np.bincount(groups, weights, n_groups).astype(np.float64)
            for weights in (self.n_on, self.n_off, self.alpha * self.n_off, self.alpha, np.ones_like(self.alpha))
        )
        plain = alpha / np.maximum(n_bins, 1.0)
        return WStat(on, off, np.where(off > 0, background / np.where(off > 0, off, 1.0), plain))

    def curvature(self, predicted: Array) -> Array:
        b, c, d = self._off(predicted)
        total = np.maximum(predicted + self.alpha * b, _TINY)
        # d(s + alpha b)/ds = (1 + e / D) / 2 with D^2 - e^2 = 4 alpha^2 n_on n_off, for e < 0 without cancellation
        e, d = 2.0 * self.alpha * self.n_off - c, np.maximum(d, _TINY)
        below = 4.0 * self.alpha**2 * self.n_on * self.n_off / (d * (d + np.abs(e)))
        curvature = np.asarray(self.n_on * np.where(e < 0, below, 1.0 + np.minimum(e / d, 1.0)) / total**2)
        if self._any_no_on:
            curvature = self._without_on(predicted, curvature, lambda s: self._twice_off / s / s)
        return curvature

    def expected_curvature(self, predicted: Array) -> Array:
        """``2 / (s + alpha (1 + alpha) b)``: the Fisher information of the signal with the background profiled out."""
        b, _, _ = self._off(predicted)
        return 2.0 / np.maximum(predicted + self.alpha * self._one_alpha * b, _ONE_IN_A_MILLION)

    def _without_on(self, signal: Array, usual: Array, depleted: Callable[[Array], Array]) -> Array:
        """Where ``n_on = 0`` and the signal eats up the whole background, ``s + alpha b`` is stuck at 0."""
        stuck = self._no_on & (self.alpha * self.n_off + self._one_alpha * signal < 0)
        if not anywhere(stuck):
            return usual
        return np.where(stuck, depleted(np.where(stuck, signal, -1.0)), usual)

    def linear(self) -> tuple[BoolArray, float, Array]:
        return self._no_on, 2.0, 2.0 * self.n_off * np.log1p(self.alpha)

    def expected_ts(self, null: Array, predicted: Array) -> float:
        """On data with the background that the off counts alone let expect: whatever is in the on counts."""
        on = np.maximum(predicted + self.alpha * self.n_off, 0.0)
        without, expected = type(self)(on, self.n_off, self.alpha).value(np.stack([null, predicted]))
        return float(np.sum(without - expected))

    def take(self, bins: IntArray | BoolArray) -> Self:
        return type(self)(self.n_on[bins], self.n_off[bins], self.alpha[bins])


def _n_log_n(n: Array) -> Array:
    return np.asarray(n * np.log(np.where(n > 0, n, 1.0)))
