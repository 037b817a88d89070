"""Roots of rising functions, and where a statistic has risen by so many sigma.

A search is a generator that yields where it wants its function and is sent the value, so that several can go on
together. SciPy has such solvers, but importing them takes longer than all roots here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from math import copysign, exp, inf, isfinite, isinf, isnan, log, nan

import numpy as np

from gm.arrays import Array

_TOLERANCE = 1e-10
_SMOOTH = 40  # steps, after which it must be a jump, where only bisections get on


def distances(rise: Callable[[Array], Array], sides: Sequence[tuple[float, float]], step: float) -> list[float | None]:
    """For each (sign, n_sigma), how far to go in that direction until ``rise`` is ``n_sigma**2``; None: it never is.

    A rise is close to a power of the distance, a straight line in log-log; it may end in a pole, beyond which it is
    infinite. All sides are asked for together, in one call of ``rise``.

    rise : of distances (n,), the rises (n,)
    """
    searches = [_rising_crossing() for _ in sides]
    asked = {k: next(search) for k, search in enumerate(searches)}
    found: list[float | None] = [None] * len(sides)
    while asked:
        away = [sides[k][0] * sides[k][1] * step * exp(logarithm) for k, logarithm in asked.items()]
        for k, value in zip(list(asked), rise(np.array(away)).tolist(), strict=True):
            share = value / sides[k][1] ** 2
            try:
                asked[k] = searches[k].send(log(share) if share > 0 else nan if isnan(share) else -inf)
            except StopIteration as end:
                found[k] = None if end.value is None else sides[k][1] * step * exp(end.value)
                del asked[k]
    return found


def rising_root(
    slope: Callable[[float], float],
    start: float,
    step: float,
    lower: float = -inf,
    upper: float = inf,
    at_start: float | None = None,
) -> float | None:
    """Where a rising function changes sign between ``lower`` and ``upper``, kinks and jumps allowed; None: nowhere.

    A finite end is a pole: the function is not asked there, and comes from or goes to infinity. ``at_start`` : its
    value at ``start``, where that is known.
    """
    low = high = start
    f_low = f_high = slope(start) if at_start is None else at_start
    move = _Stride(step)
    while f_high <= 0:
        further = move.towards(high, upper)
        if not high < further < upper:
            return high if isfinite(upper) else None
        low, f_low, high = high, f_high, further
        f_high = slope(high)
    while f_low > 0:
        further = move.towards(low, lower)
        if not lower < further < low:
            return low if isfinite(lower) else None
        high, f_high, low = low, f_low, further
        f_low = slope(low)
    search = _bracketed(low, f_low, high, f_high, relative=_TOLERANCE, absolute=_TOLERANCE**2 * step)
    try:
        root = next(search)
        while True:
            root = search.send(slope(root))
    except StopIteration as end:
        return float(end.value)


class _Stride:
    """Ever longer steps, from 1e-300 to 1e300 in about fifty; towards a pole they halve what is left."""

    def __init__(self, step: float) -> None:
        self._step, self._growth = step, 2.0

    def towards(self, here: float, end: float) -> float:
        further = here + copysign(self._step, end - here)
        self._step, self._growth = self._step * self._growth, 1.5 * self._growth
        return further if isinf(end) or abs(further - here) < 0.5 * abs(end - here) else here + 0.5 * (end - here)


def _rising_crossing() -> Generator[float, float, float | None]:
    """The root, expected near 0, of a rising function whose slope is about 2; None when there is none.

    Yields where it wants the function, and is sent its value.
    """
    here, slope = 0.0, 2.0
    value = yield here
    for _ in range(60):
        if isnan(value):
            return None
        before, last = here, value
        here -= copysign(min(max(1.1 * abs(value) / slope, 0.02), 1.4), value)
        value = yield here
        if (value > 0) != (last > 0):
            ends = sorted([(before, last), (here, value)])
            return (yield from _bracketed(*ends[0], *ends[1], absolute=_TOLERANCE))
        if isfinite(value - last):
            slope = min(max((value - last) / (here - before), 0.5), 2.0)
    return None


def _bracketed(
    low: float, f_low: float, high: float, f_high: float, *, absolute: float, relative: float = 0.0
) -> Generator[float, float, float]:
    """Root between ``low`` (function <= 0) and ``high`` (> 0) by false position, every eighth step a bisection, and in
    the end every step.

    An end that stays is weighted down: Anderson & Bjorck, 1973, BIT 13, 253. Ends where a step is as small as one of
    the two tolerances.
    """
    root, last_side = high, 0
    for iteration in range(200):
        rise = f_high - f_low  # of ends that were weighted down to nothing it may be none
        previous, root = root, high - f_high * (high - low) / rise if rise > 0 else low
        if iteration % 8 == 7 or iteration > _SMOOTH or f_low == 0 or not low < root < high:
            root = 0.5 * (low + high)
        tolerance = max(relative * abs(root), absolute)
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
