"""What single components add to the flux vector, with derivatives: plain, averaged over time, times factors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gm.arrays import Array, IntArray, everywhere
from gm.conventions import Conventions
from gm.likelihood.energy_parts import parts_of_integrals, parts_of_points
from gm.likelihood.factors import Factor, FactorKey
from gm.likelihood.flux_plan import Block, times_key
from gm.likelihood.flux_slopes import FactoredSlopes, Slopes, SlopesAlike
from gm.models import Component, EnergyBins, Layout, Models, Role, SpectralModel, TemporalModel
from gm.models.temporal.intervals import TimeIntervals

_MANY = 32  # components that are worth to be computed together
_COPIES = 4  # the same, of those that differ in their amplitudes alone


@dataclass(frozen=True, eq=False)
class _Share:
    """What one component adds to the flux vector: its integrals, then its point values, at their columns.

    exact : whether the flux has the same bits with its derivatives and without, alone and with many
    """

    component: Component
    slots: slice
    bins: EnergyBins | None
    points: Array
    columns: IntArray | slice = field(repr=False)
    exact: bool

    def own_slots(self) -> list[slice]:
        """Positions of the parameters that it depends on."""
        return [self.slots]

    @property
    def is_like(self) -> tuple[type[SpectralModel], int, bool] | None:
        """The same for all that can be computed together; None: by itself."""
        model = self.component.spectral_model
        return (type(model), self.points.size, self.exact) if model.takes_many and self.bins is None else None

    def ruled(self, layout: Layout) -> tuple[object, ...] | None:
        """Equal for all that differ in their amplitudes alone whatever the vector, if their formulas are alike; None:
        it is computed by itself."""
        model, bins = self.component.spectral_model, self.bins
        if bins is None or self.exact or (amplitude := model.amplitude_position()) is None:
            return None
        rules = [layout.rule(k) for k in range(self.slots.start, self.slots.stop) if k != self.slots.start + amplitude]
        energies = bins.lo.tobytes(), bins.hi.tobytes(), bins.offsets, self.points.tobytes()
        return type(model), energies, amplitude, *rules

    def flux(self, values: Array) -> Array:
        if self.exact:
            return self.slopes(values).flux
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            return model.evaluate(self.points, own)
        if not self.points.size:
            return model.band_integrals(self.bins, own)
        return np.concatenate([model.band_integrals(self.bins, own), model.evaluate(self.points, own)])

    def parts(self, values: Array, edges: Array) -> Array:
        """Which part of the flux in each column is of which band of true energy, (n_bands, n)."""
        points = parts_of_points(self.points, edges)
        if self.bins is None:
            return points
        integrals = parts_of_integrals(self.component.spectral_model, values[self.slots], self.bins, edges)
        return np.concatenate([integrals, points], axis=1)

    def slopes(self, values: Array) -> Slopes:
        """The flux, and its derivatives by the component's spectral parameters."""
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            flux, gradient = model.evaluate_with_gradient(self.points, own)
        else:
            flux, gradient = model.integral_gradient(self.bins, own)
            if self.points.size:
                at_points, by_points = model.evaluate_with_gradient(self.points, own)
                flux, gradient = np.concatenate([flux, at_points]), np.concatenate([gradient, by_points], axis=1)
        return Slopes(self.columns, flux, [(self.slots, gradient)])


@dataclass(frozen=True, eq=False)
class _TimedShare:
    """A share times the average of its component's variation over the good time of some datasets."""

    share: _Share
    model: TemporalModel
    slots: slice
    times: TimeIntervals

    @property
    def columns(self) -> IntArray | slice:
        return self.share.columns

    def own_slots(self) -> list[slice]:
        return [*self.share.own_slots(), self.slots]

    def parts(self, values: Array, edges: Array) -> Array:
        return self.share.parts(values, edges)

    def flux(self, values: Array) -> Array:
        return self.model.average(self.times, values[self.slots]) * self.share.flux(values)

    def slopes(self, values: Array) -> Slopes:
        """As of a share, and by the parameters of the variation."""
        average, by_time = self.model.average_gradient(self.times, values[self.slots])
        steady = self.share.slopes(values)
        ((slots, gradient),) = steady.gradients
        gradients = [(slots, average * gradient), (self.slots, np.outer(by_time, steady.flux))]
        return Slopes(self.columns, average * steady.flux, gradients)


@dataclass(frozen=True, eq=False)
class _Constant:
    """1 at ``points`` (n,) [TeV]: what a background without a correction is multiplied by."""

    points: Array
    columns: IntArray | slice = field(repr=False)

    def own_slots(self) -> list[slice]:
        return []

    def parts(self, values: Array, edges: Array) -> Array:
        return parts_of_points(self.points, edges)

    def flux(self, values: Array) -> Array:
        return np.ones(self.points.size)

    def slopes(self, values: Array) -> Slopes:
        return Slopes(self.columns, self.flux(values), [])


