"""The flux vector as it travels to a shard, and as the terms there read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.likelihood.bending import rises_by_place
from gm.likelihood.flux_plan import FluxPlan, carried_key
from gm.likelihood.flux_slopes import FluxSlopes
from gm.likelihood.fluxes import FluxBank
from gm.models import Component, Layout, Models

_KEPT = 2  # points: the last one, and the one that a step has started from


class Columns(ABC):
    """Between the columns that travel, (n_columns,), and those that terms read, (n_read,).

    plan : of the columns that travel; free : (n_free,) those of them that are parameters of spectra computed here, and
        are not constants
    """

    plan: FluxPlan
    free: IntArray

    @abstractmethod
    def read(self, flux: Array) -> Array:
        """The vector as terms read it, (n_read,)."""

    @abstractmethod
    def without_own(self, flux: Array) -> Array:
        """The same without what is computed here, as of another component alone."""

    @abstractmethod
    def places(self, columns: IntArray) -> IntArray:
        """Where columns that terms read, and that are not computed here, travel, (n,)."""

    @abstractmethod
    def pulled_back(self, flux: Array, d_flux: Array) -> Array:
        """Derivatives by what travels, (n_columns,), from those by what terms read, (n_read,)."""

    @abstractmethod
    def jacobian(self, flux: Array, jacobian: Array) -> Array:
        """Derivatives of what terms read, (n_read, n_free), from those of what travels, (n_columns, n_free)."""

    @abstractmethod
    def steps(self, steps: Array) -> Array:
        """Differences of what terms read, (n_read,), as far as these are shapes, from those of what travels."""

    @abstractmethod
    def rises(self, flux: Array, d_flux: Array, moves: Array) -> Array | None:
        """What curved spectra that are computed here do to `pulled_back`, (n_places, n_moving), where the first,
        second, ... parameters of all move there and back, by those at `free`; None where there are none."""


@final
class AsTheyAre(Columns):
    """Nothing is computed here."""

    def __init__(self, plan: FluxPlan) -> None:
        self.plan, self.free = plan, np.empty(0, dtype=np.intp)

    def read(self, flux: Array) -> Array:
        return flux

    def without_own(self, flux: Array) -> Array:
        return flux

    def places(self, columns: IntArray) -> IntArray:
        return columns

    def pulled_back(self, flux: Array, d_flux: Array) -> Array:
        return d_flux

    def jacobian(self, flux: Array, jacobian: Array) -> Array:
        return jacobian

    def steps(self, steps: Array) -> Array:
        return steps

    def rises(self, flux: Array, d_flux: Array, moves: Array) -> Array | None:
        return None


@final
class OwnSpectra(Columns):
    """Spectra that no other shard reads are computed here, and their parameters travel in place of their fluxes.

    They are computed as in the bank of a whole likelihood, bit by bit.

    read : the plan of what terms read; components : whose spectra these are, of models with this layout
    """

    def __init__(
        self, read: FluxPlan, components: Sequence[Component], layout: Layout, conventions: Conventions
    ) -> None:
        sizes = {component.name: len(component.spectral_model.parameters) for component in components}
        models = Models(components)
        self.plan, own = read.carrying(sizes), Layout(models)
        self._bank = FluxBank(read.only(sizes), models, own, conventions, exact=sizes)
        travelling = [key for key in self.plan.blocks if key[0] != "spectrum"]
        self._from, self._to = self.plan.columns_of(travelling), read.columns_of(travelling)
        self._carried = self.plan.columns_of(map(carried_key, sizes))
        slots = (layout.slots(name, "spectral") for name in sizes)
        positions = [layout.free_position(k) for own in slots for k in range(own.start, own.stop)]
        self._moving = np.array([position is not None for position in positions], dtype=bool)
        self.free = self._carried[self._moving]
        self._sizes = np.array(list(sizes.values()), dtype=np.intp)
        self._n_columns, self._n_read = self.plan.n_columns, read.n_columns
        self._place = np.full(self._n_read, -1, dtype=np.intp)
        self._place[self._to] = self._from
        self._known: OrderedDict[bytes, FluxSlopes] = OrderedDict()

    def _slopes(self, flux: Array) -> FluxSlopes:
        """Of the own spectra; those of the last points are kept."""
        values = flux[self._carried]
        key = values.tobytes()
        if key not in self._known:
            self._known[key] = self._bank.slopes(values)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def read(self, flux: Array) -> Array:
        found = self._slopes(flux).flux.copy()
        found[self._to] = flux[self._from]
        return np.asarray(found)

    def without_own(self, flux: Array) -> Array:
        found = np.zeros(self._n_read)
        found[self._to] = flux[self._from]
        return found

    def places(self, columns: IntArray) -> IntArray:
        return np.asarray(self._place[columns])

    def pulled_back(self, flux: Array, d_flux: Array) -> Array:
        found = np.empty(self._n_columns)
        found[self._from] = d_flux[self._to]
        found[self._carried] = self._slopes(flux).pullback(d_flux)
        return found

    def jacobian(self, flux: Array, jacobian: Array) -> Array:
        found = self._slopes(flux).times(jacobian[self._carried])
        found[self._to] = jacobian[self._from]
        return np.asarray(found)

    def steps(self, steps: Array) -> Array:
        return self.without_own(steps)

    def rises(self, flux: Array, d_flux: Array, moves: Array) -> Array:
        values, own = flux[self._carried], moves[self._carried]
        return rises_by_place(self._bank, self._sizes, values, d_flux, own)[:, self._moving]
