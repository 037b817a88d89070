"""The norm of a component in one band with every other free parameter fitted again.

Where predictions are linear in all parameters, as in norms of spectra and backgrounds, Cash is convex in the part of
their space in which every count is predicted, which is convex too: its profile along the norm then is what
`gm.estimators.norm` says of a line, with the poles where no choice of the others predicts every count. W and Gaussian
priors are convex everywhere. For shapes of spectra that holds near the minimum only. Each point of a profile is a fit
that the minimiser keeps off the plateau beyond the poles.
"""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray
from gm.estimators.band_minimum import BandMinimum
from gm.estimators.band_objective import NORM, BandObjective
from gm.estimators.norm import NoMinimum, NormEstimate
from gm.estimators.nuisances import own_addresses
from gm.estimators.scaled_signals import ScaledSignals
from gm.estimators.surroundings import Surroundings
from gm.estimators.upper_limits import LimitMethod
from gm.fit.minimizer import Minimum
from gm.fit.objective import Objective, amplitudes, spectral_shapes
from gm.fit.profile import LowerMinimum, Profile
from gm.fit.simplex import DEEPER
from gm.fit.steps import errors_alone
from gm.likelihood import JointLikelihood, Terms
from gm.likelihood.flux_slopes import FluxSlopes
from gm.likelihood.own_parameters import OwnParameters, own_parameters
from gm.matrices import BorderedHessian, Matrix, as_hessian
from gm.models import Layout

_LOWER_MINIMA = 4
_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one
_ALIKE = 0.1  # relative difference of the mean of both errors to one from second derivatives


class NormObjective(BandObjective):
    """-2 ln L of a band as a function of (norm of the source, all other free parameters); shape (1 + n_other,).

    ``terms`` are those of the ``likelihood``, cut to the band.

    The source keeps its spectrum, the flux vector ``signal``: its own parameters, and those that they are linked to,
    are frozen.
    """

    def __init__(self, likelihood: JointLikelihood, terms: Terms, source: str, signal: Array) -> None:
        self._terms, self._bank = terms, likelihood.bank
        own = own_addresses(likelihood.models, likelihood.layout, source)
        self.layout = Layout(likelihood.models.with_parameters({address: {"frozen": True} for address in own}))
        self._others = [component.name for component in likelihood.models if component.name != source]
        self._own = own_parameters([d.name for d in likelihood.datasets], likelihood.models, self.layout)
        self.names = [NORM, *self.layout.free_addresses]
        self._signals = ScaledSignals(likelihood, [source], signal[None])
        self.lower = np.concatenate([[-np.inf], self.layout.lower])
        self.upper = np.concatenate([[np.inf], self.layout.upper])
        self.amplitudes = np.concatenate([[True], amplitudes(likelihood.models, self.layout)])
        self.shapes = np.concatenate([[False], spectral_shapes(likelihood.models, self.layout)])

    @property
    def start(self) -> Array:
        return np.concatenate([[1.0], self.layout.start])

    def prior_curvature(self, vector: Array) -> Array:
        return np.concatenate([[0.0], self.layout.prior_curvature(vector[1:])])

    def value(self, vector: Array) -> float:
        return self._terms.value(self._flux(vector)) + self.layout.prior_value(vector[1:])

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value, d_flux = self._terms.pullback(self._flux(vector))
        values = self.layout.expand(vector[1:])
        by_all = self._bank.slopes(values, self._others).pullback(d_flux)
        if self._signals.changes:
            by_all += self._signals.factors(values).pullback(d_flux * self._signals.bare(vector[:1]))
        others = self.layout.reduce(by_all) + self.layout.prior_gradient(vector[1:])
        return value + self.layout.prior_value(vector[1:]), np.concatenate([[self.signal(vector) @ d_flux], others])

    def information(self, vector: Array, *, expected: bool = False) -> Matrix:
        flux, slopes = self._flux(vector), self._bank.slopes(self.layout.expand(vector[1:]), self._others)
        if self._own is not None:
            return self._by_dataset(self._own, vector, flux, slopes, expected=expected)
        jacobian = np.column_stack([self.signal(vector), self._by_others(vector, slopes)])
        information = np.diag(self.prior_curvature(vector))
        for block in self._terms.information(flux, jacobian, expected=expected):
            block.add_to(information)
        return information

    def _by_dataset(
        self, own: OwnParameters, vector: Array, flux: Array, slopes: FluxSlopes, *, expected: bool
    ) -> BorderedHessian:
        """The same without a matrix over all parameters."""
        others = own.narrow_jacobian(slopes)
        if self._signals.changes:
            factors = self._signals.factors(self.layout.expand(vector[1:]))
            others += self._signals.bare(vector[:1])[:, None] * own.narrow_jacobian(factors)
        narrow = np.column_stack([self.signal(vector), others])
        parts = self._terms.information_by_dataset(flux, narrow, own.n_shared + 1, expected=expected)
        return own.after_a_shared_one().hessian(parts).plus_diagonal(self.prior_curvature(vector))

    def _by_others(self, vector: Array, slopes: FluxSlopes) -> Array:
        """Derivatives of the flux vector by the other parameters, (n_columns, n_other)."""
        jacobian = slopes.jacobian()
        if self._signals.changes:
            factors = self._signals.factors(self.layout.expand(vector[1:]))
            jacobian += self._signals.bare(vector[:1])[:, None] * factors.jacobian()
        return self.layout.reduce(jacobian)

    def n_cut_off(self, vector: Array) -> int:
        return self._terms.n_cut_off(self._flux(vector))

    def signal(self, vector: Array) -> Array:
        """The flux vector of the source with a norm of 1, (n_columns,), as instruments see it."""
        return np.asarray(self._signals.at(self.layout.expand(vector[1:]))[0])

    def other_flux(self, vector: Array) -> Array:
        """The flux vector of all components but the source."""
        return self._bank.fluxes(self.layout.expand(vector[1:]), self._others)

    def _flux(self, vector: Array) -> Array:
        return np.asarray(vector[0] * self.signal(vector) + self.other_flux(vector))


