"""Where a step from a point may lead: the minimum of a quadratic model within limits, straight and along logarithms."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray

_STRAIGHT = 0.5  # relative change of an amplitude up to which its logarithm is as good as itself
_FOLD = 2.0  # largest change of a logarithm in a step
_LEAST = 0.1  # of an amplitude that a step leaves while there is
_MUCH = 0.5  # of -2 ln L to gain elsewhere
NOTHING = 1e-200  # a curvature in any unit: products of its inverse are still numbers
_PASSES = 4  # times the number of parameters
_PULL = 1e-9  # of the largest slope
_SIGNIFICANT = 5.0  # sigma: an amplitude below may as well be nothing


def errors_alone(curvature: Array, otherwise: Array) -> Array:
    """One standard deviation of each parameter with the others fixed, (n_free,), from the second derivatives of
    -2 ln L; where there are none it is what it is ``otherwise``."""
    known = curvature > NOTHING
    return np.where(known, np.sqrt(2.0 / np.where(known, curvature, 1.0)), otherwise)


def model_step(information: Array, gradient: Array, damping: float, down: Array, up: Array) -> tuple[Array, float]:
    """The minimum of ``gradient @ move + move @ information @ move / 2`` within ``down <= move <= up``, (n_free,).

    ``damping`` of the information's diagonal is added to it. Returned with the improvement that the model promises.
    """
    diagonal = information.diagonal()
    moving = (diagonal > NOTHING) & ~((down >= 0) & (gradient > 0)) & ~((up <= 0) & (gradient < 0))
    move = np.zeros_like(gradient)
    if not moving.any():
        return move, 0.0
    scale = 1.0 / np.sqrt(diagonal[moving])
    scaled = _among(information, moving) * (scale[:, None] * scale)
    scaled.flat[:: scale.size + 1] += damping
    move[moving] = -scale * np.linalg.lstsq(scaled, scale * gradient[moving], rcond=1e-14)[0]
    if ((move >= down) & (move <= up)).all():
        return move, float(-0.5 * gradient @ move)
    model = information + np.diag(damping * diagonal)
    move = _within(model, gradient, moving, down, up)
    return move, float(-(gradient + 0.5 * (model @ move)) @ move)


def _among(matrix: Array, moving: BoolArray) -> Array:
    """Of the moving parameters, (n_moving, n_moving)."""
    return matrix if moving.all() else matrix[np.ix_(moving, moving)]


def _within(model: Array, gradient: Array, moving: BoolArray, down: Array, up: Array) -> Array:
    """The minimum within limits: to the first limit on the way, where that parameter is held; and on without it.

    At the end the parameter that is pulled back the most from where it is held is released, until there is none. (The
    active-set method: Nocedal & Wright, 2006, Numerical Optimization, chapter 16.5.)
    """
    root = np.sqrt(np.diag(model))
    known, moving = root > np.sqrt(NOTHING), moving.copy()
    move = np.zeros_like(gradient)
    for _ in range(_PASSES * gradient.size):
        scale = 1.0 / root[moving]
        scaled = _among(model, moving) * (scale[:, None] * scale)
        way = np.zeros_like(gradient)
        way[moving] = -scale * np.linalg.lstsq(scaled, scale * (gradient + model @ move)[moving], rcond=1e-14)[0]
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
        slope = np.where(known, (gradient + model @ move) / np.where(known, root, 1.0), 0.0)
        pull = np.where(moving, 0.0, np.maximum(np.where(move < up, -slope, 0.0), np.where(move > down, slope, 0.0)))
        k = int(np.argmax(pull))
        if pull[k] <= _PULL * np.abs(gradient[known] / root[known]).max():
            break
        moving[k] = True
    return move


def candidates(
    vector: Array,
    move: Array,
    information: Array,
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
    """
    positive = amplitudes & (vector > 0)
    change = np.zeros_like(vector)
    change[positive] = move[positive] / vector[positive]
    if not (np.abs(change) >= _STRAIGHT).any():
        return [np.clip(_bent(vector, move, change, positive), lower, upper)]
    straight, keep, down, up = move, -(1.0 - _LEAST) * vector, lower - vector, upper - vector
    steps = []
    if (positive & (move < keep)).any():
        above = np.where(positive, np.maximum(keep, down), down)
        kept, promised = model_step(information, gradient, damping, above, up)
        if promised > _MUCH:
            straight = kept
            move = model_step(information, gradient, damping, np.where(positive, -np.inf, down), up)[0]
            falling = positive & (move < keep)
            steps = [vector + move * float(np.min(keep[falling] / move[falling]))] if falling.any() else []
            change[positive] = move[positive] / vector[positive]
        elif (positive & (vector + straight < 0)).any():
            down, up = np.where(amplitudes, down, 0.0), np.where(amplitudes, up, 0.0)
            straight = model_step(information, gradient, damping, down, up)[0]
    # One that may as well be nothing may vanish at once; but where one rises from there, its shape waits for it.
    limiting = positive & ((np.diag(information) * vector**2 > 2.0 * _SIGNIFICANT**2) | (change > 0))
    largest = float(np.abs(change[limiting if limiting.any() else positive]).max())
    short = min(1.0, _FOLD / largest) if largest > 0 else 1.0
    bent = _bent(vector, short * move, np.clip(short * change, -_FOLD, _FOLD), positive)
    return [np.clip(step, lower, upper) for step in (vector + straight, bent, *steps)]


def _bent(vector: Array, move: Array, change: Array, curved: BoolArray) -> Array:
    step = vector + move
    step[curved] = vector[curved] * np.exp(change[curved])
    return np.asarray(step)
