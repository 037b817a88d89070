"""-2 ln L of bands of energy as a function of many norms at once, of several sources or in several bands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray
from gm.estimators.band_objective import NORM, BandObjective
from gm.estimators.nuisances import own_addresses
from gm.estimators.scaled_signals import ScaledSignals
from gm.estimators.smoothness import Smoothness
from gm.fit.objective import amplitudes, spectral_shapes
from gm.likelihood import JointLikelihood, Terms
from gm.likelihood.flux_slopes import FluxSlopes
from gm.models import Layout, Models

_KEPT = 512  # evaluations: errors of all norms are looked for around one minimum


@dataclass(frozen=True, eq=False)
class Part:
    """Bins in which some norms count.

    terms : their likelihood; norms : (n,) which ones of all; signals : (n, n_columns) the flux vectors that they scale
    """

    terms: Terms
    norms: IntArray
    signals: Array


class NormsObjective:
    """-2 ln L as a function of (all norms, all other free parameters), (n_norms + n_other,).

    In the bins of each part the flux vector is ``constant + sum over its norms of norm * signal + what the others
    make``. The parameters of the ``sources``, and those that these follow, stay as they are; with ``reoptimize`` every
    other parameter that is free in the models is free.

    constant : (n_columns,) what the sources add beside; labels : of the norms, in words; smoothness : penalties of some
    """

    def __init__(
        self,
        likelihood: JointLikelihood,
        parts: Sequence[Part],
        sources: Sequence[str],
        labels: Sequence[str],
        constant: Array,
        *,
        reoptimize: bool,
        smoothness: Sequence[Smoothness] = (),
    ) -> None:
        models = likelihood.models
        self.parts, self.n_norms, self._penalties = tuple(parts), len(labels), smoothness
        self._constant = ScaledSignals(likelihood, sources, constant[None])
        self._signals = [ScaledSignals(likelihood, sources, part.signals) for part in self.parts]
        self._bank, self._others = likelihood.bank, [c.name for c in models if c.name not in sources]
        self.layout = Layout(_frozen(likelihood, sources, reoptimize))
        unlimited = np.full(self.n_norms, np.inf)
        self.names = [*(f"norm of {label}" for label in labels), *self.layout.free_addresses]
        self.lower = np.concatenate([-unlimited, self.layout.lower])
        self.upper = np.concatenate([unlimited, self.layout.upper])
        is_norm = np.arange(len(self.names)) < self.n_norms
        self.amplitudes, self.shapes = is_norm.copy(), np.zeros_like(is_norm)
        self.amplitudes[~is_norm] = amplitudes(models, self.layout)
        self.shapes[~is_norm] = spectral_shapes(models, self.layout)
        self._known: OrderedDict[bytes, tuple[float, Array]] = OrderedDict()

    @property
    def start(self) -> Array:
        """Norms of 1, the others as in the models, (n,)."""
        return np.concatenate([np.ones(self.n_norms), self.layout.start])

    def _split(self, vector: Array) -> tuple[Array, Array]:
        return vector[: self.n_norms], vector[self.n_norms :]

    def values(self, vector: Array) -> Array:
        """All parameters of the models in internal units, (n_par,)."""
        return self.layout.expand(self._split(vector)[1])

    def other_flux(self, vector: Array) -> Array:
        """The flux vector of everything that no norm scales, (n_columns,)."""
        values = self.values(vector)
        return np.asarray(self._constant.at(values)[0] + self._bank.fluxes(values, self._others))

    def signals_of(self, part: Part, vector: Array) -> Array:
        """The flux vectors that norms scale in the bins of a part, (n, n_columns), as instruments see them."""
        return self._signals[self.parts.index(part)].at(self.values(vector))

    def flux_of(self, part: Part, vector: Array, rest: Array) -> Array:
        """The flux vector in the bins of a part, (n_columns,), on top of the ``rest``."""
        return np.asarray(rest + vector[part.norms] @ self.signals_of(part, vector))

    def value(self, vector: Array) -> float:
        """-2 ln L with priors and penalties."""
        if (known := self._known.get(vector.tobytes())) is not None:
            return known[0]
        rest = self.other_flux(vector)
        value = sum(part.terms.value(self.flux_of(part, vector, rest)) for part in self.parts)
        return value + self.prior_value(vector) + self.penalty(vector)

    def prior_value(self, vector: Array) -> float:
        """What priors add to -2 ln L."""
        return self.layout.prior_value(self._split(vector)[1])

    def prior_curvature(self, vector: Array) -> Array:
        """Second derivatives of what priors add to -2 ln L, (n,)."""
        return np.concatenate([np.zeros(self.n_norms), self.layout.prior_curvature(self._split(vector)[1])])

    def penalty(self, vector: Array) -> float:
        """What smoothness adds to -2 ln L."""
        return sum(one.value(vector[one.norms]) for one in self._penalties)

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        """The same with its exact gradient; the last ones are kept."""
        key = vector.tobytes()
        if key not in self._known:
            self._known[key] = self._value_and_gradient(vector)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        value, gradient = self._known[key]
        return value, gradient.copy()

    def _value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        _, others = self._split(vector)
        slopes, rest = self._slopes(others), self.other_flux(vector)
        value, along, gradient = 0.0, np.zeros(rest.size), np.zeros(vector.size)
        by_factor = np.zeros(rest.size)
        for part in self.parts:
            its, d_flux = part.terms.pullback(self.flux_of(part, vector, rest))
            value += its
            along += d_flux
            gradient[part.norms] += self.signals_of(part, vector) @ d_flux
            if self._constant.changes:
                by_factor += d_flux * self._bare(part, vector)
        for penalty in self._penalties:
            value += penalty.value(vector[penalty.norms])
            gradient[penalty.norms] += penalty.gradient(vector[penalty.norms])
        by_all = slopes.pullback(along)
        if self._constant.changes:
            by_all += self._constant.factors(self.layout.expand(others)).pullback(by_factor)
        gradient[self.n_norms :] = self.layout.reduce(by_all) + self.layout.prior_gradient(others)
        return value + self.layout.prior_value(others), gradient

    def _bare(self, part: Part, vector: Array) -> Array:
        """What factors of instruments multiply in the bins of a part, (n_columns,)."""
        signals = self._signals[self.parts.index(part)]
        return signals.bare(vector[part.norms]) + self._constant.bare(np.ones(1))

    def _slopes(self, others: Array) -> FluxSlopes:
        return self._bank.slopes(self.layout.expand(others), self._others)

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        """Approximate second derivatives, (n, n)."""
        _, others = self._split(vector)
        by_others, rest = self._slopes(others).jacobian(), self.other_flux(vector)
        by_factor = self._constant.factors(self.layout.expand(others)).jacobian() if self._constant.changes else None
        information = np.diag(self.prior_curvature(vector))
        for part in self.parts:
            jacobian = np.zeros((rest.size, vector.size))
            jacobian[:, part.norms] = self.signals_of(part, vector).T
            whole = by_others if by_factor is None else by_others + self._bare(part, vector)[:, None] * by_factor
            jacobian[:, self.n_norms :] = self.layout.reduce(whole)
            flux = self.flux_of(part, vector, rest)
            for block in part.terms.information(flux, jacobian, expected=expected):
                block.add_to(information)
        for penalty in self._penalties:
            at = np.ix_(penalty.norms, penalty.norms)
            information[at] += penalty.curvature(vector[penalty.norms])
        return information

    def n_cut_off(self, vector: Array) -> int:
        """Bins with counts that could be predicted and are not: there -2 ln L is a plateau."""
        rest = self.other_flux(vector)
        return sum(part.terms.n_cut_off(self.flux_of(part, vector, rest)) for part in self.parts)


class OneFirst(BandObjective):
    """The same function with one norm first; ``order`` (n,) says where each of its parameters is among all,
    ``places`` (n,) where each of all is among its own.

    Empty bins leave kinks where their prediction goes through 0, in many norms at once: simplexes there take minutes
    and have found nothing that is lower by more than 1e-4, so that they are left to fits of one norm.
    """

    looks_around = False

    def __init__(self, whole: NormsObjective, norm: int) -> None:
        n = len(whole.names)
        self.whole, self.order = whole, np.concatenate([[norm], np.delete(np.arange(n), norm)])
        self.places = np.argsort(self.order)
        self.names = [NORM, *(whole.names[k] for k in self.order[1:])]
        self.lower, self.upper = whole.lower[self.order], whole.upper[self.order]
        self.amplitudes, self.shapes = whole.amplitudes[self.order], whole.shapes[self.order]

    @property
    def start(self) -> Array:
        return np.asarray(self.whole.start[self.order])

    def back(self, vector: Array) -> Array:
        """All parameters in their own order, (n,)."""
        return np.asarray(vector[self.places])

    def value(self, vector: Array) -> float:
        return self.whole.value(self.back(vector))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value, gradient = self.whole.value_and_gradient(self.back(vector))
        return value, gradient[self.order]

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        information = self.whole.information(self.back(vector), expected=expected)
        return np.asarray(information[np.ix_(self.order, self.order)])

    def prior_curvature(self, vector: Array) -> Array:
        return np.asarray(self.whole.prior_curvature(self.back(vector))[self.order])

    def n_cut_off(self, vector: Array) -> int:
        return self.whole.n_cut_off(self.back(vector))


def _frozen(likelihood: JointLikelihood, sources: Sequence[str], reoptimize: bool) -> Models:
    """The models with the parameters of the sources, and those that these follow, frozen; or all of them."""
    models, layout = likelihood.models, likelihood.layout
    if reoptimize:
        frozen = [address for name in sources for address in own_addresses(models, layout, name)]
    else:
        frozen = list(layout.free_addresses)
    return models.with_parameters({address: {"frozen": True} for address in frozen})
