"""Scoring, and MIGRAD where that is not enough: the only module that knows iminuit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import proxy

import numpy as np
from iminuit import Minuit

from gm.arrays import Array, BoolArray
from gm.fit.objective import Objective
from gm.fit.scoring import score

Progress = Callable[[str, float], None]
_ROUNDS = 5  # of finding out which limits hold
_NEAR = 1e-3  # sigma from a limit
_TOLERANCE = 1e-3  # MIGRAD stops at an estimated distance of 0.002 * tolerance: 2e-6 in -2 ln L, 0.0014 sigma
_BESIDE = 1e-3  # sigma to both sides of a kink, where a smooth statistic has slopes of 0.002 per sigma
_KINK = 0.01  # slope per sigma
_GONE = "a source goes on leaving the reach of its responses"
_SETTLED = 5e-6  # estimated distance to the minimum in -2 ln L at which there is nothing left for MIGRAD
_FOUND = "the minimum was found"
_REGULAR = 1e-6  # added to a unit-scaled Hessian, which MIGRAD wants to be positive definite


@dataclass(frozen=True)
class Minimum:
    """What the minimiser found: vector (n_free,), value there, and how it got there.

    kinks : parameters whose slope changes sign all at once there; name : ``minuit``, or ``scoring`` where that left
    MIGRAD nothing to do; hessian : (n_free, n_free) where it is known
    """

    vector: Array
    value: float
    valid: bool
    edm: float
    value_calls: int
    gradient_calls: int
    steps: int
    message: str
    kinks: tuple[int, ...] = ()
    name: str = "minuit"
    hessian: Array | None = None


class Minimizer:
    """Minimises an objective within limits, from any start.

    Fisher scoring brings the vector near the minimum, mostly so near that nothing is left to do. If not, MIGRAD works
    with the exact gradient and the information matrix as its Hessian, in units of one-sigma steps. Free parameters
    without any effect must not be among them.
    """

    def __init__(
        self,
        objective: Objective,
        lower: Array,
        upper: Array,
        amplitudes: BoolArray | None = None,
        progress: Progress | None = None,
        is_left: Callable[[Array], bool] | None = None,
        is_smooth: bool = False,
    ) -> None:
        self._objective, self._lower, self._upper, self._progress = objective, lower, upper, progress
        self._is_left, self._is_smooth = is_left, is_smooth
        self._amplitudes = np.zeros(lower.size, dtype=bool) if amplitudes is None else amplitudes
        self._scale = np.ones_like(lower)

    @property
    def scale(self) -> Array:
        """About one sigma of each parameter with the others fixed, (n_free,)."""
        return self._scale

    def minimize(self, start: Array) -> Minimum:
        """Minimise from ``start`` (n_free,)."""
        among = self._lower, self._upper, self._amplitudes
        begin = score(
            self._objective,
            start,
            *among,
            progress=self._progress,
            is_left=self._is_left,
            is_smooth=self._is_smooth,
        )
        self._scale = begin.scale
        if self._is_left is not None and self._is_left(begin.vector):
            value, calls = self._objective.value(begin.vector), begin.steps + 1
            return Minimum(begin.vector, value, False, np.inf, calls, calls, begin.steps, _GONE)
        minuit = self._build(begin.vector, begin.information)
        if begin.edm < _SETTLED:
            calls = begin.steps + 1
            counted = begin.edm, calls, calls, begin.steps
            hessian = begin.information if begin.hessian else None
            return Minimum(begin.vector, begin.value, True, *counted, _FOUND, name="scoring", hessian=hessian)
        for _ in range(_ROUNDS):
            self._hold(minuit)
            for strategy in (1, 2):
                minuit.strategy = strategy
                minuit.migrad()
                if minuit.valid:
                    break
            if not self._hold(minuit):
                break
        kinks = [] if minuit.valid else self._hold_kinks(minuit)
        if kinks and not all(minuit.fixed):
            minuit.migrad()
        vector = self._vector(np.array(minuit.values))
        # MIGRAD with nothing left to move has no matrix and calls that a failure.
        cornered = all(minuit.fixed)
        return Minimum(
            vector=vector,
            value=self._objective.value(vector) if minuit.fval is None or cornered else float(minuit.fval),
            valid=cornered or bool(minuit.valid),
            edm=float(minuit.fmin.edm) if minuit.fmin is not None and not cornered else 0.0,
            value_calls=int(minuit.nfcn) + begin.steps + 1,
            gradient_calls=int(minuit.ngrad) + begin.steps + 1,
            steps=begin.steps,
            message="every parameter is at a limit" if cornered else _message(minuit),
            kinks=tuple(kinks),
        )

    def _build(self, vector: Array, information: Array) -> Minuit:
        # A Minuit object refers to itself and waits for the collector: the compiled likelihood must not wait with it.
        objective: Objective = proxy(self._objective)
        progress = self._progress
        scale, lower, upper = self._scale, self._lower, self._upper

        def value(scaled: Array) -> float:
            result = objective.value(_unscaled(scaled, scale, lower, upper))
            if progress is not None:
                progress("fit", result)
            return result

        def gradient(scaled: Array) -> Array:
            return objective.value_and_gradient(_unscaled(scaled, scale, lower, upper))[1] * scale

        curvature = information * np.outer(scale, scale) + _REGULAR * np.eye(scale.size)

        def hessian(scaled: Array) -> Array:
            return curvature

        names = [f"x{i}" for i in range(vector.size)]
        minuit = Minuit(value, vector / scale, grad=gradient, hessian=hessian, name=names)
        minuit.errordef, minuit.tol, minuit.errors = 1.0, _TOLERANCE, np.full(vector.size, 0.1)
        minuit.limits = list(zip(self._lower / scale, self._upper / scale, strict=True))
        return minuit

    def _hold(self, minuit: Minuit) -> bool:
        """Hold parameters that the statistic pushes against their limits, free those that it pulls back; any change?

        MIGRAD's own limits are a sine, whose slope vanishes at the limit: it cannot say that a minimum there is one.
        """
        vector = self._vector(np.array(minuit.values))
        _, gradient = self._objective.value_and_gradient(vector)
        near_lower = vector - self._lower <= _NEAR * self._scale
        near_upper = self._upper - vector <= _NEAR * self._scale
        held = (near_lower & (gradient > 0)) | (near_upper & (gradient < 0))
        changed = held != np.array(minuit.fixed)
        bound = np.where(near_lower, self._lower, self._upper)
        for k in np.flatnonzero(held):
            minuit.values[k] = bound[k] / self._scale[k]
        for k in np.flatnonzero(changed):
            minuit.fixed[k] = bool(held[k])
        return bool(changed.any())

    def _hold_kinks(self, minuit: Minuit) -> list[int]:
        """Hold parameters that lie in a kink: MIGRAD wants a slope of 0, and there is none."""
        vector, held = self._vector(np.array(minuit.values)), []
        for k in np.flatnonzero(~np.array(minuit.fixed)):
            beside = _BESIDE * self._scale * (np.arange(vector.size) == k)
            ends = [self._objective.value_and_gradient(vector + sign * beside)[1][k] for sign in (-1.0, 1.0)]
            if ends[0] * self._scale[k] < -_KINK and ends[1] * self._scale[k] > _KINK:
                minuit.fixed[k] = True
                held.append(int(k))
        return held

    def _vector(self, scaled: Array) -> Array:
        return _unscaled(scaled, self._scale, self._lower, self._upper)


def _unscaled(scaled: Array, scale: Array, lower: Array, upper: Array) -> Array:
    """Back to the parameters' own units; the product must not step over a limit by rounding."""
    return np.clip(np.asarray(scaled) * scale, lower, upper)


def _message(minuit: Minuit) -> str:
    """Why MIGRAD stopped, in words."""
    fmin = minuit.fmin
    if fmin is None:
        return "no minimum"
    reasons: Sequence[tuple[bool, str]] = (
        (fmin.has_reached_call_limit, "the call limit was reached"),
        (fmin.is_above_max_edm, "the distance to the minimum is above the tolerance"),
        (not fmin.has_posdef_covar, "the matrix of second derivatives is not positive definite"),
    )
    if fmin.is_valid:
        return _FOUND
    return "; ".join(text for holds, text in reasons if holds) or "the minimiser stopped"
