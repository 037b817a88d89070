"""Errors: the observed Hessian at the minimum, and directions in which the data say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from gm.arrays import Array, BoolArray, anywhere, everywhere
from gm.fit.objective import Objective, Restricted
from gm.fit.prior_widths import with_prior_widths
from gm.fit.scoring import DIFFERENCE, known_hessian
from gm.fit.steps import errors_alone
from gm.likelihood.own_parameters import MANY
from gm.matrices import NOTHING, BorderedHessian, Covariance, Hessian, as_hessian, no_covariance, placed
from gm.models import GeneralizedGaussianPrior

_NEAR = 1e-3  # sigma from a limit
_IDENTICAL = 1e-11  # the same of J^T J, below which parameters are one and the same
_DOUBLINGS = 20  # of a sigma, beyond which the statistic does not rise
_FLAT = 0.1  # a rise of -2 ln L that is none
_PART = 0.01  # weight of a parameter that takes part in a direction
_ROUNDED = 1.5  # sizes that are rounded to powers of two may be smaller by as much
_SETTLED = 5e-6  # of -2 ln L: as good as at a limit
_WEAK = 0.01  # the same, below which more is asked
_TOLD = 8  # limits and directions in a message
_DEGENERATE = 1e-7  # smallest eigenvalue of the Hessian, scaled to a unit diagonal, that still measures something


@dataclass(frozen=True)
class Direction:
    """A combination of free parameters, in units of their sigma, along which the statistic does not change."""

    weights: dict[str, float]
    eigenvalue: float

    def of(self, names: Sequence[str]) -> Array:
        """Its weights, (n_free,), in an order of the parameters."""
        return np.array([self.weights.get(name, 0.0) for name in names])

    def __str__(self) -> str:
        largest = max(self.weights, key=lambda name: abs(self.weights[name]))
        sign = 1.0 if self.weights[largest] > 0 else -1.0
        shown = sorted((-abs(w), name, sign * w) for name, w in self.weights.items() if abs(w) >= 0.1)
        text = " ".join(f"{'-' if w < 0 else '+'} {abs(w):.2g} {name}" for _, name, w in shown)
        return text.removeprefix("+ ")


def observed_hessian(
    gradient: Callable[[Array], Array], vector: Array, scale: Array, lower: Array, upper: Array
) -> Array:
    """Second derivatives of -2 ln L by differencing its exact gradient, (n_free, n_free).

    Central differences of 0.02 sigma; a parameter closer than that to a limit is differenced away from it with the
    second-order one-sided formula ``(-3 g0 + 4 g1 - g2) / 2h``, and h such that the other limit holds too. ``scale``
    (n_free,) is about one sigma of each.
    """
    n_free = vector.size
    hessian = np.empty((n_free, n_free))
    for i in range(n_free):
        step = np.zeros(n_free)
        step[i] = h = DIFFERENCE * scale[i]
        below, above = vector[i] - lower[i], upper[i] - vector[i]
        if min(below, above) >= h:
            hessian[i] = (gradient(vector + step) - gradient(vector - step)) / (2 * h)
        else:
            step[i] = min(h, 0.5 * above) if above > below else -min(h, 0.5 * below)
            g0, g1, g2 = gradient(vector), gradient(vector + step), gradient(vector + 2 * step)
            hessian[i] = (-3 * g0 + 4 * g1 - g2) / (2 * step[i])
    return 0.5 * (hessian + hessian.T)


def bordered_hessian(
    like: BorderedHessian,
    gradient: Callable[[Array], Array],
    vector: Array,
    scale: Array,
    lower: Array,
    upper: Array,
) -> BorderedHessian:
    """The same of parameters that meet as in ``like``: those that do not meet are moved together.

    vector, scale, lower, upper : (n_free,)
    """
    grouping, hessian = like.grouping, BorderedHessian.zeros(like.grouping)
    for moved in like.together():
        step = np.zeros(vector.size)
        below, above = vector[moved] - lower[moved], upper[moved] - vector[moved]
        h = DIFFERENCE * scale[moved]
        is_near, inward = np.minimum(below, above) < h, np.where(above > below, 1.0, -1.0)
        step[moved] = np.where(is_near, inward * np.minimum(h, 0.5 * np.maximum(below, above)), h)
        near = np.zeros(vector.size, dtype=bool)
        near[moved] = is_near
        g1, g2 = gradient(vector + step), gradient(np.where(near, vector + 2 * step, vector - step))
        g0 = gradient(vector) if is_near.any() else g1
        width = grouping.split(np.where(step != 0, step, 1.0))
        for rise, chosen in (((-3 * g0 + 4 * g1 - g2), near), (g1 - g2, (step != 0) & ~near)):
            shared, own = grouping.split(rise)
            one, each = grouping.split(np.where(chosen, 1.0, 0.0))
            hessian.shared += np.outer(one / (2 * width[0]), shared)
            hessian.cross += own[:, :, None] * (one / (2 * width[0]))
            hessian.own += (each / (2 * width[1]))[:, :, None] * own[:, None, :]
    return hessian.symmetric()


def invert(
    hessian: Hessian, names: Sequence[str], degenerate_below: float
) -> tuple[Covariance | None, list[Direction]]:
    """Covariance ``2 H^-1`` (n_free, n_free), and the directions that the data do not constrain.

    The matrix is scaled to a unit diagonal first, so that the verdict does not depend on units. None when it is not
    positive definite.
    """
    diagonal = hessian.diagonal()
    flat = [Direction({name: 1.0}, float(d)) for name, d in zip(names, diagonal, strict=True) if not d > NOTHING]
    if flat:
        return None, flat
    covariance, weak = hessian.inverse(degenerate_below)
    return covariance, [Direction(dict(zip(names, map(float, along), strict=True)), value) for value, along in weak]


def _scale(objective: Objective, vector: Array) -> Array:
    """About one standard deviation of each parameter with the others fixed, or its size where nothing depends on it."""
    size = np.where(vector != 0, np.abs(vector), 1.0)
    return errors_alone(as_hessian(objective.information(vector, expected=True)).diagonal(), size)


def _held(objective: Objective, vector: Array, scale: Array, limit: Array, push: Array) -> BoolArray:
    """Which parameters (n_free,) are pushed to a limit, and are there, or to 1e-3 sigma, or as good as there: at the
    limit the value is no higher. Of a parameter that has no effect a sigma is far."""
    distance = np.abs(vector - limit)
    held: BoolArray = (distance == 0) & (push > 0)
    for k in (~held & (push > 0) & (distance <= _ROUNDED * scale)).nonzero()[0]:
        is_near = bool(distance[k] <= _NEAR * scale[k])
        if is_near or push[k] * distance[k] < _SETTLED:
            there = np.where(np.arange(vector.size) == k, limit, vector)
            held[k] = objective.value(there) <= objective.value(vector) + is_near * _SETTLED
    return held


def _hessian(objective: Restricted, vector: Array, scale: Array, lower: Array, upper: Array) -> Hessian:
    """Second derivatives: those that the objective knows, where no limit is near, or of its gradient.

    Along a parameter without any the statistic may have a kink right there, over which differences reach.
    """
    around = vector, scale, lower, upper
    known = known_hessian(objective, *around)
    if known is not None and (not known.is_dense or (known.diagonal() > NOTHING).all()):
        return known
    if vector.size > MANY and isinstance(like := objective.information(vector), BorderedHessian):
        return bordered_hessian(like, objective.gradient, *around)
    return as_hessian(observed_hessian(objective.gradient, *around))


def _flat_ones(
    directions: Iterable[Direction],
    names: Sequence[str],
    hessian: Hessian,
    objective: Objective,
    vector: Array,
    scale: Array,
    lower: Array,
    upper: Array,
) -> list[Direction]:
    """Those of the directions in which the statistic does not rise indeed, a sigma away on one side at least."""
    value, sigma = objective.value(vector), errors_alone(hessian.diagonal(), scale)
    found = []
    for direction in directions:
        way = sigma * direction.of(names)
        ends = (np.clip(vector + side * way, lower, upper) for side in (-1.0, 1.0))
        if any(objective.value(end) - value < _FLAT for end in ends):
            found.append(direction)
    return found


def _bridged(
    hessian: Hessian, k: int, objective: Restricted, vector: Array, scale: Array, lower: Array, upper: Array
) -> Hessian:
    """With the row and column of a parameter with a kink by differences as wide as a rise by 1.

    Nothing is done where the statistic does not rise by 1 on both sides.
    """
    sides = ((-scale[k], lower[k]), (scale[k], upper[k]))
    ends = [_risen_by_one(objective, vector, k, step, limit) for step, limit in sides]
    moves = np.zeros((2, vector.size))
    moves[:, k] = [np.nan if end is None else end for end in ends]
    width = float(moves[1, k] - moves[0, k])
    if not width > 0:
        return hessian
    with np.errstate(over="ignore", invalid="ignore"):
        slopes = (objective.gradient(vector + moves[1]) - objective.gradient(vector + moves[0])) / width
    slopes[k] = 8.0 / width / width
    return hessian.with_row(k, slopes) if np.isfinite(slopes).all() else hessian


def _risen_by_one(objective: Objective, vector: Array, k: int, step: float, limit: float) -> float | None:
    """How far parameter ``k`` goes, in the direction of ``step``, until the statistic is higher by 1; None: too far."""
    from scipy.optimize import brentq  # kinks are rare, and it takes a while to import

    value, direction = objective.value(vector), np.arange(vector.size) == k
    room = abs(limit - vector[k])

    def rise(move: float) -> float:
        return objective.value(vector + move * direction) - value - 1.0

    for _ in range(_DOUBLINGS):
        risen = rise(step) if abs(step) <= room else np.nan
        if not risen < 0:
            return float(brentq(rise, 0.0, step, xtol=1e-9 * abs(step), rtol=1e-6)) if np.isfinite(risen) else None
        step *= 2
    return None


@dataclass(frozen=True, eq=False)
class Errors:
    """What the data say about the parameters at a minimum.

    at_lower, at_upper : (n_free,) held at a limit by the slope of the statistic; vague : why others have no error;
    kept : (n_free,) all others; covariance : (n_kept, n_kept), or None where it does not exist; degenerate : parameters
    and combinations without a constraint.
    """

    at_lower: BoolArray
    at_upper: BoolArray
    covariance: Covariance | None
    degenerate: list[Direction]
    vague: Mapping[int, str] = field(default_factory=dict)

    @property
    def inside(self) -> BoolArray:
        """(n_free,) those that no limit holds."""
        return ~(self.at_lower | self.at_upper)

    @property
    def kept(self) -> BoolArray:
        kept = self.inside
        if self.vague:
            kept[list(self.vague)] = False
        return kept

    def without(self, vague: Mapping[int, str]) -> Errors:
        """The same without the errors of some parameters, for these reasons."""
        if self.covariance is None or not vague:
            return self
        stay = np.array([i for i, k in enumerate(np.flatnonzero(self.kept)) if k not in vague], dtype=np.intp)
        covariance = placed(self.covariance, stay) if stay.size else None
        return replace(self, covariance=covariance, vague={**self.vague, **vague})

    def endless(self, names: Sequence[str]) -> Errors:
        """The same where some parameters could as well be anything farther away."""
        known = {name for direction in self.degenerate for name in direction.weights}
        more = [Direction({name: 1.0}, 0.0) for name in names if name not in known]
        return replace(self, covariance=None, degenerate=[*self.degenerate, *more])

    def untold(self) -> Errors:
        """The same without a number."""
        return replace(self, covariance=None)

    def whole_covariance(self) -> Covariance | None:
        """(n_free, n_free), zeros for parameters without an error; None where nothing has one."""
        if self.covariance is None:
            return None
        kept = self.kept
        if everywhere(kept):
            return self.covariance
        return placed(self.covariance, np.where(kept, np.cumsum(kept) - 1, -1))

    def covariance_over(self, active: BoolArray, *, is_dense: bool) -> Covariance:
        """Of all free parameters, of which these are those that are ``active`` (n,)."""
        whole = self.whole_covariance()
        if whole is None:
            return no_covariance(active.size, is_dense=is_dense)
        return whole if everywhere(active) else placed(whole, np.where(active, np.cumsum(active) - 1, -1))

    def side(self, index: int) -> Literal["lower", "upper"] | None:
        """The limit that holds a parameter."""
        return "lower" if self.at_lower[index] else "upper" if self.at_upper[index] else None

    def why_none(self, index: int) -> str:
        """Why a parameter has no error; empty where it has one, or errors were not asked for."""
        if side := self.side(index):
            return f"at its {side} limit"
        if index in self.vague:
            return self.vague[index]
        return f"the statistic does not change along {self.directions()}" if self.degenerate else ""

    def directions(self) -> str:
        """The combinations without a constraint, in words."""
        return listed(list(map(str, self.degenerate)))


def listed(texts: Sequence[str]) -> str:
    """Some of them, and how many more there are."""
    more = len(texts) - _TOLD
    return "; ".join(texts[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def measure_errors(
    objective: Objective,
    vector: Array,
    lower: Array,
    upper: Array,
    names: Sequence[str],
    kinked: Callable[[Array], Iterable[int]] = lambda steps: (),
    hessian: Hessian | None = None,
    uneven: Mapping[int, GeneralizedGaussianPrior] = MappingProxyType({}),
    scale: Array | None = None,
    idle: Mapping[int, str] = MappingProxyType({}),
) -> Errors:
    """Errors at the minimum ``vector`` (n_free,) from the observed Hessian over the parameters that no limit holds.

    kinked : from ``steps`` (n_free,) to the parameters that a step takes across a kink of the statistic, where it has
    no second derivative; they get that of the parabola which is as wide where the statistic has risen by 1; hessian :
    (n_free, n_free) where it is known already; uneven : priors that are no parabolas, by position; scale : (n_free,)
    about one standard deviation of each, where that is known; idle : parameters without any effect there, and why
    """
    scale = _scale(objective, vector) if scale is None else scale.copy()
    for k, prior in uneven.items():
        scale[k] = min(scale[k], prior.sigma)
    gradient = objective.value_and_gradient(vector)[1]
    at_lower = _held(objective, vector, scale, lower, gradient)
    at_upper = _held(objective, vector, scale, upper, -gradient)
    kept = ~(at_lower | at_upper)
    kept[list(idle)] = False
    if not anywhere(kept):
        return Errors(at_lower, at_upper, None, [], idle)
    inside, around = Restricted(objective, vector, kept), (vector[kept], scale[kept], lower[kept], upper[kept])
    index = {k: i for i, k in enumerate(kept.nonzero()[0].tolist())}
    priors = {index[k]: prior for k, prior in uneven.items() if kept[k]}
    known = None if hessian is None or priors else hessian.among(kept)
    hessian = _hessian(inside, *around) if known is None else known
    if priors:
        hessian = with_prior_widths(hessian, gradient[kept], *around, priors)
    for k in (index[k] for k in kinked(DIFFERENCE * scale) if kept[k] and k not in uneven):
        hessian = _bridged(hessian, k, inside, *around)
    among = [name for name, stays in zip(names, kept, strict=True) if stays]
    covariance, weak = invert(hessian, among, _WEAK)
    degenerate = _unconstrained(hessian, among, inside, *around, priors) if weak else []
    if weak and not degenerate:
        covariance, _ = invert(hessian, among, _DEGENERATE)
    vague = dict.fromkeys(index, "the second derivatives of the statistic say nothing there")
    is_known = covariance is not None or bool(degenerate)
    vague = {**({} if is_known else vague), **idle}
    return Errors(at_lower, at_upper, None if degenerate else covariance, degenerate, vague)


def _unconstrained(
    hessian: Hessian,
    names: Sequence[str],
    objective: Restricted,
    vector: Array,
    scale: Array,
    lower: Array,
    upper: Array,
    priors: Mapping[int, GeneralizedGaussianPrior],
) -> list[Direction]:
    """Directions in which the statistic is flat, of a ``hessian`` (n_free, n_free) that is nearly singular.

    Where it is singular and the statistic rises all the same, the Hessian gets the widths of rises by 1.
    """
    around = vector, scale, lower, upper
    _, singular = invert(hessian, names, _DEGENERATE)
    if singular and not _flat_ones(singular, names, hessian, objective, *around):
        for k in range(len(names)) if hessian.is_dense else _taking_part(singular, names):
            hessian = _bridged(hessian, k, objective, *around)
        _, singular = invert(hessian, names, _DEGENERATE)
    if singular:
        return _flat_ones(singular, names, hessian, objective, *around)
    information = as_hessian(objective.information(vector, expected=True))
    diagonal = information.diagonal().copy()
    for k, prior in priors.items():
        diagonal[k] += 2 / prior.sigma**2  # it may have no second derivative, but a width it has
    return invert(information.with_diagonal(diagonal), names, _IDENTICAL)[1]


def _taking_part(directions: Iterable[Direction], names: Sequence[str]) -> list[int]:
    """The parameters that some directions are made of."""
    weights = np.abs([direction.of(names) for direction in directions]).max(axis=0)
    return np.flatnonzero(weights >= _PART).tolist()
