"""Fisher scoring: from a bad start to the neighbourhood of the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Objective

DIFFERENCE = 0.02  # of one sigma: the cubic term of the statistic changes the derivative by a relative 1e-4 of it
_FAR = 0.5  # a gain of -2 ln L above which the information has changed
_SINGULAR = 1e-6  # smallest eigenvalue of an information of unit diagonal that is one
_ABSURD = 4.0  # ratio of curvatures that no smooth statistic has
_WRONG = 0.3  # difference of what a step gains from what it promised, beyond which it has changed too
_STRAIGHT = 0.5  # relative change of an amplitude up to which its logarithm is as good as itself
_FOLD = 2.0  # largest change of a logarithm in a step


@dataclass(frozen=True)
class ScoringResult:
    """Where scoring stopped, step sizes (n_free,) and information (n_free, n_free) there, and the steps it tried.

    edm : the improvement that another step promises, infinite where the promise is not worth much: a parameter is
    close to a limit, or the information is singular; hessian : whether the information is the exact Hessian there
    """

    vector: Array
    value: float
    edm: float
    scale: Array
    information: Array
    steps: int
    hessian: bool = False


def score(
    objective: Objective,
    start: Array,
    lower: Array,
    upper: Array,
    amplitudes: BoolArray,
    max_steps: int = 100,
    tolerance: float = 5e-6,
    progress: Callable[[str, float], None] | None = None,
    is_left: Callable[[Array], bool] | None = None,
    is_smooth: bool = False,
) -> ScoringResult:
    """Damped Fisher scoring within limits (Levenberg-Marquardt with the expected information as the Hessian).

    The expected information stays positive however wrong the start is; near the minimum the observed one is closer to
    the Hessian. ``amplitudes`` (n_free,) are parameters that the prediction is proportional to: a step takes them
    along their logarithms, in which spectra with a reference energy far from the data have straight valleys, and far
    away also as it is, which lands at the minimum even when one is wrong by a factor of a thousand. Stops when the
    expected improvement of the objective is below ``tolerance``, or after ``max_steps``. The information is computed
    again while a step gains much, and then learns from the gradients; when the objective is smooth and knows its second
    derivatives, these are taken instead once a step gains little. Where ``is_left`` says that the objective does not
    hold any more, it stops too.
    """
    vector = np.clip(start, lower, upper)
    information, is_near, is_exact = objective.information(vector, expected=True), False, False
    value, gradient = objective.value_and_gradient(vector)
    damping, steps = 1e-4, 0
    while steps < max_steps:
        move, promised = _move(information, gradient, damping, (vector <= lower), (vector >= upper))
        if promised < tolerance:
            break
        steps += 1
        if progress is not None:
            progress("fit", value)
        candidates = [np.clip(step, lower, upper) for step in _steps(vector, move, amplitudes)]
        found, candidate = _lowest(objective, candidates)
        if found < value:
            gain, old, vector = value - found, vector, candidate
            if is_left is not None and is_left(vector):
                break
            hessian = _hessian(objective, vector, information, lower, upper) if is_smooth and gain < _FAR else None
            is_wrong = promised < _FAR or abs(gain / promised - 1.0) > _WRONG
            is_exact = hessian is not None
            is_renewed = is_exact or gain > _FAR or (is_wrong and not is_near)
            if hessian is not None:
                information = hessian
            elif is_renewed:
                is_near = gain < _FAR
                information = objective.information(vector, expected=not is_near)
            old_gradient = gradient
            value, gradient = objective.value_and_gradient(vector)
            if not is_renewed:
                information = _learned(information, vector - old, gradient - old_gradient)
            damping = max(damping / 10.0, 1e-10)
        elif damping > 1e8:
            break
        else:
            damping = damping * 10.0
    scale = _scale(vector, information)
    is_inside = bool(np.all((vector - lower > scale) & (upper - vector > scale)))
    edm = _move(information, gradient, 0.0, vector <= lower, vector >= upper)[1]
    edm = edm if is_inside and _is_regular(information) else np.inf
    return ScoringResult(vector, value, edm, scale, information, steps, is_exact)


def _hessian(objective: Objective, vector: Array, information: Array, lower: Array, upper: Array) -> Array | None:
    """The exact second derivatives, where the objective knows them and they are positive definite."""
    steps = DIFFERENCE * _scale(vector, information)
    if (vector - lower < steps).any() or (upper - vector < steps).any():
        return None
    hessian = objective.second_derivatives(vector, steps)
    return hessian if hessian is not None and _is_regular(hessian) else None


def _is_regular(information: Array) -> bool:
    """Whether all combinations of parameters are constrained."""
    diagonal = np.diag(information)
    if not (diagonal > 0).all():
        return False
    return bool(np.linalg.eigvalsh(information / np.sqrt(np.outer(diagonal, diagonal)))[0] > _SINGULAR)


def _learned(information: Array, step: Array, rise: Array) -> Array:
    """The matrix with the curvature that a step has shown (formula of Broyden, Fletcher, Goldfarb and Shanno)."""
    bent = information @ step
    seen, expected = float(rise @ step), float(bent @ step)
    if not (expected > 0 and 1 / _ABSURD < seen / expected < _ABSURD):
        return information
    return np.asarray(information + np.outer(rise, rise) / seen - np.outer(bent, bent) / expected)


def _lowest(objective: Objective, candidates: list[Array]) -> tuple[float, Array]:
    values = [objective.value(candidate) for candidate in candidates]
    best = int(np.argmin(np.nan_to_num(values, nan=np.inf)))
    return values[best], candidates[best]


def _steps(vector: Array, move: Array, amplitudes: BoolArray) -> list[Array]:
    """Where a step may lead: along the logarithms of positive amplitudes; when that is far, also straight."""
    moved = amplitudes & (vector > 0)
    change = np.zeros_like(vector)
    change[moved] = move[moved] / vector[moved]
    largest = float(np.abs(change).max(initial=0.0))
    short = min(1.0, _FOLD / largest) if largest > 0 else 1.0
    bent = vector + short * move
    bent[moved] = vector[moved] * np.exp(short * change[moved])
    return [bent] if largest < _STRAIGHT else [vector + _short_of_zero(vector, move, amplitudes), bent]


def _short_of_zero(vector: Array, move: Array, amplitudes: BoolArray) -> Array:
    """The step, shortened where it would take a positive amplitude below a tenth of itself."""
    down = amplitudes & (vector > 0) & (vector + move < 0.1 * vector)
    return move * float(np.min(0.9 * vector[down] / -move[down])) if down.any() else move


def _move(
    information: Array, gradient: Array, damping: float, at_lower: BoolArray, at_upper: BoolArray
) -> tuple[Array, float]:
    """The damped step, with parameters that push against a limit held there; and the improvement it should bring."""
    diagonal = np.diag(information)
    moving = (diagonal > 0) & ~(at_lower & (gradient > 0)) & ~(at_upper & (gradient < 0))
    move = np.zeros_like(gradient)
    if not moving.any():
        return move, 0.0
    scale = 1.0 / np.sqrt(diagonal[moving])
    scaled = information[np.ix_(moving, moving)] * np.outer(scale, scale) + damping * np.eye(int(moving.sum()))
    move[moving] = -scale * np.linalg.lstsq(scaled, scale * gradient[moving], rcond=1e-14)[0]
    return move, float(-0.5 * gradient @ move)


def _scale(vector: Array, information: Array) -> Array:
    """Conditional one-sigma step of each parameter, or its own size where nothing depends on it.

    Rounded to a power of two: a vector goes into these units and back without rounding, and is recognised.
    """
    diagonal = np.diag(information)
    size = np.where(vector != 0, np.abs(vector), 1.0)
    sigma = np.where(diagonal > 0, np.sqrt(2.0 / np.where(diagonal > 0, diagonal, 1.0)), size)
    return np.asarray(np.exp2(np.round(np.log2(sigma))))
