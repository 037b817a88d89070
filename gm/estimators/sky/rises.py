"""Where a convex -2 ln L has risen by the square of a number of standard deviations, for many of them at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gm.arrays import Array

Rise = Callable[[Array], tuple[Array, Array]]
"""The rise at distances (n,) from the minimum, and its derivative."""

_CLOSE = 1e-6  # the next step would be the square of that
_STEPS = 60


def distances(
    rise: Rise, sigma: float, start: Array, room: Array | None = None, known: Array | float = np.inf
) -> Array:
    """Where it is ``sigma^2``, distances (n,) by Newton's method from ``start`` (NaN stays NaN); below ``room``. Beyond
    what is ``known`` (n,) the first distance is kept."""
    away = start
    for _ in range(_STEPS):
        value, slope = rise(away)
        further = away + (sigma**2 - value) / slope
        if room is not None:
            further = np.where(further < room, further, 0.5 * (away + room))
        further = np.where(further > 0, further, 0.5 * away)
        further = np.where(away > known, away, further)
        moves = np.abs(further - away) > _CLOSE * away
        away = further
        if not moves.any():
            break
    return away


def mirrored(rise: Rise) -> Rise:
    """The rise towards the other side."""

    def other(away: Array) -> tuple[Array, Array]:
        value, slope = rise(-away)
        return value, -slope

    return other
