"""The statistic along a line from its minimum, minimised over all other parameters: where it has risen by so much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.minimizer import Minimum
from gm.fit.objective import Objective, Restricted

_CLOSE = 1e-4  # relative size of the last step of Newton's: another one would be about its square
_NEAR = 1e-3  # of a rise, that Newton's steps lead to: far from a minimum that lies flat a short step may be a long one
_GROWTH = 4.0  # of the distance in a step
_CAREFUL = 1.25  # the same after a larger step has led the others astray
_FAR, _FARTHEST = 30.0, 1e4  # standard deviations, from where the profile must go on rising, and where that ends
_RISING, _FARTHER = 1.1, 1.5  # from one distance to the next: a profile that rises by less levels off
_TRIES = 60
_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one
_UNSURE = 0.01  # of the rise: a profile known no better than this is not known
_BEYOND = "a source is beyond the reach of its responses"


class LowerMinimum(Exception):
    """A profile went below the minimum that it started from, at ``vector`` (n_free,)."""

    def __init__(self, vector: Array) -> None:
        super().__init__("a lower minimum was found")
        self.vector = vector


@dataclass(frozen=True, eq=False)
class End:
    """Where the profile along a line has risen by ``rise``, ``distance`` in units of the line's direction.

    With a ``reason`` there is no such place, or nobody knows. ``vector`` (n_free,) is near it.
    """

    distance: float
    vector: Array
    rise: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class ProfilePoint:
    """-2 ln L with some parameters given, lowest at ``vector`` (n_free,), or lower still at ``aim`` (n_free,), where it
    was not evaluated. With a ``reason`` it is not known."""

    value: float
    vector: Array
    reason: str = ""
    aim: Array | None = None

    @property
    def best(self) -> Array:
        """(n_free,)."""
        return self.vector if self.aim is None else self.aim


@dataclass(frozen=True, eq=False)
class _Point:
    """The profile at a distance: its rise above the minimum, the derivative of that, and how well it is known."""

    distance: float
    vector: Array
    rise: float = 0.0
    slope: float = 0.0
    doubt: float = 0.0

    def step(self, rise: float) -> float:
        """Newton's step to where it has risen as much, in its root, which is straight where the profile is a parabola;
        infinite where it cannot be told."""
        if not (0 < self.rise < np.inf and self.slope > 0):
            return np.inf
        return float(2 * (np.sqrt(rise * self.rise) - self.rise) / self.slope)


class Profile:
    """-2 ln L minimised over all parameters but some, which are given.

    vector : (n_free,) the minimum, where it is ``value``; lower, upper : (n_free,) limits, which all parameters keep
    minimize : from an objective, its start, and which parameters these are (n_free,), to its minimum
    is_left : whether the objective does not hold at a vector (n_free,) any more
    """

    def __init__(
        self,
        objective: Objective,
        vector: Array,
        value: float,
        lower: Array,
        upper: Array,
        names: Sequence[str],
        minimize: Callable[[Objective, Array, BoolArray], Minimum],
        is_left: Callable[[Array], bool] = lambda _: False,
    ) -> None:
        self._objective, self.vector, self._value = objective, vector, value
        self._lower, self._upper, self._names = lower, upper, names
        self._minimize, self._is_left = minimize, is_left

    @property
    def least(self) -> float:
        """-2 ln L at the minimum."""
        return self._value

    def of(
        self,
        objective: Objective,
        vector: Array,
        lower: Array,
        upper: Array,
        names: Sequence[str],
        back: Callable[[Array], Array],
    ) -> Profile:
        """That of the same function of other parameters, which ``back`` leads to these from."""
        is_left = self._is_left
        return Profile(
            objective, vector, self._value, lower, upper, names, self._minimize, lambda other: is_left(back(other))
        )

    def end(self, chosen: Sequence[int], direction: Array, rise: float, after: End | None = None) -> End:
        """Go along ``direction`` (n_free,), about one standard deviation, until the profile has risen by ``rise``.

        The parameters ``chosen`` keep to the line, the others start from it. ``after`` : an end with a smaller rise, to
        go on from. Raises `LowerMinimum`.
        """
        room, limit = self._room(chosen, direction)
        if not room > 0:
            return End(0.0, self.vector, rise, f"it is at {limit}")
        start = End(0.0, self.vector, 0.0) if after is None else after
        last = below = _Point(start.distance, start.vector, start.rise)
        above, unit = _Point(np.inf, self.vector), float(np.sqrt(rise))
        distance = min(unit if after is None else after.distance * float(np.sqrt(rise / after.rise)), room)
        is_lost = False
        for _ in range(_TRIES):
            here = self._at(chosen, last, distance, direction)
            step = here.step(rise)
            is_near = abs(here.rise - rise) < _NEAR * rise  # not a rise of nothing that some slope is left of
            if is_near and abs(step) < _CLOSE * distance and distance + step <= room:
                return End(distance + step, here.vector, rise, self._why_not(here, rise))
            if here.rise < rise:
                if distance >= room:
                    why = f"the statistic has risen by {here.rise:.2g} only at {limit}"
                    return End(room, here.vector, rise, why if here.rise > _LOWER else f"it is at {limit}")
                levels_off = here.rise < _RISING * below.rise and distance > _FARTHER * below.distance
                below = here
                if distance >= (_FAR if levels_off else _FARTHEST) * unit:
                    break
            else:
                above = here
            if above.distance - below.distance < _CLOSE * above.distance:
                beside = self._at(chosen, below, above.distance, direction)
                if beside.rise < rise:  # others that had gone astray made a jump where there is none
                    last, below, above, is_lost = beside, beside, _Point(np.inf, self.vector), True
                    distance = min(_CAREFUL * beside.distance, room)
                    continue
                reason = "" if np.isfinite(above.rise) else "the statistic is not finite beyond"
                return End(above.distance, below.vector, rise, reason)
            is_between = below.distance <= distance + step <= above.distance  # else the others have lost their effect
            is_known = here.doubt <= _UNSURE * rise and np.isfinite(here.rise)
            last = here if is_known and is_between else below  # not on from astray
            distance = min(_next(below, above, distance + step, unit), room)
        risen = f"a rise of {below.rise:.2g}, where the others leave their minimum"
        why = (
            f"nothing is known beyond {risen}" if is_lost else f"the statistic rises by {max(below.rise, 0.0):.2g} only"
        )
        return End(below.distance, below.vector, rise, why)

    def at(self, chosen: Sequence[int], values: Array, starts: Sequence[Array]) -> ProfilePoint:
        """The profile where the ``chosen`` parameters have ``values``, the others starting from the best of ``starts``,
        (n_free,) each. Raises `LowerMinimum`."""
        others = np.ones(self.vector.size, dtype=bool)
        others[list(chosen)] = False
        if ((values < self._lower[list(chosen)]) | (values > self._upper[list(chosen)])).any():
            return ProfilePoint(np.inf, self.vector, "beyond a limit")
        starts = [start.copy() for start in starts]
        for start in starts:
            start[list(chosen)] = values
        value, vector, doubt, aim = self._minimized(others, starts)
        if np.isinf(value):
            return ProfilePoint(value, vector, "the statistic is not finite")
        if doubt > max(_UNSURE, _UNSURE * (value - self._value)):
            return ProfilePoint(value, vector, "the other parameters do not converge")
        return ProfilePoint(value, vector, _BEYOND if self._is_left(vector) else "", aim)

    def minimum_from(self, start: Array) -> tuple[float, Array]:
        """-2 ln L at the minimum over all parameters to which a vector (n_free,) leads, and where that is. Raises
        `LowerMinimum`."""
        value, vector, _, _ = self._minimized(np.ones(start.size, dtype=bool), [start])
        return value, vector

    def _why_not(self, here: _Point, rise: float) -> str:
        """Why a point says nothing of the profile."""
        if here.doubt > _UNSURE * rise:
            return "the other parameters do not converge there"
        return f"{_BEYOND} there" if self._is_left(here.vector) else ""

    def _room(self, chosen: Sequence[int], direction: Array) -> tuple[float, str]:
        """How far the line goes within the limits of the chosen parameters, and the limit that ends it, in words."""
        room, limit = np.inf, ""
        for k in chosen:
            side, bound = ("lower", self._lower[k]) if direction[k] < 0 else ("upper", self._upper[k])
            reach = (bound - self.vector[k]) / direction[k] if direction[k] else np.inf
            if reach < room:
                room, limit = float(reach), f"the {side} limit of {self._names[k]}"
        return room, limit

    def _at(self, chosen: Sequence[int], last: _Point, distance: float, direction: Array) -> _Point:
        """The profile at a distance; the other parameters start where they were, moved along, or as they are, and take
        the step that is left where they end: minima are good to 5e-6, which moves an end by more than Newton's step."""
        others = np.ones(self.vector.size, dtype=bool)
        others[chosen] = False
        moved = last.vector + (distance - last.distance) * direction
        starts = [moved, np.where(others, last.vector, moved)] if others.any() else [moved]
        for start in starts:
            start[chosen] = (self.vector + distance * direction)[chosen]
        value, ahead, doubt, aim = self._minimized(others, starts)
        if np.isinf(value):
            return _Point(distance, ahead, np.inf)
        best = ahead if aim is None else aim
        lowest, gradient = self._objective.value_and_gradient(best)
        if not lowest < value:
            best, lowest, gradient = ahead, value, self._objective.value_and_gradient(ahead)[1]
        return _Point(distance, best, lowest - self._value, float(gradient[chosen] @ direction[chosen]), doubt)

    def _minimized(self, others: BoolArray, starts: Sequence[Array]) -> tuple[float, Array, float, Array | None]:
        """The lowest value over the ``others`` (n_free,) from the best of some starts (n_free,), where it is, how far
        from the minimum it may be, and where another step would lead (n_free,). Raises `LowerMinimum`."""
        starts = [np.clip(start, self._lower, self._upper) for start in starts]
        values = np.nan_to_num([self._objective.value(start) for start in starts], nan=np.inf)
        ahead, value, doubt, aim = starts[int(np.argmin(values))], float(np.min(values)), 0.0, None
        if np.isinf(value):
            return value, ahead, doubt, aim
        if others.any():
            with np.errstate(over="ignore", invalid="ignore"):  # of a step too far the value is not finite
                found = self._minimize(Restricted(self._objective, ahead, others), ahead[others], others)
            value, doubt = found.value, 0.0 if found.valid else min(found.edm, found.promised)
            ahead[others] = found.vector
            if found.aim is not None:
                aim = ahead.copy()
                aim[others] = found.aim
        if value < self._value - _LOWER:
            raise LowerMinimum(ahead)
        return value, ahead, doubt, aim


def _next(below: _Point, above: _Point, proposed: float, unit: float) -> float:
    """Where to look next: at the distance proposed, if that is between the points and not far from the first."""
    if below.distance < proposed < above.distance:
        return min(proposed, _GROWTH * max(below.distance, unit))
    if np.isinf(above.distance):
        return _GROWTH * max(below.distance, unit)
    return 0.5 * (below.distance + above.distance)
