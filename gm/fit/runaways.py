"""Parameters that run to infinity: towards a cut-off beyond all data the statistic falls by ever less, to no end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gm.arrays import Array, anywhere
from gm.fit.profile import Profile
from gm.fit.rises import Rises

_PARABOLA = 0.9, 1.1  # a rise one error away
_LARGE = 3.0  # times itself
_FAR = 3.0, 30.0, 300.0  # errors
_RISE = 1e-3  # of -2 ln L: less is none
_EFFECT = 1.0  # of -2 ln L
_NEARER = (*0.5 ** np.arange(1.0, 60.0), *1e-20 ** np.arange(1.0, 16.0))  # times itself


def runaways(rises: Rises, profile_around: Callable[[], Profile], sizes: Array) -> Iterator[int]:
    """Parameters that could as well be anything farther from 0, all others minimised again, up to where no limit is.

    Looked at are those with an error several times themselves, where the statistic is no parabola, and those without an
    error, on the scale of ``sizes`` (n_free,), 0 for what has no place to run to. (Where less is left to fall than a
    rise that is none, as ``x^-p``, the error is more than ``x sqrt(2 / (p (p + 1) 0.001))``: 18 x for p = 2.) A
    parameter that has no effect nearer to 0 either has not run away: it is the shape of a source that is not there.
    Raises `LowerMinimum`.
    """
    vector, errors = rises.vector, rises.errors
    odd = (errors == 0) | (errors > _LARGE * np.abs(vector))
    if not anywhere(odd):
        return
    steps, profile = np.maximum(np.where(errors > 0, errors, sizes), np.abs(vector)), profile_around()
    for k in np.flatnonzero(odd & (sizes > 0) & (vector != 0) & ~rises.rising).tolist():
        outward = 1.0 if vector[k] > 0 else -1.0
        if errors[k] > 0 and _PARABOLA[0] < rises.at(k, outward) < _PARABOLA[1]:
            continue
        if _is_flat(profile, k, vector[k] + outward * steps[k] * np.array(_FAR)) and _has_effect(rises, k):
            yield k


def _is_flat(profile: Profile, k: int, places: Array) -> bool:
    """Whether a profile does not rise to any of these places (n,) of one parameter."""
    start = profile.vector
    for place in places:
        here = profile.at([k], np.array([place]), [start])
        if not here.value < profile.least + _RISE:
            return False
        start = here.vector
    return True


def _has_effect(rises: Rises, k: int) -> bool:
    """Whether a parameter nearer to 0 changes the statistic, alone."""
    for part in _NEARER:
        there = rises.vector.copy()
        there[k] *= part
        if there[k] < rises.lower[k] or there[k] > rises.upper[k]:
            return False
        if not abs(rises.objective.value(there) - rises.value) < _EFFECT:
            return True
    return False