def estimate_reoptimized(
    likelihood: JointLikelihood,
    terms: Terms,
    source: str,
    signal: Array,
    sigma: float,
    sigma_ul: float,
    scan: Array,
    limit: LimitMethod = LimitMethod.LIKELIHOOD,
) -> tuple[NormEstimate, Array, Array] | None:
    """The norm with the other free parameters profiled, and the flux vectors (n_columns,) of the others and of the
    source with a norm of 1 there.

    ``terms`` are those of the ``likelihood``, cut to the band. None when it depends on none of the others. Raises
    `NoMinimum`.
    """
    objective = NormObjective(likelihood, terms, source, signal)
    information = as_hessian(objective.information(objective.start, expected=True)).diagonal()
    active = (information > 0) | (objective.value_and_gradient(objective.start)[1] != 0)
    if not active[1:].any() or not active[0]:
        return None
    start = objective.start
    for _ in range(_LOWER_MINIMA):
        minimum = BandMinimum(objective, start, active, information)
        step = minimum.error() or float(errors_alone(information[:1], np.ones(1))[0])
        try:
            estimate = around(minimum, step, sigma, sigma_ul, scan, limit)
        except LowerMinimum as lower:
            start = minimum.among.full(lower.vector)
            continue
        return estimate, objective.other_flux(minimum.vector), objective.signal(minimum.vector)
    raise NoMinimum("profiles lead to ever lower minima")


