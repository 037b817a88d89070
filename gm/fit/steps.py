"""Where a step from a point may lead: the minimum of a quadratic model within limits, straight and along logarithms."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray, anywhere, everywhere
from gm.matrices import NOTHING, Hessian

_STRAIGHT = 0.5  # relative change of an amplitude up to which its logarithm is as good as itself
_FOLD = 2.0  # largest change of a logarithm in a step
_LEAST = 0.1  # of an amplitude that a step leaves while there is
_MUCH = 0.5  # of -2 ln L to gain elsewhere
_PASSES = 4  # times the number of parameters
_EXCHANGES = 30  # of all parameters that are held, or held no more
_PULL = 1e-9  # of the largest slope
_SIGNIFICANT = 5.0  # sigma: an amplitude below may as well be nothing


def errors_alone(curvature: Array, otherwise: Array) -> Array:
    """One standard deviation of each parameter with the others fixed, (n_free,), from the second derivatives of
    -2 ln L; where there are none it is what it is ``otherwise``."""
    known = curvature > NOTHING
    return np.where(known, np.sqrt(2.0 / np.where(known, curvature, 1.0)), otherwise)


def model_step(information: Hessian, gradient: Array, damping: float, down: Array, up: Array) -> tuple[Array, float]:
    """The minimum of ``gradient @ move + move @ information @ move / 2`` within ``down <= move <= up``, (n_free,).

    ``damping`` of the information's diagonal is added to it. Returned with the improvement that the model promises.
    """
    held = np.where(gradient > 0, down >= 0, (up <= 0) & (gradient < 0))
    moving = (information.diagonal() > NOTHING) > held  # and not
    move = np.zeros(gradient.size)
    if not anywhere(moving):
        return move, 0.0
    move[moving] = information.among(moving).newton(gradient[moving], damping)
    if everywhere((move >= down) & (move <= up)):
        return move, float(-0.5 * gradient @ move)
    model = information.damped(damping)
    found = None if model.is_dense else _all_at_once(model, gradient, moving, down, up)
    move = _within(model, gradient, moving, down, up) if found is None else found
    return move, float(-(gradient + 0.5 * model.times(move)) @ move)


def _all_at_once(model: Hessian, gradient: Array, moving: BoolArray, down: Array, up: Array) -> Array | None:
    """The minimum within limits: all parameters that would go beyond are held there, and all that are pulled back from
    where they are held are released, until there are none; None where that does not end.

    (The primal-dual active set method: Hintermueller, Ito & Kunisch, 2003, SIAM J. Optim. 13, 865.)
    """
    diagonal = model.diagonal()
    may = diagonal > NOTHING
    root = np.sqrt(np.where(may, diagonal, 1.0))
    least = _PULL * float(np.abs(gradient[may] / root[may]).max()) * root
    low, high = may & ~moving & (gradient > 0), may & ~moving & (gradient < 0)
    for _ in range(_EXCHANGES):
        free = may & ~low & ~high
        move = np.where(low, down, np.where(high, up, 0.0))
        move[free] = model.among(free).newton((gradient + model.times(move))[free])
        slope = gradient + model.times(move)
        below, above = (
            np.where(free, move < down, low & (slope > -least)),
            np.where(free, move > up, high & (slope < least)),
        )
        if not anywhere((below != low) | (above != high)):
            return move
        low, high = below & may, above & may
    return None


def _within(model: Hessian, gradient: Array, moving: BoolArray, down: Array, up: Array) -> Array:
    """The minimum within limits: to the first limit on the way, where that parameter is held; and on without it.

    At the end the parameter that is pulled back the most from where it is held is released, until there is none. (The
    active-set method: Nocedal & Wright, 2006, Numerical Optimization, chapter 16.5.)
    """
    root = np.sqrt(model.diagonal())
    known, moving = root > np.sqrt(NOTHING), moving.copy()
    move = np.zeros_like(gradient)
    for _ in range(_PASSES * gradient.size):
        way = np.zeros_like(gradient)
        way[moving] = model.among(moving).newton((gradient + model.times(move))[moving])
        room = np.where(way < 0, down - move, up - move)
        share = np.divide(room, way, out=np.full(way.size, np.inf), where=way != 0)
        part = float(share.min())
        if part < 1.0:
            hit = share <= part
            move = move + part * way
            move[hit] = np.where(way < 0, down, up)[hit]
            moving &= ~hit
            continue
        move = move + way
        slope = np.where(known, (gradient + model.times(move)) / np.where(known, root, 1.0), 0.0)
        pull = np.where(moving, 0.0, np.maximum(np.where(move < up, -slope, 0.0), np.where(move > down, slope, 0.0)))
        k = int(np.argmax(pull))
        if pull[k] <= _PULL * np.abs(gradient[known] / root[known]).max():
            break
        moving[k] = True
    return move


def candidates(
    vector: Array,
    move: Array,
    information: Hessian,
    gradient: Array,
    damping: float,
    lower: Array,
    upper: Array,
    amplitudes: BoolArray,
) -> list[Array]:
    """Where the step ``move`` of `model_step` may lead.

    Along the logarithms of positive amplitudes; when that is far, also straight. Then an amplitude keeps a part of
    itself while there is much to gain elsewhere, since the model of a wrong spectrum takes it through zero and back;
    later, where one goes through zero the shapes stay, of which the model says the opposite of what holds beyond.

    All arrays are (n_free,).
    """
    positive = amplitudes & (vector > 0)
    change = np.zeros(vector.size)
    change[positive] = move[positive] / vector[positive]
    if not anywhere(np.abs(change) >= _STRAIGHT):
        return [_bent(vector, move, change, positive).clip(lower, upper)]
    straight, keep, down, up = move, -(1.0 - _LEAST) * vector, lower - vector, upper - vector
    steps = []
    if anywhere(positive & (move < keep)):
        above = np.where(positive, np.maximum(keep, down), down)
        kept, promised = model_step(information, gradient, damping, above, up)
        if promised > _MUCH:
            straight = kept
            move = model_step(information, gradient, damping, np.where(positive, -np.inf, down), up)[0]
            falling = positive & (move < keep)
            steps = [vector + move * float(np.min(keep[falling] / move[falling]))] if anywhere(falling) else []
            change[positive] = move[positive] / vector[positive]
        elif anywhere(positive & (vector + straight < 0)):
            down, up = np.where(amplitudes, down, 0.0), np.where(amplitudes, up, 0.0)
            straight = model_step(information, gradient, damping, down, up)[0]
    # One that may as well be nothing may vanish at once; but where one rises from there, its shape waits for it.
    limiting = positive & ((information.diagonal() * vector**2 > 2.0 * _SIGNIFICANT**2) | (change > 0))
    largest = float(np.abs(change[limiting if anywhere(limiting) else positive]).max())
    short = min(1.0, _FOLD / largest) if largest > 0 else 1.0
    bent = _bent(vector, short * move, (short * change).clip(-_FOLD, _FOLD), positive)
    return [step.clip(lower, upper) for step in (vector + straight, bent, *steps)]


def _bent(vector: Array, move: Array, change: Array, curved: BoolArray) -> Array:
    step = vector + move
    step[curved] = vector[curved] * np.exp(change[curved])
    return step
