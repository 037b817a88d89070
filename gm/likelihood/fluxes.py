"""Fluxes of all components on all energy axes, computed once for all datasets that share them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.likelihood.factors import Factor
from gm.likelihood.flux_plan import Block, FluxPlan
from gm.likelihood.flux_shares import AnyShare, Bend, FactoredShare, OneShare, joined_shares, shares_of
from gm.likelihood.flux_slopes import FactoredSlopes, FluxSlopes, Slopes
from gm.models import Layout, Models

_CARRIED = {"shape": "spatial", "spectrum": "spectral"}  # which parameters are columns themselves


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
        self._shares: dict[str, list[OneShare]] = {}
        blocks_of = _by_component(plan)
        for component in models:
            if blocks := blocks_of.get(component.name):
                self._shares[component.name] = shares_of(
                    component, blocks, models, layout, conventions, component.name in exact
                )
        self._factored = [
            (block, Factor.of(block.factors, block.energies(), models, layout))
            for block in plan.blocks.values()
            if block.factors and block.kind not in _CARRIED
        ]
        every = (share for its in self._shares.values() for share in its)
        self._bending = [share for share in every if isinstance(share, FactoredShare)]
        self._exact = set(exact) & self._shares.keys()
        self._exactly = joined_shares(self._of(self._exact), layout, self.n_columns, 1)
        others = joined_shares(self._of(self._shares.keys() - self._exact), layout, self.n_columns)
        self._every = [*others, *self._exactly]
        places = [
            (range(self.n_columns)[block.columns], range(self.n_parameters)[_carried(block, models, layout)])
            for block in plan.blocks.values()
            if block.kind in _CARRIED
        ]
        self.columns, self.carried = (
            np.array([k for part in parts for k in part], dtype=np.intp)
            for parts in ([columns for columns, _ in places], [slots for _, slots in places])
        )

    def _of(self, names: Collection[str]) -> list[OneShare]:
        return [share for name, its in self._shares.items() if name in names for share in its]

    def fluxes(self, values: Array, components: Iterable[str] | None = None) -> Array:
        """The flux vector, of all components or of some; the parameters that are columns, of all, are in it."""
        flux = self._carried_over(values)
        for share in self._chosen(components):
            flux[share.columns] += share.flux(values)
        return flux

    def _carried_over(self, values: Array) -> Array:
        """The flux vector with the parameters that are columns alone."""
        flux = np.zeros(self.n_columns)
        if self.carried.size:
            flux[self.columns] = values[self.carried]
        return flux

    def _chosen(self, components: Iterable[str] | None) -> Iterable[AnyShare]:
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

    def bends(self, values: Array, d_flux: Array) -> Iterator[Bend]:
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
        flux, shares = self._carried_over(values), [share.slopes(values) for share in self._chosen(components)]
        for share in shares:
            flux[share.columns] += share.flux
        return FluxSlopes(flux, shares, self.columns, self.carried, self.n_parameters)


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
