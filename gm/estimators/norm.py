"""The norm of a component in a band of energy: its best value, errors, upper limit, TS, profile and sensitivity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.likelihood.line import Line

_TOLERANCE = 1e-10
_ROUNDING = 1e-9


@dataclass(frozen=True)
class NormEstimate:
    """Best norm and its errors; None where a number does not exist. ``norm_errn`` and ``norm_errp`` are positive."""

    norm: float
    norm_err: float | None
    norm_errn: float | None
    norm_errp: float | None
    norm_ul: float | None
    stat: float
    stat_null: float
    stat_scan: Array
    norm_sensitivity: float | None = None

    @property
    def ts(self) -> float:
        """Test statistic against a norm of 0."""
        return self.stat_null - self.stat


class NormProfile:
    """-2 ln L of a norm with everything else fixed; convex, so that each number is a root of a monotonic function."""

    def __init__(self, lines: Sequence[Line], constant: float = 0.0) -> None:
        self._lines, self._constant = lines, constant

    def value(self, norm: float) -> float:
        """-2 ln L at a norm."""
        return self._constant + sum(line.value(norm) for line in self._lines)

    def slope(self, norm: float) -> float:
        """Its derivative."""
        return sum(line.slope(norm) for line in self._lines)

    def step(self) -> float:
        """A typical error of the norm, from the expected information at a norm of 1."""
        information = sum(line.expected_curvature(1.0) for line in self._lines)
        return float(np.sqrt(2.0 / information)) if information > 0 else 1.0

    def estimate(self, sigma: float, sigma_ul: float, scan: Array, sensitivity: float) -> NormEstimate:
        """Everything about the norm: minimum, Hessian and profile errors, upper limit, TS, scan and sensitivity."""
        step = self.step()
        norm = rising_root(self.slope, 1.0, step)
        if abs(norm) < _ROUNDING * step:
            norm = 0.0  # the minimum is the kink at nothing, as in a band without counts
        stat, curvature = self.value(norm), sum(line.curvature(norm) for line in self._lines)
        errn, errp, ul = intervals(self.value, norm, stat, step, sigma, sigma_ul)
        return NormEstimate(
            norm=norm,
            norm_err=sigma * float(np.sqrt(2.0 / curvature)) if curvature > 0 else None,
            norm_errn=errn,
            norm_errp=errp,
            norm_ul=ul,
            stat=stat,
            stat_null=self.value(0.0),
            stat_scan=np.array([self.value(x) for x in scan]),
            norm_sensitivity=self._sensitivity(sensitivity, step),
        )

    def _sensitivity(self, n_sigma: float, step: float) -> float | None:
        """The norm whose expected data would be detected at ``n_sigma``."""

        def excess(norm: float) -> float:
            expected = [line.expected_ts(norm) for line in self._lines]
            return sum(ts for ts in expected if ts is not None) - n_sigma**2 if None not in expected else float("nan")

        return rising_crossing(excess, step * n_sigma)


def intervals(
    value: Callable[[float], float], norm: float, stat: float, step: float, sigma: float, sigma_ul: float
) -> tuple[float | None, float | None, float | None]:
    """Lower and upper error (positive) and upper limit: where ``value`` has risen by ``sigma**2``; None: never."""

    def distance(sign: float, n_sigma: float) -> float | None:
        target = stat + n_sigma**2
        return rising_crossing(lambda x: value(norm + sign * x) - target, step * n_sigma)

    errn, errp, to_limit = distance(-1.0, sigma), distance(1.0, sigma), distance(1.0, sigma_ul)
    return errn, errp, None if to_limit is None else norm + to_limit


def rising_root(slope: Callable[[float], float], start: float, step: float) -> float:
    """Where a rising function changes sign, kinks and jumps allowed."""
    low = high = start
    f_low = f_high = slope(start)
    while f_high <= 0 and step < 1e12:
        low, f_low, high, step = high, f_high, high + step, 2 * step
        f_high = slope(high)
    while f_low > 0 and step < 1e12:
        high, f_high, low, step = low, f_low, low - step, 2 * step
        f_low = slope(low)
    return _bracketed(slope, low, f_low, high, f_high)


def rising_crossing(function: Callable[[float], float], step: float) -> float | None:
    """The positive root of a function that is negative at 0 and rises; None when it never reaches 0."""
    low, f_low, high = 0.0, function(0.0), step
    for _ in range(60):
        f_high = function(high)
        if not np.isfinite(f_high):
            return None
        if f_high > 0:
            return _bracketed(function, low, f_low, high, f_high)
        low, f_low, high = high, f_high, 2 * high
    return None


def _bracketed(function: Callable[[float], float], low: float, f_low: float, high: float, f_high: float) -> float:
    """Root between ``low`` (function <= 0) and ``high`` (> 0) by the Illinois rule, every fourth step a bisection.

    Dowell & Jarratt, 1971, BIT 11, 168. SciPy has such solvers, but importing them takes longer than all roots here.
    """
    root, last_side = high, 0
    for iteration in range(200):
        previous, root = root, high - f_high * (high - low) / (f_high - f_low)
        if iteration % 4 == 3 or not low < root < high:
            root = 0.5 * (low + high)
        if abs(root - previous) <= _TOLERANCE * max(abs(root), _TOLERANCE):
            break
        value = function(root)
        side = -1 if value <= 0 else 1
        if side < 0:
            low, f_low, f_high = root, value, f_high / (2 if side == last_side else 1)
        else:
            high, f_high, f_low = root, value, f_low / (2 if side == last_side else 1)
        last_side = side
    return root