@dataclass(frozen=True, eq=False)
class FactoredShare:
    """A share times what instruments make of the exposure, or of the background, at the energy of each column."""

    share: _Share | _TimedShare | _Constant
    factor: Factor

    @property
    def columns(self) -> IntArray | slice:
        return self.share.columns

    def own_slots(self) -> list[slice]:
        return [*self.share.own_slots(), *self.factor.own_slots()]

    def parts(self, values: Array, edges: Array) -> Array:
        return self.share.parts(values, edges)

    def flux(self, values: Array) -> Array:
        return self.factor.value(values) * self.share.flux(values)

    def slopes(self, values: Array) -> Slopes:
        """As of a share, and by the parameters of the instruments."""
        factor, inner = self.factor.value(values), self.share.slopes(values)
        gradients = [(slots, factor * gradient) for slots, gradient in inner.gradients]
        gradients += [(slots, by_own * inner.flux) for slots, by_own in self.factor.gradients(values)]
        return FactoredSlopes(self.columns, factor * inner.flux, gradients)

    def bends(self, values: Array, d_flux: Array) -> Iterator[Bend]:
        """Second derivatives of ``d_flux @ flux``, with d_flux (n_columns,) fixed, by parameters of instruments and all
        others."""
        here, inner = d_flux[self.columns], self.share.slopes(values)
        for slots, by_own in self.factor.gradients(values):
            for other, gradient in inner.gradients:
                yield slots, other, (here * by_own) @ gradient.T
        for slots, other, curvature in self.factor.curvatures(values):
            yield slots, other, curvature @ (here * inner.flux)


@dataclass(frozen=True, eq=False)
class _SharesAlike:
    """Many components with one formula of their spectrum and as many energies each: computed at once.

    points : (n, n_points) [TeV]; slots : (n, n_own) of their parameters; columns : (n, n_points); exact : as of a share
    """

    model: SpectralModel
    points: Array
    slots: IntArray
    columns: IntArray
    exact: bool

    def flux(self, values: Array) -> Array:
        if self.exact:
            return self.slopes(values).flux
        return self.model.evaluate(self.points, values[self.slots].T[:, :, None])

    def slopes(self, values: Array) -> SlopesAlike:
        flux, gradient = self.model.evaluate_with_gradient(self.points, values[self.slots].T[:, :, None])
        return SlopesAlike(self.columns, flux, self.slots, gradient)


@dataclass(frozen=True, eq=False)
class _Copies:
    """Components whose spectra differ in their amplitudes alone, whatever the vector: computed once, for a unit of it.

    one : of them; amplitude : its position among the parameters; slots : (n, n_own) of all parameters; columns :
    (n, n_energies)
    """

    one: _Share
    amplitude: int
    slots: IntArray
    columns: IntArray

    def flux(self, values: Array) -> Array:
        return np.asarray(self._amplitudes(values) * self.one.flux(self._unit(values)))

    def slopes(self, values: Array) -> SlopesAlike:
        amplitudes, unit = self._amplitudes(values), self.one.slopes(self._unit(values))
        ((_, by_own),) = unit.gradients
        gradient = amplitudes * by_own[:, None]
        gradient[self.amplitude] = by_own[self.amplitude]
        return SlopesAlike(self.columns, amplitudes * unit.flux, self.slots, gradient)

    def _amplitudes(self, values: Array) -> Array:
        """(n, 1)"""
        return values[self.slots[:, self.amplitude, None]]

    def _unit(self, values: Array) -> Array:
        """(n_par,) with an amplitude of 1."""
        unit = values.copy()
        unit[self.slots[0, self.amplitude]] = 1.0
        return unit


OneShare = _Share | _TimedShare | FactoredShare
AnyShare = OneShare | _SharesAlike | _Copies
Bend = tuple[slice, slice, Array]  # slots of two components, and second derivatives (n_first, n_second) by them


def shares_of(
    component: Component, blocks: list[Block], models: Models, layout: Layout, conventions: Conventions, exact: bool
) -> list[OneShare]:
    """Shares of blocks without factors, then of those with the same ones."""
    groups: dict[FactorKey, list[Block]] = {(): []}
    for block in blocks:
        groups.setdefault(block.factors, []).append(block)
    shares: list[OneShare] = [*_shares(component, groups.pop(()), layout, conventions, exact)]
    for key, group in groups.items():
        inner: Iterable[_Share | _TimedShare | _Constant]
        if component.role is Role.INSTRUMENT:
            inner = [_Constant(block.energy, block.columns) for block in group]
        else:
            inner = _shares(component, group, layout, conventions, exact)
        energies = np.empty(max(block.columns.stop for block in group))
        for block in group:
            energies[block.columns] = block.energies()
        shares += [FactoredShare(one, Factor.of(key, energies[one.columns], models, layout)) for one in inner]
    return shares


