"""Fisher scoring: from a bad start to the neighbourhood of the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray, anywhere, everywhere
from gm.fit.objective import Objective
from gm.fit.steps import candidates, errors_alone, model_step
from gm.likelihood.own_parameters import MANY
from gm.matrices import NOTHING, Hessian, as_hessian

DIFFERENCE = 0.02  # of one sigma: the cubic term of the statistic changes the derivative by a relative 1e-4 of it
_FAR = 0.5  # a gain of -2 ln L above which the information has changed
_NO_GAIN = 1e-9  # of -2 ln L
_SINGULAR = 1e-6  # smallest eigenvalue of an information of unit diagonal that is one
_ABSURD = 4.0  # ratio of curvatures that no smooth statistic has
_SHORT = 1e-4  # damping that shortens steps along valleys
_NARROW = 0.01  # of a difference: too narrow
_NEAR_LIMIT = 0.999  # of the way to a limit where something is not finite
_WRONG = 0.3  # difference of what a step gains from what it promised, beyond which it has changed too


@dataclass(frozen=True)
class ScoringResult:
    """Where scoring stopped: gradient, step sizes (n_free,), information (n_free, n_free) there, and the steps tried.

    promised : the improvement that another step promises; edm : the same, infinite where the promise is not worth much
    because the information is singular or not finite; hessian : whether the information is the exact Hessian there;
    aim : (n_free,) where that step would lead
    """

    vector: Array
    value: float
    gradient: Array
    edm: float
    scale: Array
    information: Hessian
    steps: int
    hessian: bool = False
    promised: float = np.inf
    aim: Array | None = None


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
    nearby: Hessian | None = None,
) -> ScoringResult:
    """Damped Fisher scoring within limits (Levenberg-Marquardt with the expected information as the Hessian).

    The expected information stays positive however wrong the start is; near the minimum the observed one is closer to
    the Hessian. ``amplitudes`` (n_free,) are parameters that the prediction is proportional to: a step takes them
    along their logarithms, in which spectra with a reference energy far from the data have straight valleys, and far
    away also as it is, which lands at the minimum even when one is wrong by a factor of a thousand. Stops when the
    expected improvement of the objective is below ``tolerance``, or after ``max_steps``. The information is computed
    again while a step gains much, and then learns from the gradients; when the objective is smooth and knows its second
    derivatives, these are taken instead once a step gains little. Where ``is_left`` says that the objective does not
    hold any more, it stops too. No step leads to where anything is not finite, which a limit may be (a break at no
    energy) that is only drawn near then, or more bins are cut off than at the start, as counted by ``n_cut_off``. The
    information at a minimum ``nearby`` says whether the start is one already, and for anything else it is computed.
    """
    begin = start.clip(lower, upper)
    scoring = _Scoring(objective, begin, lower, upper, amplitudes, is_smooth, n_cut_off, nearby)
    return scoring.run(max_steps, tolerance, progress, is_left)


class _Scoring:
    """One search in progress: where it is, and what is known there.

    is_expected, is_exact : whether the information is averaged over the data, or the exact Hessian; is_near : whether
    it was computed after a step that gained little; limits : of the objective, of which lower and upper may leave out a
    little
    """

    def __init__(
        self,
        objective: Objective,
        vector: Array,
        lower: Array,
        upper: Array,
        amplitudes: BoolArray,
        is_smooth: bool,
        n_cut_off: Callable[[Array], int] | None,
        nearby: Hessian | None,
    ) -> None:
        self.objective, self.lower, self.upper, self.amplitudes = objective, lower, upper, amplitudes
        self.limits = lower, upper
        self.is_smooth, self.n_cut_off = is_smooth, n_cut_off
        self.vector, self.size = vector, _size(vector)
        self.value, self.gradient = objective.value_and_gradient(vector)
        self.is_borrowed = nearby is not None and nearby.is_regular(_SINGULAR)
        self.information = nearby if nearby is not None and self.is_borrowed else self._expected()
        self.is_expected, self.is_near, self.is_exact = not self.is_borrowed, False, False
        self.n_allowed = 0 if n_cut_off is None else n_cut_off(vector)
        self.damping, self.steps = 1e-4, 0

    def _expected(self) -> Hessian:
        return as_hessian(self.objective.information(self.vector, expected=True))

    def run(
        self,
        max_steps: int,
        tolerance: float,
        progress: Callable[[str, float], None] | None,
        is_left: Callable[[Array], bool] | None,
    ) -> ScoringResult:
        """Step after step, until another one promises less than ``tolerance``."""
        if not all_finite(self.value, self.gradient, self.information):
            scale = np.ones_like(self.vector)
            return ScoringResult(self.vector, self.value, self.gradient, np.inf, scale, self.information, 0)
        while self.steps < max_steps:
            model = self._model()
            move, promised = model_step(model, self.gradient, self.damping, *self._room())
            if promised < tolerance and self._is_near_without_damping(model, tolerance):
                if self._observe():
                    continue
                break
            if self.is_borrowed:
                self.information, self.is_borrowed, self.is_expected = self._expected(), False, True
                continue
            self.steps += 1
            if progress is not None:
                progress("fit", self.value)
            found, there = self._lowest(move, model, promised)
            if there is not None and is_left is not None and is_left(there):
                self.vector = there
                break
            if there is not None and self._go(there, self.value - found, promised):
                self.damping = max(self.damping / 10.0, 1e-10)
            elif self.damping > 1e8:
                break
            else:
                self.damping *= 10.0
        return self._result()

    def _model(self) -> Hessian:
        return _complete(self.information, self.gradient, self.size)

    def _room(self) -> tuple[Array, Array]:
        """How far down and up the limits are."""
        return self.lower - self.vector, self.upper - self.vector

    def _is_near_without_damping(self, model: Hessian, tolerance: float) -> bool:
        """Whether a step is short not only because it is damped."""
        if not _SHORT < self.damping < 1.0:
            return True
        return model_step(model, self.gradient, 0.0, *self._room())[1] < tolerance

    def _observe(self) -> bool:
        """Put the observed information in place of the expected one; whether there is another one now. Of many
        parameters some have next to no counts, and no information by these alone: second derivatives, if any.

        An empty bin that is predicted to hold next to nothing is expected to be steep, and is straight.
        """
        if not self.is_expected:
            return False
        is_dense = self.information.is_dense
        observed = as_hessian(self.objective.information(self.vector)) if is_dense else self._hessian(self.vector)
        if observed is None or not all_finite(self.value, self.gradient, observed):
            return False
        self.information, self.is_expected, self.is_exact = observed, False, not is_dense
        return True

    def _lowest(self, move: Array, model: Hessian, promised: float) -> tuple[float, Array | None]:
        """The lowest point that a step may lead to of those below the value, but for plateaus; None: there is none.

        One alone is mostly where the next step starts: its gradient is asked for too, but where second derivatives
        come first, of which it is a part.
        """
        among = self.damping, self.lower, self.upper, self.amplitudes
        paths = candidates(self.vector, move, model, self.gradient, *among)
        if len(paths) == 1 and not (self.is_smooth and promised < _FAR):
            found = [(self.objective.value_and_gradient(paths[0])[0], 0)]
        else:
            found = [(self.objective.value(path), k) for k, path in enumerate(paths)]
        for value, k in found:
            if not np.isfinite(value):
                self._draw_near(paths[k])
        for value, k in sorted(pair for pair in found if -np.inf < pair[0] < self.value):
            if self.n_cut_off is None or self.n_cut_off(paths[k]) <= self.n_allowed:
                return value, paths[k]
        return self.value, None

    def _go(self, there: Array, gain: float, promised: float) -> bool:
        """Take a step, with the information that is good enough after it; False where anything is not finite there."""
        is_wrong = promised < _FAR or abs(gain / promised - 1.0) > _WRONG
        is_far, is_expected, is_near = gain >= _FAR, self.is_expected, self.is_near
        information = hessian = self._hessian(there) if self.is_smooth and not is_far else None
        if hessian is not None:
            is_expected = False
        elif not self.information.is_dense:
            information, is_expected = as_hessian(self.objective.information(there, expected=True)), True
        elif gain > _FAR or (is_wrong and not is_near):
            information = as_hessian(self.objective.information(there, expected=is_far))
            is_expected, is_near = is_far, not is_far
        value, gradient = self.objective.value_and_gradient(there)
        if information is None:
            information = self.information.learned(there - self.vector, gradient - self.gradient, _ABSURD)
        if not all_finite(value, gradient, information):
            self._draw_near(there)
            return False
        self.vector, self.value, self.gradient, self.information = there, value, gradient, information
        self.lower, self.upper = self.limits
        self.is_expected, self.is_near, self.is_exact = is_expected, is_near, hessian is not None
        return True

    def _draw_near(self, there: Array) -> None:
        """Leave a thousandth of the way to the limits that a step ``there`` (n_free,), which is not finite, led to;
        until there is a step."""
        near = self.vector + _NEAR_LIMIT * (there - self.vector)
        self.lower = np.where((there <= self.lower) & (there < self.vector), near, self.lower)
        self.upper = np.where((there >= self.upper) & (there > self.vector), near, self.upper)

    def _hessian(self, vector: Array) -> Hessian | None:
        """The exact second derivatives, where the objective knows them and they are positive definite."""
        hessian = known_hessian(self.objective, vector, _scale(vector, self.information), self.lower, self.upper)
        return hessian if hessian is not None and hessian.is_regular(_SINGULAR) else None

    def _result(self) -> ScoringResult:
        if anywhere(self.information.diagonal() < 0):  # what gradients taught is no curvature
            self.information, self.is_exact = as_hessian(self.objective.information(self.vector)), False
        model, vector, gradient = self._model(), self.vector, self.gradient
        self.lower, self.upper = self.limits
        move, promised = model_step(model, gradient, 0.0, *self._room())
        held = ((vector <= self.lower) & (gradient > 0)) | ((vector >= self.upper) & (gradient < 0))
        moving = (model.diagonal() > NOTHING) & ~held
        edm = promised if model.among(moving).is_regular(_SINGULAR) else np.inf
        scale = _scale(vector, self.information)
        found = self.value, gradient, edm, scale, self.information, self.steps, self.is_exact, promised
        return ScoringResult(vector, *found, aim=vector + move)


def known_hessian(objective: Objective, vector: Array, scale: Array, lower: Array, upper: Array) -> Hessian | None:
    """The exact second derivatives at ``vector`` (n_free,), where the objective knows them.

    ``scale`` (n_free,) is about one sigma of each. Of few parameters none is near a limit; where there are many,
    differences are as wide as limits leave room.
    """
    steps = DIFFERENCE * scale
    room = np.minimum(vector - lower, upper - vector)
    if anywhere(room < steps):
        if vector.size <= MANY or as_hessian(objective.information(vector)).is_dense:
            return None
        steps = np.where(room > _NARROW * steps, np.minimum(room, steps), steps)
    found = objective.second_derivatives(vector, steps)
    return None if found is None else as_hessian(found)


def _complete(information: Hessian, gradient: Array, size: Array) -> Hessian:
    """With a curvature for parameters that have a slope and none: so that a step is as large as their ``size``."""
    diagonal = information.diagonal()
    known = diagonal > NOTHING
    if everywhere(known):
        return information
    lost = ~known & ((gradient != 0) | (diagonal != 0))
    if not anywhere(lost):
        return information
    gain = np.abs(gradient[lost]) * size[lost]
    return information.alone(lost, np.where(gain > _NO_GAIN, gain / size[lost] ** 2, 0.0))


def all_finite(value: float, gradient: Array, information: Hessian) -> bool:
    """Whether a fit may go on from there. gradient : (n_free,)"""
    return bool(np.isfinite(value)) and everywhere(np.isfinite(gradient)) and information.is_finite()


def _scale(vector: Array, information: Hessian) -> Array:
    """Conditional one-sigma step of each parameter, or its own size where nothing depends on it.

    Rounded to a power of two: a vector goes into these units and back without rounding, and is recognised.
    """
    sigma = errors_alone(information.diagonal(), _size(vector))
    return np.asarray(np.exp2(np.rint(np.log2(sigma))))


def _size(vector: Array) -> Array:
    return np.where(vector != 0, np.abs(vector), 1.0)
