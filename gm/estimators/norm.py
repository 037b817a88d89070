"""The norm of a component in a band of energy: its best value, errors, upper limit, TS, profile and sensitivity."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

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

    def values(self, norms: Array) -> Array:
        """-2 ln L at each norm."""
        return np.asarray(self._constant + np.sum([line.values(norms) for line in self._lines], axis=0))

    def slope(self, norm: float) -> float:
        """Its derivative."""
        return sum(line.slope(norm) for line in self._lines)

    def error(self, norm: float) -> float | None:
        """Of the norm, from the second derivative; None where there is no curvature."""
        curvature = sum(line.curvature(norm) for line in self._lines)
        return sqrt(2.0 / curvature) if curvature > 0 else None

    def step(self) -> float:
        """A typical error of the norm: at a norm of 1, from the data or, where they say nothing, as expected."""
        error = self.error(1.0)
        if error is not None:
            return error
        information = sum(line.expected_curvature(1.0) for line in self._lines)
        return sqrt(2.0 / information) if information > 0 else 1.0

    def estimate(self, sigma: float, sigma_ul: float, scan: Array, sensitivity: float) -> NormEstimate:
        """Everything about the norm: minimum, Hessian and profile errors, upper limit, TS, scan and sensitivity."""
        step = self.step()
        norm = rising_root(self.slope, 1.0, step)
        if abs(norm) < _ROUNDING * step:
            norm = 0.0  # the minimum is the kink at nothing, as in a band without counts
        stat, stat_null, *stat_scan = self.values(np.array([norm, 0.0, *scan])).tolist()
        error = self.error(norm)
        errn, errp, ul = intervals(self.values, norm, stat, step if error is None else error, sigma, sigma_ul)
        return NormEstimate(
            norm=norm,
            norm_err=None if error is None else sigma * error,
            norm_errn=errn,
            norm_errp=errp,
            norm_ul=ul,
            stat=stat,
            stat_null=stat_null,
            stat_scan=np.array(stat_scan),
            norm_sensitivity=self._sensitivity(sensitivity, step),
        )

    def _sensitivity(self, n_sigma: float, step: float) -> float | None:
        """The norm whose expected data would be detected at ``n_sigma``."""

        def expected(norms: Array) -> Array:
            ts = [[line.expected_ts(norm) for line in self._lines] for norm in norms.tolist()]
            return np.asarray(np.sum(np.array(ts, dtype=float), axis=1))

        return distances(expected, [(1.0, n_sigma)], step)[0]


def intervals(
    values: Callable[[Array], Array], norm: float, stat: float, step: float, sigma: float, sigma_ul: float
) -> tuple[float | None, float | None, float | None]:
    """Lower and upper error (positive) and upper limit: where -2 ln L has risen by ``sigma**2``; None: never."""
    sides = [(-1.0, sigma), (1.0, sigma), (1.0, sigma_ul)]
    errn, errp, to_limit = distances(lambda away: values(norm + away) - stat, sides, step)
    return errn, errp, None if to_limit is None else norm + to_limit


def distances(rise: Callable[[Array], Array], sides: Sequence[tuple[float, float]], step: float) -> list[float | None]:
    """For each (sign, n_sigma), how far to go in that direction until ``rise`` is ``n_sigma**2``; None: it never is.

    The square root of a rise is nearly a straight line. All sides are asked for together, in one call of ``rise``.
    """
    searches = [_rising_crossing(-n_sigma, step * n_sigma) for _, n_sigma in sides]
    asked = {k: next(search) for k, search in enumerate(searches)}
    found: list[float | None] = [None] * len(sides)
    while asked:
        risen = rise(np.array([sides[k][0] * x for k, x in asked.items()])).tolist()
        for k, value in zip(list(asked), risen, strict=True):
            try:
                asked[k] = searches[k].send(sqrt(max(value, 0.0)) - sides[k][1])
            except StopIteration as end:
                found[k] = end.value
                del asked[k]
    return found


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
    search = _bracketed(low, f_low, high, f_high)
    try:
        root = next(search)
        while True:
            root = search.send(slope(root))
    except StopIteration as end:
        return float(end.value)


def _rising_crossing(f_low: float, step: float) -> Generator[float, float, float | None]:
    """The positive root of a function that rises from ``f_low`` at 0; None when it never reaches 0.

    Yields where it wants the function, and is sent its value.
    """
    low, high = 0.0, step
    for _ in range(60):
        f_high = yield high
        if not isfinite(f_high):
            return None
        if f_high > 0:
            return (yield from _bracketed(low, f_low, high, f_high))
        reach = high - f_high * (high - low) / (f_high - f_low) if f_high > f_low else inf
        low, f_low, high = high, f_high, min(max(1.1 * reach, 1.2 * high), 4 * high)
    return None


def _bracketed(low: float, f_low: float, high: float, f_high: float) -> Generator[float, float, float]:
    """Root between ``low`` (function <= 0) and ``high`` (> 0) by false position, every eighth step a bisection.

    An end that stays is weighted down: Anderson & Bjorck, 1973, BIT 13, 253. SciPy has such solvers, but importing them
    takes longer than all roots here.
    """
    root, last_side = high, 0
    for iteration in range(200):
        previous, root = root, high - f_high * (high - low) / (f_high - f_low)
        if iteration % 8 == 7 or not low < root < high:
            root = 0.5 * (low + high)
        tolerance = _TOLERANCE * max(abs(root), _TOLERANCE)
        if abs(root - previous) <= tolerance:
            break
        value = yield root
        if value == 0 and (yield root + tolerance) > 0:
            break  # met exactly, and not on a plateau
        side, passed = (-1, f_low) if value <= 0 else (1, f_high)
        weight = 1.0
        if side == last_side:
            weight = 1.0 - value / passed if abs(value) < abs(passed) else 0.5
        if side < 0:
            low, f_low, f_high = root, value, f_high * weight
        else:
            high, f_high, f_low = root, value, f_low * weight
        last_side = side
    return root
