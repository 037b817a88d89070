"""All norms of one fit: each with errors, limit, TS and profile, the others fitted again; and their covariance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from gm.arrays import Array, BoolArray
from gm.estimators.band_minimum import BandMinimum
from gm.estimators.norm import NoMinimum, NormEstimate, NormProfile
from gm.estimators.norms_objective import NormsObjective, OneFirst
from gm.estimators.reoptimized import around
from gm.estimators.upper_limits import LimitMethod
from gm.fit.profile import LowerMinimum
from gm.fit.steps import errors_alone
from gm.likelihood.line import Line
from gm.matrices import as_hessian

T = TypeVar("T")
_LOWER_MINIMA = 4
_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one
_ALIKE = 0.1  # relative difference of the mean of both errors to one from second derivatives
_KINK = 1e-3  # slope per sigma that no minimum has


@dataclass(frozen=True)
class Levels:
    """How far errors and limits go, in standard deviations; what a limit is; the norms (n_norm,) of profiles; the
    significance that a sensitivity expects."""

    sigma: float
    sigma_ul: float
    limit: LimitMethod
    scan: Array
    sensitivity: float


@dataclass(frozen=True, eq=False)
class FittedNorms:
    """estimates : of each norm, None where nothing depends on it; covariance : (n, n) of one sigma, NaN where there is
    none; vector : (n + n_other,) where -2 ln L is lowest"""

    estimates: tuple[NormEstimate | None, ...]
    covariance: Array
    vector: Array


class _Lower(Exception):
    """Something lower than the minimum was found, at ``vector`` (n_norms + n_other,)."""

    def __init__(self, vector: Array) -> None:
        super().__init__("a lower minimum was found")
        self.vector = vector


def fit_norms(objective: NormsObjective, levels: Levels, progress: Callable[[int], None] | None = None) -> FittedNorms:
    """Fit all norms together; ``progress`` hears the number of each that is being measured. Raises `NoMinimum`."""
    start = objective.start
    information = as_hessian(objective.information(start, expected=True)).diagonal()
    active = (information > 0) | (objective.value_and_gradient(start)[1] != 0)
    if np.count_nonzero(active) == 1 and active[: objective.n_norms].any():
        return _alone(objective, int(np.argmax(active)), levels)
    return _settled(lambda vector: _Together(objective, vector, active, information).measure(levels, progress), start)


def null_statistics(objective: NormsObjective) -> tuple[float, Array]:
    """-2 ln L at the minimum, and with each norm at 0 and all else fitted again, (n_norms,), NaN where nothing depends
    on it. Raises `NoMinimum`."""
    start = objective.start
    information = as_hessian(objective.information(start, expected=True)).diagonal()
    active = (information > 0) | (objective.value_and_gradient(start)[1] != 0)
    return _settled(lambda vector: _Together(objective, vector, active, information).nulls(), start)


def _settled(measure: Callable[[Array], T], start: Array) -> T:
    """What is measured around a minimum, from others where these lead to lower ones."""
    for _ in range(_LOWER_MINIMA):
        try:
            return measure(start)
        except _Lower as lower:
            start = lower.vector
    raise NoMinimum("profiles lead to ever lower minima")


def _alone(objective: NormsObjective, norm: int, levels: Levels) -> FittedNorms:
    """One norm, and nothing else that the data depend on."""
    start, n = objective.start, objective.n_norms
    lines, rest = list[Line](), objective.other_flux(start)
    for part in objective.parts:
        for place in np.flatnonzero(part.norms == norm):
            lines += part.terms.lines(rest, objective.signals_of(part, start)[place])
    profile = NormProfile(lines, objective.prior_value(start))
    estimate = profile.estimate(levels.sigma, levels.sigma_ul, levels.scan, levels.sensitivity, levels.limit)
    covariance = np.full((n, n), np.nan)
    if estimate.norm_err is not None:
        covariance[norm, norm] = (estimate.norm_err / levels.sigma) ** 2
    vector = np.where(np.arange(start.size) == norm, estimate.norm, start)
    return FittedNorms(tuple(estimate if k == norm else None for k in range(n)), covariance, vector)


class _Together:
    """The minimum over all norms, and all else that is free."""

    def __init__(self, objective: NormsObjective, start: Array, active: BoolArray, information: Array) -> None:
        self._objective, self._active, self._information = objective, active, information
        self._seen = np.flatnonzero(active[: objective.n_norms]).tolist()
        if not self._seen:
            raise NoMinimum("the data depend on none of the norms")
        self._first = OneFirst(objective, self._seen[0])
        self._lead = self._minimum(self._first, start)
        self._best = self._first.back(self._lead.vector)

    def _minimum(self, view: OneFirst, start: Array) -> BandMinimum:
        order = view.order
        return BandMinimum(view, start[order], self._active[order], self._information[order])

    def measure(self, levels: Levels, progress: Callable[[int], None] | None) -> FittedNorms:
        """Raises `_Lower`."""
        estimates: list[NormEstimate | None] = [None] * self._objective.n_norms
        for norm in self._seen:
            if progress is not None:
                progress(norm)
            view = OneFirst(self._objective, norm)
            minimum = self._seen_from(view)
            if minimum.found.value < self._lead.found.value - _LOWER:
                raise _Lower(view.back(minimum.vector))
            step = minimum.error() or float(errors_alone(minimum.information[:1], np.ones(1))[0])
            try:
                found = around(minimum, step, levels.sigma, levels.sigma_ul, levels.scan, levels.limit)
                estimates[norm] = _without_kink(found, minimum)
            except LowerMinimum as lower:
                raise _Lower(view.back(minimum.among.full(lower.vector))) from lower
        return FittedNorms(tuple(estimates), _as_errors_say(self._covariance(), estimates, levels.sigma), self._best)

    def nulls(self) -> tuple[float, Array]:
        """Raises `_Lower`."""
        stat, found = self._lead.found.value, np.full(self._objective.n_norms, np.nan)
        for norm in self._seen:
            view = OneFirst(self._objective, norm)
            if (self._active & (np.arange(self._active.size) != norm)).any():
                [(found[norm], vector)] = self._seen_from(view).others(np.zeros(1))
            else:
                vector = np.where(np.arange(self._best.size) == norm, 0.0, self._best)[view.order]
                found[norm] = view.value(vector)
            if found[norm] < stat - _LOWER:
                raise _Lower(view.back(vector))
        return stat, found

    def _seen_from(self, view: OneFirst) -> BandMinimum:
        """That minimum with another norm first; where directions have no effect which are told depends on it."""
        lead = self._lead
        if lead.covariance is None or not lead.told.all():
            return self._minimum(view, self._best)
        return lead.seen_from(view, self._first.places[view.order])

    def _covariance(self) -> Array:
        """Of the norms, (n_norms, n_norms)."""
        lead, n = self._lead, self._objective.n_norms
        whole = np.full((self._active.size,) * 2, np.nan)
        if lead.covariance is not None:
            told = self._first.order[np.flatnonzero(self._active[self._first.order])[lead.told]]
            whole[np.ix_(told, told)] = np.asarray(lead.covariance)
        return whole[:n, :n]


def _without_kink(estimate: NormEstimate, minimum: BandMinimum) -> NormEstimate:
    """With the mean of the errors to both sides, where the minimum is a kink: second derivatives say nothing there."""
    error, low, high = estimate.norm_err, estimate.norm_errn, estimate.norm_errp
    if error is None or low is None or high is None:
        return estimate
    mean, slope = 0.5 * (low + high), float(minimum.among.gradient(minimum.found.vector)[0])
    has_kink = abs(mean / error - 1.0) > _ALIKE and abs(slope) * mean > _KINK
    return replace(estimate, norm_err=mean) if has_kink else estimate


def _as_errors_say(covariance: Array, estimates: Sequence[NormEstimate | None], sigma: float) -> Array:
    """With the same correlations, and errors where these are not those of second derivatives."""
    errors = [np.nan if one is None or one.norm_err is None else one.norm_err / sigma for one in estimates]
    factors = np.array(errors) / np.sqrt(np.diag(covariance))
    factors[np.isclose(factors, 1.0, rtol=1e-9)] = 1.0
    return np.asarray(covariance * np.outer(factors, factors))
