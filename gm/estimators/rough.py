"""Ends of profiles that are rough, where derivatives say little."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from gm.fit.simplex import DEEPER

_WALL = 1e30
_CLOSE = 1e-6  # of a distance
_DOUBLINGS = 5  # of a distance, beyond which the profile does not rise


def risen(rise: Callable[[float], float], distance: float, wanted: float) -> tuple[float | None, float]:
    """The distance at which ``rise`` is what is ``wanted``, from one at which it may be less; None where it never is,
    and the largest rise seen from there on.

    A profile may be another one when it is asked again, from a lower minimum: what it was first holds here."""
    from scipy.optimize import brentq

    rise = cache(rise)
    near, far = 0.0, distance
    seen = [rise(far)]
    if abs(seen[0] - wanted) <= DEEPER:
        return distance, wanted
    while seen[-1] < wanted:
        if len(seen) > _DOUBLINGS:
            return None, max(seen)
        near, far = far, 2.0 * far
        seen.append(rise(far))
    return float(brentq(lambda x: min(rise(x), _WALL) - wanted, near, far, xtol=_CLOSE * far, rtol=_CLOSE)), wanted
