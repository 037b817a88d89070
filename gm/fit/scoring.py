"""Fisher scoring: from a bad start to the neighbourhood of the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Objective
from gm.fit.steps import NOTHING, candidates, errors_alone, model_step

DIFFERENCE = 0.02  # of one sigma: the cubic term of the statistic changes the derivative by a relative 1e-4 of it
_FAR = 0.5  # a gain of -2 ln L above which the information has changed
_NO_GAIN = 1e-9  # of -2 ln L
_SINGULAR = 1e-6  # smallest eigenvalue of an information of unit diagonal that is one
_ABSURD = 4.0  # ratio of curvatures that no smooth statistic has
_SHORT = 1e-4  # damping that shortens steps along valleys
_WRONG = 0.3  # difference of what a step gains from what it promised, beyond which it has changed too


@dataclass(frozen=True)
class ScoringResult:
    """Where scoring stopped: gradient, step sizes (n_free,), information (n_free, n_free) there, and the steps tried.

    edm : the improvement that another step promises, infinite where the promise is not worth much because the
    information is singular or not finite; hessian : whether the information is the exact Hessian there
    """

    vector: Array
    value: float
    gradient: Array
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
    n_cut_off: Callable[[Array], int] | None = None,
) -> ScoringResult:
    """Damped Fisher scoring within limits (Levenberg-Marquardt with the expected information as the Hessian).

    The expected information stays positive however wrong the start is; near the minimum the observed one is closer to
    the Hessian. ``amplitudes`` (n_free,) are parameters that the prediction is proportional to: a step takes them
    along their logarithms, in which spectra with a reference energy far from the data have straight valleys, and far
    away also as it is, which lands at the minimum even when one is wrong by a factor of a thousand. Stops when the
    expected improvement of the objective is below ``tolerance``, or after ``max_steps``. The information is computed
    again while a step gains much, and then learns from the gradients; when the objective is smooth and knows its second
    derivatives, these are taken instead once a step gains little. Where ``is_left`` says that the objective does not
    hold any more, it stops too. No step leads to where anything is not finite, or more bins are cut off than at the
    start, as counted by ``n_cut_off``.
    """
    vector = np.clip(start, lower, upper)
    information, is_expected, is_near, is_exact = objective.information(vector, expected=True), True, False, False
    value, gradient = objective.value_and_gradient(vector)
    if not all_finite(value, gradient, information):
        return ScoringResult(vector, value, gradient, np.inf, np.ones_like(vector), information, 0)
    n_allowed = 0 if n_cut_off is None else n_cut_off(vector)
    size, damping, steps = _size(vector), 1e-4, 0
    while steps < max_steps:
        model = _complete(information, gradient, size)
        room = lower - vector, upper - vector
        move, promised = model_step(model, gradient, damping, *room)
        if promised < tolerance and (
            not _SHORT < damping < 1.0 or model_step(model, gradient, 0.0, *room)[1] < tolerance
        ):
            observed = objective.information(vector) if is_expected else information
            if not is_expected or not all_finite(value, gradient, observed):
                break
            # An empty bin that is predicted to hold next to nothing is expected to be steep, and is straight.
            information, is_expected = observed, False
            continue
        steps += 1
        if progress is not None:
            progress("fit", value)
        paths = candidates(vector, move, model, gradient, damping, lower, upper, amplitudes)
        found, there = _lowest(objective, paths, value, n_cut_off, n_allowed)
        if there is not None:
            gain = value - found
            if is_left is not None and is_left(there):
                vector = there
                break
            hessian = _hessian(objective, there, information, lower, upper) if is_smooth and gain < _FAR else None
            is_wrong = promised < _FAR or abs(gain / promised - 1.0) > _WRONG
            is_renewed = hessian is not None or gain > _FAR or (is_wrong and not is_near)
            if hessian is not None:
                renewed = hessian
            elif is_renewed:
                renewed = objective.information(there, expected=gain >= _FAR)
            new_value, new_gradient = objective.value_and_gradient(there)
            if not is_renewed:
                renewed = _learned(information, there - vector, new_gradient - gradient)
            if all_finite(new_value, new_gradient, renewed):
                is_near = gain < _FAR if is_renewed and hessian is None else is_near
                is_expected = is_expected if not is_renewed else hessian is None and gain >= _FAR
                is_exact, information = hessian is not None, renewed
                vector, value, gradient = there, new_value, new_gradient
                damping = max(damping / 10.0, 1e-10)
                continue
        if damping > 1e8:
            break
        damping = damping * 10.0
    model = _complete(information, gradient, size)
    edm = model_step(model, gradient, 0.0, lower - vector, upper - vector)[1]
    moving = (np.diag(model) > NOTHING) & ~((vector <= lower) & (gradient > 0)) & ~((vector >= upper) & (gradient < 0))
    edm = edm if _is_regular(model[np.ix_(moving, moving)]) else np.inf
    return ScoringResult(vector, value, gradient, edm, _scale(vector, information), information, steps, is_exact)


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
    if not ((diagonal > NOTHING).all() and np.isfinite(information).all()):
        return False
    if not diagonal.size:
        return True
    scaled = information / np.sqrt(np.outer(diagonal, diagonal))
    return bool(np.isfinite(scaled).all() and np.linalg.eigvalsh(scaled)[0] > _SINGULAR)


def _learned(information: Array, step: Array, rise: Array) -> Array:
    """The matrix with the curvature that a step has shown (formula of Broyden, Fletcher, Goldfarb and Shanno)."""
    bent = information @ step
    seen, expected = float(rise @ step), float(bent @ step)
    if not (expected > 0 and 1 / _ABSURD < seen / expected < _ABSURD):
        return information
    return np.asarray(information + np.outer(rise, rise) / seen - np.outer(bent, bent) / expected)


def _complete(information: Array, gradient: Array, size: Array) -> Array:
    """With a curvature for parameters that have a slope and none: so that a step is as large as their ``size``."""
    lost = ~(np.diag(information) > NOTHING) & ((gradient != 0) | (np.diag(information) != 0))
    if not lost.any():
        return information
    model = np.where(lost | lost[:, None], 0.0, information)
    gain = np.abs(gradient[lost]) * size[lost]
    model[lost, lost] = np.where(gain > _NO_GAIN, gain / size[lost] ** 2, 0.0)
    return np.asarray(model)


def all_finite(value: float, gradient: Array, information: Array) -> bool:
    """Whether a fit may go on from there."""
    return bool(np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(information).all())


def _lowest(
    objective: Objective,
    candidates: list[Array],
    value: float,
    n_cut_off: Callable[[Array], int] | None,
    n_allowed: int,
) -> tuple[float, Array | None]:
    """The lowest candidate of those below ``value``, but for steps to a plateau; None where there is none."""
    found = [(objective.value(candidate), k) for k, candidate in enumerate(candidates)]
    for its_value, k in sorted(pair for pair in found if -np.inf < pair[0] < value):
        if n_cut_off is None or n_cut_off(candidates[k]) <= n_allowed:
            return its_value, candidates[k]
    return value, None


def _scale(vector: Array, information: Array) -> Array:
    """Conditional one-sigma step of each parameter, or its own size where nothing depends on it.

    Rounded to a power of two: a vector goes into these units and back without rounding, and is recognised.
    """
    sigma = errors_alone(np.diag(information), _size(vector))
    return np.asarray(np.exp2(np.round(np.log2(sigma))))


def _size(vector: Array) -> Array:
    return np.where(vector != 0, np.abs(vector), 1.0)
