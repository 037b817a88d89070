"""Fluxes of all components on all energy axes, computed once for all datasets that share them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.likelihood.energy_parts import parts_of_integrals, parts_of_points
from gm.likelihood.factors import Factor, FactorKey
from gm.likelihood.flux_plan import Block, FluxPlan, times_key
from gm.likelihood.flux_slopes import FactoredSlopes, FluxSlopes, Slopes, SlopesAlike
from gm.models import Component, EnergyBins, Layout, Models, Role, SpectralModel, TemporalModel
from gm.models.temporal.intervals import TimeIntervals

_MANY = 32  # components that are worth to be computed together
_CARRIED = {"shape": "spatial", "spectrum": "spectral"}  # which parameters are columns themselves


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
class _FactoredShare:
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

    def bends(self, values: Array, d_flux: Array) -> Iterator[_Bend]:
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


_OneShare = _Share | _TimedShare | _FactoredShare
_AnyShare = _OneShare | _SharesAlike
_Bend = tuple[slice, slice, Array]  # slots of two components, and second derivatives (n_first, n_second) by them


class FluxBank:
    """The flux vector of a global model: every spectrum is evaluated once per distinct energy axis.

    ``fluxes(values)`` is the vector (n_columns,), ``slopes(values)`` the same with its derivatives. ``values`` are all
    parameters in internal units, as `Layout.expand` gives them.

    exact : components whose fluxes and derivatives have the same bits in any bank that has them, alone and with others
    columns, carried : (n,) columns that are parameters themselves, and which
    """

    def __init__(
        self,
        plan: FluxPlan,
        models: Models,
        layout: Layout,
        conventions: Conventions = Conventions.GAMMAPY,
        exact: Collection[str] = (),
    ) -> None:
        self.n_columns = plan.n_columns
        self.n_parameters = len(layout.addresses)
        self._shares: dict[str, list[_OneShare]] = {}
        blocks_of = _by_component(plan)
        for component in models:
            if blocks := blocks_of.get(component.name):
                self._shares[component.name] = _factored(
                    component, blocks, models, layout, conventions, component.name in exact
                )
        self._factored = [
            (block, Factor.of(block.factors, block.energies(), models, layout))
            for block in plan.blocks.values()
            if block.factors and block.kind not in _CARRIED
        ]
        every = (share for its in self._shares.values() for share in its)
        self._bending = [share for share in every if isinstance(share, _FactoredShare)]
        self._exact = set(exact) & self._shares.keys()
        self._exactly = _alike(self._of(self._exact), self.n_columns, 1)
        self._every = [*_alike(self._of(self._shares.keys() - self._exact), self.n_columns), *self._exactly]
        places = [
            (range(self.n_columns)[block.columns], range(self.n_parameters)[_carried(block, models, layout)])
            for block in plan.blocks.values()
            if block.kind in _CARRIED
        ]
        self.columns, self.carried = (
            np.array([k for part in parts for k in part], dtype=np.intp)
            for parts in ([columns for columns, _ in places], [slots for _, slots in places])
        )

    def _of(self, names: Collection[str]) -> list[_OneShare]:
        return [share for name, its in self._shares.items() if name in names for share in its]

    def fluxes(self, values: Array, components: Iterable[str] | None = None) -> Array:
        """The flux vector, of all components or of some; the parameters that are columns, of all, are in it."""
        flux = np.zeros(self.n_columns)
        flux[self.columns] = values[self.carried]
        for share in self._chosen(components):
            flux[share.columns] += share.flux(values)
        return flux

    def _chosen(self, components: Iterable[str] | None) -> Iterable[_AnyShare]:
        if components is None:
            return self._every
        names = set(components)
        if not self._exact or not self._exact <= names:
            return (share for name in components for share in self._shares.get(name, ()))
        return [*self._of(names - self._exact), *self._exactly]

    def by_energy(self, values: Array, component: str, edges: Array) -> Array:
        """What a component adds to the flux vector from bands of true energy, (n_bands, n_columns), without shapes.

        edges : (n_bands + 1,) [TeV]; a column that an edge divides is divided as the spectrum says
        """
        flux = np.zeros((edges.size - 1, self.n_columns))
        for share in self._shares.get(component, ()):
            flux[:, share.columns] += share.parts(values, edges) * share.flux(values)
        return flux

    def slots(self) -> list[slice]:
        """Positions of the parameters that the flux vector depends on, a slice per component."""
        shares = [share for its in self._shares.values() for share in its]
        return [slots for share in shares for slots in share.own_slots()] + [
            slice(k, k + 1) for k in self.carried.tolist()
        ]

    def is_factored(self, component: str) -> bool:
        """Whether instruments multiply what a component adds."""
        return any(component in block.components for block, _ in self._factored)

    def factors(self, values: Array, components: Iterable[str]) -> FluxSlopes:
        """What instruments multiply the columns of some components by, (n_columns,), with derivatives; elsewhere 1."""
        flux, found, names = np.ones(self.n_columns), list[Slopes](), set(components)
        for block, factor in self._factored:
            if names.intersection(block.components):
                flux[block.columns] = value = factor.value(values)
                found.append(FactoredSlopes(block.columns, value, list(factor.gradients(values))))
        nothing = np.empty(0, dtype=np.intp)
        return FluxSlopes(flux, found, nothing, nothing, self.n_parameters)

    def bends(self, values: Array, d_flux: Array) -> Iterator[_Bend]:
        """Of ``d_flux @ fluxes(values)``, with d_flux (n_columns,) fixed, the second derivatives by parameters of
        instruments and any others, each pair of slots once."""
        for share in self._bending:
            yield from share.bends(values, d_flux)

    def parameter_at(self, column: int) -> int:
        """The parameter that a column of a shape carries."""
        (found,) = np.flatnonzero(self.columns == column)
        return int(self.carried[found])

    def slopes(self, values: Array, components: Iterable[str] | None = None) -> FluxSlopes:
        """The flux vector as `fluxes` gives it, but for roundings, with its derivatives."""
        flux, shares = np.zeros(self.n_columns), [share.slopes(values) for share in self._chosen(components)]
        flux[self.columns] = values[self.carried]
        for share in shares:
            flux[share.columns] += share.flux
        return FluxSlopes(flux, shares, self.columns, self.carried, self.n_parameters)


def _factored(
    component: Component, blocks: list[Block], models: Models, layout: Layout, conventions: Conventions, exact: bool
) -> list[_OneShare]:
    """Shares of blocks without factors, then of those with the same ones."""
    groups: dict[FactorKey, list[Block]] = {(): []}
    for block in blocks:
        groups.setdefault(block.factors, []).append(block)
    shares: list[_OneShare] = [*_shares(component, groups.pop(()), layout, conventions, exact)]
    for key, group in groups.items():
        inner: Iterable[_Share | _TimedShare | _Constant]
        if component.role is Role.INSTRUMENT:
            inner = [_Constant(block.energy, block.columns) for block in group]
        else:
            inner = _shares(component, group, layout, conventions, exact)
        energies = np.empty(max(block.columns.stop for block in group))
        for block in group:
            energies[block.columns] = block.energies()
        shares += [_FactoredShare(one, Factor.of(key, energies[one.columns], models, layout)) for one in inner]
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


def _carried(block: Block, models: Models, layout: Layout) -> slice:
    """Positions of the parameters that a block carries."""
    if not block.parameter:
        return layout.slots(block.components[0], _CARRIED[block.kind])
    component = models[block.components[0]]
    place = layout.slots(component.name).start + [p.name for p in component.parameters].index(block.parameter)
    return slice(place, place + 1)


def _by_component(plan: FluxPlan) -> dict[str, list[Block]]:
    """The blocks of each component but those of its parameters, in order."""
    found: dict[str, list[Block]] = {}
    for block in plan.blocks.values():
        for name in block.components if block.kind not in _CARRIED else ():
            found.setdefault(name, []).append(block)
    return found


def _alike(shares: Sequence[_OneShare], n_columns: int, many: int = _MANY) -> list[_AnyShare]:
    """The shares, with ``many`` that differ in numbers alone as one."""
    found: dict[object, list[_Share]] = {}
    for share in shares:
        if isinstance(share, _Share) and share.is_like is not None:
            found.setdefault(share.is_like, []).append(share)
    groups = [group for group in found.values() if len(group) >= many]
    together = {id(share) for group in groups for share in group}
    return [
        *(share for share in shares if id(share) not in together),
        *(_together(group, n_columns) for group in groups),
    ]


def _together(shares: Sequence[_Share], n_columns: int) -> _SharesAlike:
    every = np.arange(n_columns)
    return _SharesAlike(
        model=shares[0].component.spectral_model,
        points=np.stack([share.points for share in shares]),
        slots=np.stack([np.arange(share.slots.start, share.slots.stop) for share in shares]),
        columns=np.stack([every[share.columns] for share in shares]),
        exact=shares[0].exact,
    )


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
    if last - first + 1 == indices.size and bool((indices[1:] > indices[:-1]).all()):
        return slice(first, last + 1)
    return indices