def around(
    minimum: BandMinimum, step: float, sigma: float, sigma_ul: float, scan: Array, limit: LimitMethod
) -> NormEstimate:
    """Errors, limit and profile at norms ``scan`` (n,) around a minimum. Raises `LowerMinimum`."""
    among, found, missing = minimum.among, minimum.found, minimum.missing

    def profiled(objective: Objective, start: Array, others: BoolArray) -> Minimum:
        active = minimum.active.copy()
        active[minimum.active] = others
        return minimum.minimize(objective, start, active)

    limits = minimum.lower, minimum.upper
    profile = Profile(among, found.vector, found.value, *limits, minimum.names, profiled)
    values = {}
    for value, vector in minimum.others(np.unique(np.append(scan, 0.0))):
        if value < found.value - _LOWER:
            raise LowerMinimum(vector[minimum.active])
        values[float(vector[0])] = value
    norm = float(found.vector[0])
    rises = dict.fromkeys(("norm_errn", "norm_errp"), sigma**2)
    rises["norm_ul"] = limit.rise(sigma_ul, norm, found.value, values[0.0])
    up, ends, near = minimum.direction(step), dict[str, float | None](), dict[str, Array]()
    for name, rise in rises.items():
        end = profile.end([0], -up if name == "norm_errn" else up, rise)
        ends[name], near[name] = None if end.reason else step * end.distance, among.full(end.vector)
        if end.reason:
            missing[name] = end.reason
    if minimum.objective.looks_around and (
        minimum.is_rough or (minimum.has_loose_shape() and _is_lower_beside(minimum, ends, rises))
    ):
        _look_around(minimum, values, ends, near, rises)
    errn, errp, to_limit = (ends[name] for name in ("norm_errn", "norm_errp", "norm_ul"))
    return NormEstimate(
        norm=norm,
        norm_err=_error(minimum, sigma, errn, errp),
        norm_errn=errn,
        norm_errp=errp,
        norm_ul=None if to_limit is None else norm + to_limit,
        stat=found.value,
        stat_null=values[0.0],
        stat_scan=np.array([values[norm] for norm in scan.tolist()]),
        missing=missing,
        along_priors=minimum.along_priors(),
    )


def _is_lower_beside(minimum: BandMinimum, ends: dict[str, float | None], rises: dict[str, float]) -> bool:
    """Whether another branch is lower where an end of the profile was found."""
    branches, others = minimum.objective.branches(minimum.active), minimum.active.copy()
    others[0] = False
    for name, distance in ends.items():
        if distance is not None:
            away = -distance if name == "norm_errn" else distance
            starts = branches.at(float(minimum.found.vector[0]) + away)
            lowest = min(minimum.objective.approach(start, others)[0] for start in starts)
            if lowest < minimum.found.value + rises[name] - DEEPER:
                return True
    return False


def _error(minimum: BandMinimum, sigma: float, errn: float | None, errp: float | None) -> float | None:
    """``sigma`` standard deviations of the norm, or the mean of both sides where second derivatives say little, as they
    do of limits that are near; with a reason among what is ``missing`` where there is neither."""
    error, is_limited = None if (one := minimum.error()) is None else sigma * one, minimum.meets_limits(sigma)
    if (minimum.is_rough or is_limited) and errn is not None and errp is not None:
        mean = 0.5 * (errn + errp)
        if error is None or ((minimum.has_kink or is_limited) and abs(mean / error - 1.0) > _ALIKE):
            error = mean
            minimum.missing.pop("norm_err", None)
    if error is None:
        minimum.missing.setdefault("norm_err", "the second derivatives are not those of a minimum")
    return error


def _look_around(
    minimum: BandMinimum,
    values: dict[float, float],
    ends: dict[str, float | None],
    near: dict[str, Array],
    rises: dict[str, float],
) -> None:
    """Mend the ``values`` at norms, and the distances to the ``ends`` of a profile, which lie ``near`` vectors (n,).

    Raises `LowerMinimum`, also where one is found beside the minimum.
    """
    around = Surroundings(minimum.objective, minimum.vector, minimum.active, minimum.found.value, minimum.sizes())
    for name, distance in ends.items():
        if distance is None:
            continue
        side = -1.0 if name == "norm_errn" else 1.0
        ends[name], highest = around.end(side, distance, near[name], rises[name])
        if ends[name] is None:
            minimum.missing[name] = (
                f"from norm {around.norm + side * distance:.3g} on the statistic is {max(highest, 0.0):.2g} above its "
                "minimum at most, with other values of the other parameters"
            )
    values[0.0] = min(values[0.0], around.seek(0.0, around.branches.at(0.0)))
    for at, value in values.items():
        values[at] = min(value, around.seek(at, []))
