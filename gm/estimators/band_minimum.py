"""The minimum of bands over the norm of a source and what else is fitted, and what derivatives say of it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.band_objective import NORM, BandObjective
from gm.estimators.branches import shape_sizes
from gm.estimators.norm import NoMinimum
from gm.fit.covariance import Errors, measure_errors
from gm.fit.minimizer import Minimum
from gm.fit.objective import Objective, Restricted
from gm.fit.steps import errors_alone
from gm.matrices import Covariance, along, as_hessian

_SHARE = 1e-3  # of the norm in a direction without effect
_LOST = 1e-9  # of the information at the start
_KINK = 0.01  # slope per sigma


class BandMinimum:
    """The minimum of bands over the norm and the other parameters that the band depends on, (n_active,) of them.

    information : (n,) that is expected at the start. is_rough : whether derivatives say little, there or around it.
    covariance : (n_told, n_told) of those whose second derivatives tell something, as `told` (n_active,) says, the norm
    first; None where that is not so of the norm. missing : why.
    """

    def __init__(self, objective: BandObjective, start: Array, active: BoolArray, information: Array) -> None:
        self.objective, self.active, self.information = objective, active, information
        self.among = Restricted(objective, start.copy(), active)
        self.found = objective.minimize(self.among, start[active], active)
        if self.found.is_lost:
            raise NoMinimum(f"the fit of the band did not converge: {self.found.message}")
        self.lower, self.upper = objective.lower[active], objective.upper[active]
        self.names = [name for name, is_active in zip(objective.names, active, strict=True) if is_active]
        self.missing: dict[str, str] = {}
        self.covariance, self.told = self._measured()
        self._polish()
        self.has_kink = self._has_kink()
        has_slope = self.has_kink or bool(self.found.kinks) or not self.found.valid
        self.is_rough = has_slope or self.covariance is None or self._has_lost_one()

    @property
    def vector(self) -> Array:
        """All parameters, (n,)."""
        return self.among.full(self.found.vector)

    def _measured(self) -> tuple[Covariance | None, BoolArray]:
        """Along directions in which the statistic does not change one parameter each is held, which no norm feels, and
        shapes before amplitudes: but where the norm goes along."""
        told = np.ones(self.found.vector.size, dtype=bool)
        while told.any():
            errors = self._errors(told)
            if not errors.degenerate:
                told[told] = errors.kept
                return errors.covariance, told
            weights = {name: abs(weight) for name, weight in errors.degenerate[0].weights.items()}
            if weights.get(NORM, 0.0) > _SHARE:
                self.missing["norm_err"] = f"the statistic does not change along {errors.degenerate[0]}"
                return None, told
            large = [name for name, weight in weights.items() if weight > 0.5 * max(weights.values())]
            told[self.names.index(min(large, key=self.objective.is_amplitude))] = False
        return None, told

    def seen_from(self, objective: BandObjective, order: IntArray) -> BandMinimum:
        """The same minimum for an ``objective`` with the parameters in another ``order`` (n,); all are told."""
        other, number = copy(self), np.cumsum(self.active) - 1
        whole, other.active, other.information = self.vector[order], self.active[order], self.information[order]
        among = number[order][other.active]
        other.objective, other.among = objective, Restricted(objective, whole, other.active)
        other.found = replace(self.found, vector=self.found.vector[among], hessian=None)
        other.lower, other.upper = objective.lower[other.active], objective.upper[other.active]
        other.names = [name for name, is_active in zip(objective.names, other.active, strict=True) if is_active]
        other.missing, other.told = {}, self.told[among]
        other.covariance = None if self.covariance is None else np.asarray(self.covariance)[np.ix_(among, among)]
        return other

    def _errors(self, told: BoolArray) -> Errors:
        vector, names = self.found.vector, [name for name, stays in zip(self.names, told, strict=True) if stays]
        kinks = [int(np.count_nonzero(told[:k])) for k in self.found.kinks if told[k]]
        among, limits = Restricted(self.among, vector, told), (self.lower[told], self.upper[told])
        return measure_errors(among, vector[told], *limits, names, lambda steps: kinks)

    def _polish(self) -> None:
        """A last step of Newton's, since a fit stops when the statistic is good to 5e-6."""
        if self.covariance is None:
            return
        vector = self.found.vector.copy()
        vector[self.told] -= 0.5 * along(self.covariance, self.among.gradient(vector)[self.told])
        if ((vector >= self.lower) & (vector <= self.upper)).all():
            value = self.among.value(vector)
            if value <= self.found.value:
                self.found = replace(self.found, vector=vector, value=value)

    def _has_kink(self) -> bool:
        """Whether the statistic has a slope where it is lowest, not only towards a limit."""
        if self.covariance is None:
            return False
        vector, told = self.found.vector, self.told
        slope = self.among.gradient(vector)[told] * np.sqrt(self.covariance.diagonal())
        outwards = ((vector <= self.lower)[told] & (slope > 0)) | ((vector >= self.upper)[told] & (slope < 0))
        return bool((np.abs(slope) > _KINK)[~outwards].any())

    def _has_lost_one(self) -> bool:
        """Whether a parameter has gone to where it has no effect any more."""
        before, left = self.information[self.active], np.full(self.told.size, np.inf)
        if self.covariance is not None:
            left[self.told] = 2.0 / self.covariance.diagonal()
        if not self.told.all():
            among = as_hessian(self.among.information(self.found.vector, expected=True)).diagonal()
            left[~self.told] = among[~self.told]
        return bool((left < _LOST * before).any())

    def has_loose_shape(self) -> bool:
        """Whether the shape of a spectrum may be another one altogether, which is another branch of the profile."""
        errors, sizes = np.full(self.told.size, np.inf), shape_sizes(self.objective.start[self.active])
        if self.covariance is not None:
            errors[self.told] = np.sqrt(self.covariance.diagonal())
        return bool((errors >= sizes)[self.objective.shapes[self.active]].any())

    def minimize(self, objective: Objective, start: Array, active: BoolArray) -> Minimum:
        """Other parameters; kinks on the way are remembered."""
        found = self.objective.minimize(objective, start, active)
        self.is_rough |= bool(found.kinks) or not found.valid
        return found

    def error(self) -> float | None:
        """Of the norm; None where it does not exist."""
        return None if self.covariance is None else float(np.sqrt(self.covariance[0, 0]))

    def direction(self, step: float) -> Array:
        """How all parameters go along with the norm while the statistic is a parabola, (n_active,)."""
        direction = np.zeros(self.found.vector.size)
        direction[0] = step
        if self.covariance is not None:
            direction[self.told] = step * self.covariance[0, :] / self.covariance[0, 0]
        return direction

    def meets_limits(self, sigma: float) -> bool:
        """Whether limits of the others are nearer than they go along with ``sigma`` errors of the norm."""
        if (error := self.error()) is None:
            return False
        way, vector = np.abs(self.direction(sigma * error)), self.found.vector
        return bool((np.minimum(vector - self.lower, self.upper - vector) < way)[1:].any())

    def along_priors(self) -> dict[str, float]:
        """How far the norm goes with one sigma of each other parameter that has a prior, by their names.

        For a Gaussian prior around ``a`` of width s: ``s d norm / d a = covariance(norm, parameter) / s``.
        """
        if self.covariance is None:
            return {}
        curvature = self.objective.prior_curvature(self.vector)[self.active][self.told]
        names = [name for name, is_told in zip(self.names, self.told, strict=True) if is_told]
        steps = np.asarray(self.covariance[0, :]) * np.sqrt(0.5 * np.maximum(curvature, 0.0))
        return {name: float(step) for name, step in zip(names[1:], steps[1:], strict=True) if step}

    def sizes(self) -> Array:
        """First steps of a search of all parameters, (n,): an expected error at the start, or their size."""
        start = self.objective.start
        return errors_alone(self.information, shape_sizes(start))

    def others(self, norms: Array) -> Iterator[tuple[float, Array]]:
        """-2 ln L and all parameters (n,) at each norm, the others fitted: away from the minimum to both sides, from
        one to the next, or from where all began where that is better."""
        best = float(self.found.vector[0])
        others = self.active & (np.arange(self.active.size) > 0)
        for side in (np.sort(norms[norms <= best])[::-1], np.sort(norms[norms > best])):
            vector = self.vector
            for norm in side.tolist():
                starts = [np.append(norm, vector[1:]), np.append(norm, self.objective.start[1:])]
                vector = min(starts, key=self.objective.value)
                found = self.minimize(Restricted(self.objective, vector, others), vector[others], others)
                vector[others] = found.vector
                yield found.value, vector.copy()
