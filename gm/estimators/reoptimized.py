"""The norm of a component in one band with every other free parameter fitted again."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.norm import NormEstimate, intervals
from gm.fit.covariance import measure_errors
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.objective import Restricted, amplitudes
from gm.likelihood import JointLikelihood
from gm.models import Layout


class NormObjective:
    """-2 ln L of a band as a function of (norm of the source, all other free parameters); shape (1 + n_other,).

    The source keeps its spectrum, the flux vector ``signal``: its own parameters, and those that they are linked to,
    are frozen.
    """

    def __init__(self, likelihood: JointLikelihood, source: str, signal: Array, ranges: IntArray) -> None:
        bank = likelihood.bank
        slots, roots = likelihood.layout.slots(source), likelihood.models.roots()
        leaders = {roots[k].root if k in roots else k for k in range(slots.start, slots.stop)}
        own = [likelihood.layout.addresses[k] for k in sorted(leaders)]
        self.layout = Layout(likelihood.models.with_parameters({address: {"frozen": True} for address in own}))
        self.terms = likelihood.cut(ranges)
        self._bank = bank
        self._others = [component.name for component in likelihood.models if component.name != source]
        self._source_flux = signal
        self.lower = np.concatenate([[-np.inf], self.layout.lower])
        self.upper = np.concatenate([[np.inf], self.layout.upper])
        self._amplitudes = np.concatenate([[True], amplitudes(likelihood.models, self.layout)])

    @property
    def start(self) -> Array:
        return np.concatenate([[1.0], self.layout.start])

    def value(self, vector: Array) -> float:
        flux = self._flux(vector)
        return sum(term.value(flux) for term in self.terms) + self.layout.prior_value(vector[1:])

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        flux = self._flux(vector)
        d_flux = np.zeros_like(flux)
        value = sum(term.value_and_pullback(flux, d_flux) for term in self.terms) + self.layout.prior_value(vector[1:])
        others = self.layout.reduce(self._bank.pullback(self.layout.expand(vector[1:]), d_flux, self._others))
        others = others + self.layout.prior_gradient(vector[1:])
        return value, np.concatenate([[self._source_flux @ d_flux], others])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        flux = self._flux(vector)
        others = self.layout.reduce(self._bank.jacobian(self.layout.expand(vector[1:]), self._others))
        jacobian = np.column_stack([self._source_flux, others])
        information = np.diag(np.concatenate([[0.0], self.layout.prior_curvature(vector[1:])]))
        for term in self.terms:
            information = information + term.information(flux, jacobian, expected=expected)
        return information

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        """Left to differences of the gradient."""

    def n_cut_off(self, vector: Array) -> int:
        flux = self._flux(vector)
        return sum(term.n_cut_off(flux) for term in self.terms)

    def minimize(self, start: Array, active: BoolArray) -> Minimum:
        """The minimum over the ``active`` parameters (n,) of the vector; the others stay at ``start`` (n,)."""
        among = Restricted(self, start.copy(), active)
        limits = self.lower[active], self.upper[active]
        minimizer = Minimizer(among, *limits, self._amplitudes[active], n_cut_off=among.n_cut_off)
        return minimizer.minimize(start[active])

    def other_flux(self, vector: Array) -> Array:
        """The flux vector of all components but the source."""
        return self._bank.fluxes(self.layout.expand(vector[1:]), self._others)

    def _flux(self, vector: Array) -> Array:
        return np.asarray(vector[0] * self._source_flux + self.other_flux(vector))


class _Profile:
    """-2 ln L of the norm with every other parameter fitted; each fit starts where the last one ended."""

    def __init__(self, objective: NormObjective, start: Array, active: BoolArray) -> None:
        self._objective, self._last = objective, start
        self._others = active & (np.arange(active.size) > 0)

    def value(self, norm: float) -> float:
        self._last[0] = norm
        minimum = self._objective.minimize(self._last, self._others)
        self._last[self._others] = minimum.vector
        return minimum.value

    def values(self, norms: Array) -> Array:
        return np.array([self.value(norm) for norm in norms.tolist()])


def estimate_reoptimized(
    likelihood: JointLikelihood,
    source: str,
    signal: Array,
    ranges: IntArray,
    sigma: float,
    sigma_ul: float,
    scan: Array,
) -> tuple[NormEstimate, Array] | None:
    """The norm with the other free parameters profiled, and the flux vector of the others at its minimum.

    None when the band depends on none of them.
    """
    objective = NormObjective(likelihood, source, signal, ranges)
    information = np.diag(objective.information(objective.start, expected=True))
    active = information > 0
    if not active[1:].any() or not active[0]:
        return None
    together = Restricted(objective, objective.start, active)
    lower, upper = objective.lower[active], objective.upper[active]
    minimum = objective.minimize(objective.start, active)
    errors = measure_errors(together, minimum.vector, lower, upper, [str(k) for k in range(minimum.vector.size)])
    norm, profile = float(minimum.vector[0]), _Profile(objective, together.full(minimum.vector), active)
    error = None if errors.covariance is None else float(np.sqrt(errors.covariance[0, 0]))
    step = float(np.sqrt(2.0 / information[0])) if error is None else error
    errn, errp, ul, missing = intervals(profile.values, norm, minimum.value, step, sigma, sigma_ul)
    estimate = NormEstimate(
        norm=norm,
        norm_err=None if error is None else sigma * error,
        norm_errn=errn,
        norm_errp=errp,
        norm_ul=ul,
        stat=minimum.value,
        stat_null=profile.value(0.0),
        stat_scan=profile.values(scan),
        missing=missing,
    )
    return estimate, objective.other_flux(together.full(minimum.vector))
