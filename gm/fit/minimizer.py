"""Scoring, and MIGRAD where that is not enough: the only module that knows iminuit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from weakref import proxy

import numpy as np
from iminuit import Minuit

from gm.arrays import Array, BoolArray
from gm.fit.no_minimum import falls_without_bound, off_the_plateau
from gm.fit.objective import Objective
from gm.fit.scoring import ScoringResult, all_finite, score
from gm.matrices import NOTHING, Hessian, as_hessian

Progress = Callable[[str, float], None]
_TRIES = 3  # of scoring and MIGRAD in turn
_ROUNDS = 5  # of finding out which limits hold
_CALLS = 200, 50  # that MIGRAD has, and more for each parameter
_CALLS_IN_ALL = 5  # times those, after which a minimisation does not begin with MIGRAD again
_WALL = 1e6  # above the start, where nothing is finite or may be
_ROUNDING = 1e-12  # of a value
_GAIN = 1e-3  # of -2 ln L, worth another try
_NEAR = 1e-3  # sigma from a limit
_TOLERANCE = 1e-3  # MIGRAD stops at an estimated distance of 0.002 * tolerance: 2e-6 in -2 ln L, 0.0014 sigma
_BESIDE = 1e-3  # sigma to both sides of a kink, where a smooth statistic has slopes of 0.002 per sigma
_KINK = 0.01  # slope per sigma
_ROOM = 500  # parameters whose matrix MIGRAD has room for, where not all of them meet
_GONE = "a source goes on leaving the reach of its responses"
_SETTLED = 5e-6  # estimated distance to the minimum in -2 ln L at which there is nothing left for MIGRAD
_FOUND = "the minimum was found"
_NOT_THERE = "the distance to the minimum is above the tolerance"
_CORNERED = "every parameter is at a limit or in a kink"
_LOST = "the minimiser left the minimum that it had come near to"
_CUT_OFF = "{n} bins with counts are predicted to hold nothing or less, where the statistic is cut off"
_NOT_FINITE = "the minimiser came to where the statistic has no derivatives that are finite"
_FAR = 0.1  # of the longest way that a parameter has gone
_ENDLESS = "the statistic falls without bound"
_REGULAR = 1e-6  # added to a unit-scaled Hessian, which MIGRAD wants to be positive definite


@dataclass(frozen=True)
class Minimum:
    """What the minimiser found: vector (n_free,), value there, and how it got there.

    kinks : parameters whose slope changes sign all at once there; name : ``minuit``, or ``scoring`` where that left
    MIGRAD nothing to do; hessian : (n_free, n_free) where it is known; endless : (n_free,) a direction along which the
    statistic falls without bound; is_lost : it ended where there is no minimum, which the message explains; of a
    minimum that scoring has found, information : that it has there, and aim : (n_free,) where another step would lead;
    promised : what is left to gain as scoring has it, where MIGRAD found nothing lower than that
    """

    vector: Array
    value: float
    valid: bool
    edm: float
    value_calls: int
    gradient_calls: int
    steps: int
    message: str
    name: str = "minuit"
    kinks: tuple[int, ...] = ()
    hessian: Hessian | None = None
    endless: Array | None = None
    is_lost: bool = False
    information: Hessian | None = None
    aim: Array | None = None
    promised: float = np.inf


@dataclass
class _Lowest:
    """The lowest point seen, and those that were so before it, the highest first."""

    vector: Array
    value: float
    before: list[tuple[Array, float]] = field(default_factory=list)

    def see(self, vector: Array, value: float) -> None:
        if value < self.value:
            self.before.append((self.vector, self.value))
            self.vector, self.value = vector, value


class Minimizer:
    """Minimises an objective within limits, from any start.

    Fisher scoring brings the vector near the minimum, mostly so near that nothing is left to do. If not, MIGRAD works
    with the exact gradient and the information matrix as its Hessian, in units of one-sigma steps. Nothing leads to
    where bins with counts are predicted to have none, as counted by ``n_cut_off``, and the lowest point seen is kept.
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
        n_cut_off: Callable[[Array], int] | None = None,
    ) -> None:
        self._objective, self._lower, self._upper, self._progress = objective, lower, upper, progress
        self._is_left, self._is_smooth, self._n_cut_off = is_left, is_smooth, n_cut_off
        self._n_allowed = 0
        self._amplitudes = np.zeros(lower.size, dtype=bool) if amplitudes is None else amplitudes
        self._scale = np.ones_like(lower)

    @property
    def scale(self) -> Array:
        """About one sigma of each parameter with the others fixed, (n_free,)."""
        return self._scale

    def minimize(self, start: Array, nearby: Hessian | None = None) -> Minimum:
        """Minimise from ``start`` (n_free,); ``nearby`` : the information at a minimum that may be much the same."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # told by what is not finite
            return self._minimize(start, nearby)

    def approach(self, start: Array) -> tuple[float, Array]:
        """The lowest value that scoring alone finds from ``start`` (n_free,), and where, (n_free,)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self._score(self._off_the_plateau(start))
        return found.value, found.vector

    def _off_the_plateau(self, start: Array) -> Array:
        if self._n_cut_off is None:
            return start
        among = self._lower, self._upper, self._amplitudes
        vector, self._n_allowed = off_the_plateau(self._objective, start, *among, self._n_cut_off)
        return vector

    def _minimize(self, start: Array, nearby: Hessian | None) -> Minimum:
        vector = self._off_the_plateau(start)
        begin, calls, is_over = self._score(vector, nearby), (0, 0, 0), False
        for n_left in reversed(range(_TRIES + 1)):
            calls = calls[0] + begin.steps + 1, calls[1] + begin.steps + 1, calls[2] + begin.steps
            self._scale = begin.scale
            if (ended := self._ended(begin, vector, calls)) is not None:
                return ended
            if is_over or not n_left:
                break
            minimum = self._migrad(begin, calls)
            if not minimum.value < begin.value - _GAIN:
                return replace(minimum, promised=begin.promised)
            # MIGRAD has gone far with the curvature of where it began: what it calls a minimum may be a slope.
            vector, calls = minimum.vector, (minimum.value_calls, minimum.gradient_calls, minimum.steps)
            begin = self._score(vector)
            if minimum.valid and not begin.value < minimum.value - _GAIN:
                return minimum
            is_over = not minimum.valid and minimum.value_calls >= _CALLS_IN_ALL * _n_calls(vector.size)
        why = _NOT_THERE if minimum.valid else minimum.message
        return replace(minimum, vector=begin.vector, value=begin.value, valid=False, message=why, kinks=())

    def _score(self, vector: Array, nearby: Hessian | None = None) -> ScoringResult:
        return score(
            self._objective,
            vector,
            self._lower,
            self._upper,
            self._amplitudes,
            progress=self._progress,
            is_left=self._is_left,
            is_smooth=self._is_smooth,
            n_cut_off=self._n_cut_off,
            nearby=nearby,
        )

    def _ended(self, begin: ScoringResult, start: Array, calls: tuple[int, int, int]) -> Minimum | None:
        """What there is to say where scoring ended; None where MIGRAD may go on."""
        vector, value = begin.vector, begin.value
        if self._is_left is not None and self._is_left(vector):
            return Minimum(vector, self._objective.value(vector), False, np.inf, *calls, _GONE, name="scoring")
        if begin.edm < _SETTLED:
            if self._n_allowed and self._n_cut_off is not None and (n := self._n_cut_off(vector)):
                return Minimum(vector, value, False, np.inf, *calls, _CUT_OFF.format(n=n), name="scoring", is_lost=True)
            hessian = begin.information if begin.hessian else None
            found = value, True, begin.edm, *calls, _FOUND, "scoring"
            return Minimum(vector, *found, hessian=hessian, information=begin.information, aim=begin.aim)
        if not begin.information.is_finite():
            return Minimum(vector, value, False, np.inf, *calls, _NOT_FINITE, name="scoring", is_lost=True)
        way = vector - start
        if way.any() and falls_without_bound(self._objective, vector, way, self._lower, self._upper):
            endless = way / begin.scale
            order = np.argsort(~self._amplitudes, kind="stable")
            if not begin.information.is_dense:
                order = order[np.abs(endless[order]) >= _FAR * np.abs(endless).max()]
            alone = next((k for k in order if self._falls_along(vector, way, k)), None)
            endless = endless if alone is None else np.where(np.arange(way.size) == alone, 1.0, 0.0)
            return Minimum(vector, value, False, np.inf, *calls, _ENDLESS, "scoring", endless=endless, is_lost=True)
        has_room = begin.information.is_dense or vector.size <= _ROOM
        return None if has_room else self._as_it_is(begin, calls)

    def _as_it_is(self, begin: ScoringResult, calls: tuple[int, int, int]) -> Minimum:
        """Where scoring ended, of so many parameters that MIGRAD has no room for their matrix. Where directions have no
        curvature there is nothing to gain along them."""
        valid = begin.promised < _SETTLED
        hessian, message = begin.information if begin.hessian else None, _FOUND if valid else _NOT_THERE
        return Minimum(begin.vector, begin.value, valid, begin.promised, *calls, message, "scoring", hessian=hessian)

    def _falls_along(self, vector: Array, way: Array, k: int) -> bool:
        """Whether the value falls without bound along one parameter alone."""
        one = np.where(np.arange(way.size) == k, way, 0.0)
        return bool(one.any()) and falls_without_bound(self._objective, vector, one, self._lower, self._upper)

    def _migrad(self, begin: ScoringResult, calls: tuple[int, int, int]) -> Minimum:
        best = _Lowest(begin.vector, begin.value)
        minuit = self._build(begin.vector, begin.information.dense(), best)
        for k in np.flatnonzero((begin.information.diagonal() <= NOTHING) & (begin.gradient == 0)):
            minuit.fixed[k] = True
        self._run(minuit, calls[0])
        kinks = [] if minuit.valid else self._hold_kinks(minuit)
        if kinks and not all(minuit.fixed):
            minuit.migrad(ncall=_n_calls(begin.vector.size))
        vector = self._vector(np.array(minuit.values))
        value = self._objective.value(vector)
        # MIGRAD with nothing left to move has no matrix and calls that a failure.
        cornered = all(minuit.fixed)
        valid, message = (True, _CORNERED) if cornered else (_is_there(minuit), _message(minuit))
        if not value <= best.value + _ROUNDING * abs(best.value):
            if valid and not value < best.value + _GAIN:
                valid, message = False, _LOST
            vector, value = best.vector, best.value
        if not self._is_finite(vector):
            points = ((there, value) for there, value in reversed(best.before) if self._is_finite(there))
            valid, message, (vector, value) = False, _NOT_FINITE, next(points, (begin.vector, begin.value))
        return Minimum(
            vector=vector,
            value=value,
            valid=valid,
            edm=float(minuit.fmin.edm) if minuit.fmin is not None and not cornered else 0.0,
            value_calls=int(minuit.nfcn) + calls[0],
            gradient_calls=int(minuit.ngrad) + calls[1],
            steps=calls[2],
            message=message,
            kinks=tuple(kinks),
        )

    def _run(self, minuit: Minuit, n_before: int) -> None:
        """MIGRAD, in rounds with other parameters held at their limits; ``n_before`` : calls until then."""
        n_calls = _n_calls(len(minuit.values))
        for _ in range(_ROUNDS):
            self._hold(minuit)
            for strategy in (1, 2):
                minuit.strategy = strategy
                minuit.migrad(ncall=n_calls)
                if is_over := minuit.valid or n_before + minuit.nfcn >= _CALLS_IN_ALL * n_calls:
                    break
            if not self._hold(minuit) or (is_over and not minuit.valid):
                break

    def _build(self, vector: Array, information: Array, best: _Lowest) -> Minuit:
        # A Minuit object refers to itself and waits for the collector: the compiled likelihood must not wait with it.
        this: Minimizer = proxy(self)
        scale, wall = self._scale, best.value + abs(best.value) + _WALL

        def value(scaled: Array) -> float:
            there = this._vector(scaled)
            result = this._objective.value(there)
            if this._progress is not None:
                this._progress("fit", result)
            if not this._is_admissible(there, result):
                return wall
            best.see(there, result)
            return result

        def gradient(scaled: Array) -> Array:
            there = this._objective.value_and_gradient(this._vector(scaled))[1] * scale
            return np.where(np.isfinite(there), there, 0.0)

        curvature = information * np.outer(scale, scale)
        diagonal = curvature.diagonal()
        np.fill_diagonal(curvature, np.where(diagonal >= 0, diagonal, 1.0) + _REGULAR)  # else MIGRAD asks for more

        def hessian(scaled: Array) -> Array:
            return curvature

        names = [f"x{i}" for i in range(vector.size)]
        minuit = Minuit(value, vector / scale, grad=gradient, hessian=hessian, name=names)
        minuit.print_level = -1  # its messages would come between results
        minuit.errordef, minuit.tol, minuit.errors = 1.0, _TOLERANCE, np.full(vector.size, 0.1)
        minuit.limits = list(zip(self._lower / scale, self._upper / scale, strict=True))
        return minuit

    def _is_admissible(self, vector: Array, value: float) -> bool:
        """Whether a fit may end there."""
        if not (np.isfinite(value) and np.isfinite(vector).all()):
            return False
        return self._n_cut_off is None or self._n_cut_off(vector) <= self._n_allowed

    def _is_finite(self, vector: Array) -> bool:
        """Whether a fit may go on from there."""
        found = self._objective.value_and_gradient(vector)
        return all_finite(*found, as_hessian(self._objective.information(vector)))

    def _hold(self, minuit: Minuit) -> bool:
        """Hold parameters that the statistic pushes against their limits, free those that it pulls back; any change?

        MIGRAD's own limits are a sine, whose slope vanishes at the limit: it cannot say that a minimum there is one.
        At a limit where something is not finite, such as a break at no energy, a parameter is held beside it.
        """
        vector = self._vector(np.array(minuit.values))
        _, gradient = self._objective.value_and_gradient(vector)
        near_lower = vector - self._lower <= _NEAR * self._scale
        near_upper = self._upper - vector <= _NEAR * self._scale
        held = (near_lower & (gradient > 0)) | (near_upper & (gradient < 0))
        changed = held != np.array(minuit.fixed)
        bound = np.where(near_lower, self._lower, self._upper)
        if held.any() and self._is_finite(np.where(held, bound, vector)):
            for k in np.flatnonzero(held):
                minuit.values[k] = bound[k] / self._scale[k]
        for k in np.flatnonzero(changed):
            minuit.fixed[k] = bool(held[k])
        return bool(changed.any())

    def _hold_kinks(self, minuit: Minuit) -> list[int]:
        """Hold parameters that lie in a kink: MIGRAD wants a slope of 0, and there is none. Where the statistic is
        straight to both sides there is no sigma, and any change of sign is one."""
        vector, held = self._vector(np.array(minuit.values)), []
        is_straight = as_hessian(self._objective.information(vector)).diagonal() <= NOTHING
        for k in np.flatnonzero(~np.array(minuit.fixed)):
            beside = _BESIDE * self._scale * (np.arange(vector.size) == k)
            ends = [self._objective.value_and_gradient(vector + sign * beside)[1][k] for sign in (-1.0, 1.0)]
            least = 0.0 if is_straight[k] else _KINK / self._scale[k]
            if ends[0] < -least and ends[1] > least:
                minuit.fixed[k] = True
                held.append(int(k))
        return held

    def _vector(self, scaled: Array) -> Array:
        """Back to the parameters' own units; the product must not step over a limit by rounding."""
        return np.clip(np.asarray(scaled) * self._scale, self._lower, self._upper)


def _n_calls(n_parameters: int) -> int:
    """That MIGRAD has at a time."""
    return _CALLS[0] + _CALLS[1] * n_parameters


def _is_there(minuit: Minuit) -> bool:
    """Whether MIGRAD has found a minimum. One that lies at the end of a valley that falls by less and less takes all
    calls there are, and is near enough long before."""
    fmin = minuit.fmin
    if fmin is None or fmin.is_valid:
        return bool(minuit.valid)
    return bool(fmin.has_reached_call_limit and not fmin.is_above_max_edm and fmin.edm < _SETTLED)


def _message(minuit: Minuit) -> str:
    """Why MIGRAD stopped, in words."""
    fmin = minuit.fmin
    if fmin is None:
        return "no minimum"
    if _is_there(minuit):
        return _FOUND
    reasons: Sequence[tuple[bool, str]] = (
        (fmin.has_reached_call_limit, "the call limit was reached"),
        (fmin.is_above_max_edm, _NOT_THERE),
        (not fmin.has_posdef_covar, "the matrix of second derivatives is not positive definite"),
    )
    return "; ".join(text for holds, text in reasons if holds) or "the minimiser stopped"