def _shares(
    component: Component, blocks: list[Block], layout: Layout, conventions: Conventions, exact: bool
) -> list[_Share | _TimedShare]:
    """One share for all blocks that do not vary, and one for each interval of time that others are averaged over."""
    steady = [block for block in blocks if block.times is None]
    shares: list[_Share | _TimedShare] = [_share(component, steady, layout, conventions, exact)] if steady else []
    by_time: dict[bytes, list[Block]] = {}
    for block in blocks:
        if block.times is not None:
            by_time.setdefault(times_key(block.times), []).append(block)
    for group in by_time.values():
        model, times = component.temporal_model, group[0].times
        assert model is not None  # only variable components ask for times
        assert times is not None
        slots = layout.slots(component.name, "temporal")
        shares.append(_TimedShare(_share(component, group, layout, conventions, exact), model, slots, times))
    return shares


def joined_shares(
    shares: Sequence[OneShare], layout: Layout, n_columns: int, many: int = _MANY, copies: int = _COPIES
) -> list[AnyShare]:
    """The shares, with ``many`` that differ in numbers alone as one, and ``copies`` that differ in amplitudes alone."""
    if len(shares) < min(many, copies):
        return list(shares)
    alike, equal = defaultdict[object, list[_Share]](list), defaultdict[object, list[_Share]](list)
    for share in (share for share in shares if isinstance(share, _Share)):
        if share.is_like is not None:
            alike[share.is_like].append(share)
        elif (key := share.ruled(layout)) is not None:
            first = equal[key][0].component if equal[key] else share.component
            if first.spectral_model.is_like(share.component.spectral_model):
                equal[key].append(share)
    groups = [group for group in alike.values() if len(group) >= many and _are_apart(group, n_columns)]
    equals = [group for group in equal.values() if len(group) >= copies and _are_apart(group, n_columns)]
    together = {id(share) for group in (*groups, *equals) for share in group}
    return [
        *(share for share in shares if id(share) not in together),
        *(_together(group, n_columns) for group in groups),
        *(_copies(group, n_columns) for group in equals),
    ]


def _are_apart(shares: Sequence[_Share], n_columns: int) -> bool:
    """Whether no two add to the same column, as those of one dataset do."""
    taken = np.zeros(n_columns, dtype=np.intp)
    for share in shares:
        taken[share.columns] += 1
    return bool(taken.max(initial=0) <= 1)


def _together(shares: Sequence[_Share], n_columns: int) -> _SharesAlike:
    slots, columns = _places(shares, n_columns)
    return _SharesAlike(
        model=shares[0].component.spectral_model,
        points=np.stack([share.points for share in shares]),
        slots=slots,
        columns=columns,
        exact=shares[0].exact,
    )


def _copies(shares: Sequence[_Share], n_columns: int) -> _Copies:
    amplitude = shares[0].component.spectral_model.amplitude_position()
    assert amplitude is not None  # as `_Share.ruled` says
    return _Copies(shares[0], amplitude, *_places(shares, n_columns))


def _places(shares: Sequence[_Share], n_columns: int) -> tuple[IntArray, IntArray]:
    """Where parameters and energies of shares are, (n, n_own) and (n, n_energies)."""
    every = np.arange(n_columns)
    slots = np.stack([np.arange(share.slots.start, share.slots.stop) for share in shares])
    return slots, np.stack([every[share.columns] for share in shares])


def _share(component: Component, blocks: list[Block], layout: Layout, conventions: Conventions, exact: bool) -> _Share:
    integrals = [block for block in blocks if block.kind == "integral"]
    points = [block for block in blocks if block.kind == "point"]
    columns = np.concatenate([np.arange(b.columns.start, b.columns.stop) for b in [*integrals, *points]])
    return _Share(
        component=component,
        slots=layout.slots(component.name, "spectral"),
        bins=EnergyBins(*(block.energy for block in integrals), conventions=conventions) if integrals else None,
        points=np.concatenate([block.energy for block in points]) if points else np.empty(0),
        columns=as_slice(columns),
        exact=exact,
    )


def as_slice(indices: IntArray) -> IntArray | slice:
    """Consecutive indices (n,) as a slice, which NumPy reads and writes without a copy; others unchanged."""
    if not indices.size:
        return indices
    first, last = int(indices[0]), int(indices[-1])
    if last - first + 1 == indices.size and everywhere(indices[1:] > indices[:-1]):
        return slice(first, last + 1)
    return indices
