"""Fluxes of all components on all energy axes, computed once for all datasets that share them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.models import Component, EnergyBins, Layout, Models, TemporalModel
from gm.models.temporal.intervals import TimeIntervals

Kind = Literal["integral", "point", "shape"]
BlockKey = tuple[Kind, tuple[str, ...], bytes, bytes]  # kind, components, energies, times


class Phase(IntEnum):
    """In which order a compilation asks for columns: each phase goes through all datasets."""

    SPECTRA = 0
    SOURCES = 1
    STORED = 2
    BACKGROUNDS = 3


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive columns of the flux vector: the summed spectra of some components on one energy axis.

    ``integral``: integrals over the bins of ``energy`` (n_bins + 1 edges) [cm-2 s-1], or ``point``: values at
    ``energy`` [cm-2 s-1 TeV-1, or dimensionless for a background norm]. ``shape``: the values of one component's
    spatial parameters, which ride along so that a term is a function of one vector; ``energy`` is empty.
    times : the intervals over which a variable component is averaged, or None; turn : who has asked for it first, as in
    `FluxPlan.turn`.
    """

    kind: Kind
    components: tuple[str, ...]
    energy: Array
    columns: slice
    times: TimeIntervals | None = None
    turn: tuple[Phase, int] = (Phase.SPECTRA, 0)


class FluxPlan:
    """Collects the blocks that datasets ask for; equal requests share one block."""

    def __init__(self) -> None:
        self.blocks: dict[BlockKey, Block] = {}
        self.n_columns = 0
        self._turn = Phase.SPECTRA, 0

    @classmethod
    def joined(cls, parts: Sequence[tuple[FluxPlan, IntArray]]) -> tuple[FluxPlan, list[IntArray]]:
        """The plan that all datasets together would have made, from those of parts of them, with the positions
        (n_datasets,) of these among all; and where the columns of each part are in it, (n_columns of the part,)."""
        asked = [
            (block.turn[0], int(positions[block.turn[1]]), key, block)
            for plan, positions in parts
            for key, block in plan.blocks.items()
        ]
        whole = cls()
        for phase, dataset, key, block in sorted(asked, key=lambda one: one[:2]):
            if key not in whole.blocks:
                columns = whole._next(block.columns.stop - block.columns.start)
                whole._add(key, replace(block, columns=columns, turn=(phase, dataset)))
        return whole, [whole._places_of(plan) for plan, _ in parts]

    def _places_of(self, part: FluxPlan) -> IntArray:
        places = [np.arange(self.blocks[key].columns.start, self.blocks[key].columns.stop) for key in part.blocks]
        return np.concatenate(places) if places else np.empty(0, dtype=np.intp)

    def turn(self, phase: Phase, dataset: int) -> FluxPlan:
        """Itself: what is asked for from now on is for a dataset, by its position, in a phase of the compilation."""
        self._turn = phase, dataset
        return self

    def block(
        self, kind: Kind, components: tuple[str, ...], energy: Array, times: TimeIntervals | None = None
    ) -> Block:
        """The block for these components on this axis, averaged over these times; made on the first request."""
        key: BlockKey = (kind, components, energy.tobytes(), b"" if times is None else _key(times))
        if key not in self.blocks:
            columns = self._next(energy.size - (kind == "integral"))
            self._add(key, Block(kind, components, energy, columns, times, self._turn))
        return self.blocks[key]

    def shape(self, component: str, n_parameters: int) -> Block:
        """The block that carries a component's spatial parameters."""
        key: BlockKey = ("shape", (component,), b"", b"")
        if key not in self.blocks:
            self._add(key, Block("shape", (component,), np.empty(0), self._next(n_parameters), turn=self._turn))
        return self.blocks[key]

    def _next(self, n_columns: int) -> slice:
        return slice(self.n_columns, self.n_columns + n_columns)

    def _add(self, key: BlockKey, block: Block) -> None:
        self.blocks[key] = block
        self.n_columns = block.columns.stop


@dataclass(frozen=True, eq=False)
class _Share:
    """What one component adds to the flux vector: its integrals, then its point values, at their columns."""

    component: Component
    slots: slice
    bins: EnergyBins | None
    points: Array
    columns: IntArray | slice = field(repr=False)

    def flux(self, values: Array) -> Array:
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            return model.evaluate(self.points, own)
        if not self.points.size:
            return model.band_integrals(self.bins, own)
        return np.concatenate([model.band_integrals(self.bins, own), model.evaluate(self.points, own)])

    def slopes(self, values: Array) -> _Slopes:
        """The flux, and its derivatives by the component's spectral parameters."""
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            flux, gradient = model.evaluate_with_gradient(self.points, own)
        else:
            flux, gradient = model.integral_gradient(self.bins, own)
            if self.points.size:
                at_points, by_points = model.evaluate_with_gradient(self.points, own)
                flux, gradient = np.concatenate([flux, at_points]), np.concatenate([gradient, by_points], axis=1)
        return _Slopes(self.columns, flux, [(self.slots, gradient)])


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

    def flux(self, values: Array) -> Array:
        return self.model.average(self.times, values[self.slots]) * self.share.flux(values)

    def slopes(self, values: Array) -> _Slopes:
        """As of a share, and by the parameters of the variation."""
        average, by_time = self.model.average_gradient(self.times, values[self.slots])
        steady = self.share.slopes(values)
        ((slots, gradient),) = steady.gradients
        gradients = [(slots, average * gradient), (self.slots, np.outer(by_time, steady.flux))]
        return _Slopes(self.columns, average * steady.flux, gradients)


@dataclass(frozen=True, eq=False)
class _Slopes:
    """What a share adds to the flux vector at ``columns``: ``flux`` (n,), and its derivatives (n_own, n) by the
    parameters at some slots."""

    columns: IntArray | slice
    flux: Array
    gradients: list[tuple[slice, Array]]


@final
@dataclass(frozen=True, eq=False)
class FluxSlopes:
    """The flux vector (n_columns,) at some values of all parameters, and its derivatives by them.

    shares : what adds to the vector; shapes : columns that are parameters, and these
    """

    flux: Array
    shares: Sequence[_Slopes]
    shapes: Sequence[tuple[slice, slice]]
    n_parameters: int

    def pullback(self, d_flux: Array) -> Array:
        """Gradient (n_par,) from the derivative with respect to each flux (n_columns,)."""
        gradient = np.zeros(self.n_parameters)
        for share in self.shares:
            here = d_flux[share.columns]
            for slots, by_own in share.gradients:
                gradient[slots] += by_own.dot(here)
        for columns, slots in self.shapes:
            gradient[slots] += d_flux[columns]
        return gradient

    def jacobian(self) -> Array:
        """Derivative of each flux with respect to each parameter, (n_columns, n_par)."""
        jacobian = np.zeros((self.flux.size, self.n_parameters))
        for share in self.shares:
            for slots, by_own in share.gradients:
                jacobian[share.columns, slots] = by_own.T
        for columns, slots in self.shapes:
            jacobian[columns, slots] = np.eye(columns.stop - columns.start)
        return jacobian


class FluxBank:
    """The flux vector of a global model: every spectrum is evaluated once per distinct energy axis.

    ``fluxes(values)`` is the vector (n_columns,), ``slopes(values)`` the same with its derivatives. ``values`` are all
    parameters in internal units, as `Layout.expand` gives them.
    """

    def __init__(
        self, plan: FluxPlan, models: Models, layout: Layout, conventions: Conventions = Conventions.GAMMAPY
    ) -> None:
        self.n_columns = plan.n_columns
        self.n_parameters = len(layout.addresses)
        self._shares: dict[str, list[_Share | _TimedShare]] = {}
        for component in models:
            blocks = [b for b in plan.blocks.values() if component.name in b.components and b.kind != "shape"]
            if blocks:
                self._shares[component.name] = _shares(component, blocks, layout, conventions)
        self._shapes = [
            (block.columns, layout.slots(block.components[0], "spatial"))
            for block in plan.blocks.values()
            if block.kind == "shape"
        ]

    def fluxes(self, values: Array, components: Iterable[str] | None = None) -> Array:
        """The flux vector, of all components or of some; the shapes of all are in it."""
        flux = np.zeros(self.n_columns)
        for columns, slots in self._shapes:
            flux[columns] = values[slots]
        for share in self._chosen(components):
            flux[share.columns] += share.flux(values)
        return flux

    def _chosen(self, components: Iterable[str] | None) -> Iterable[_Share | _TimedShare]:
        names = self._shares if components is None else [name for name in components if name in self._shares]
        return (share for name in names for share in self._shares[name])

    def slots(self) -> list[slice]:
        """Positions of the parameters that the flux vector depends on, a slice per component."""
        shares = list(self._chosen(None))
        spectra = [share.share.slots if isinstance(share, _TimedShare) else share.slots for share in shares]
        times = [share.slots for share in shares if isinstance(share, _TimedShare)]
        return spectra + times + [slots for _, slots in self._shapes]

    def parameter_at(self, column: int) -> int:
        """The parameter that a column of a shape carries."""
        for columns, slots in self._shapes:
            if columns.start <= column < columns.stop:
                return int(slots.start + column - columns.start)
        raise IndexError(f"column {column} carries no shape")

    def slopes(self, values: Array, components: Iterable[str] | None = None) -> FluxSlopes:
        """The flux vector as `fluxes` gives it, but for roundings, with its derivatives."""
        flux, shares = np.zeros(self.n_columns), [share.slopes(values) for share in self._chosen(components)]
        for columns, slots in self._shapes:
            flux[columns] = values[slots]
        for share in shares:
            flux[share.columns] += share.flux
        return FluxSlopes(flux, shares, self._shapes, self.n_parameters)


def _shares(
    component: Component, blocks: list[Block], layout: Layout, conventions: Conventions
) -> list[_Share | _TimedShare]:
    """One share for all blocks that do not vary, and one for each interval of time that others are averaged over."""
    steady = [block for block in blocks if block.times is None]
    shares: list[_Share | _TimedShare] = [_share(component, steady, layout, conventions)] if steady else []
    by_time: dict[bytes, list[Block]] = {}
    for block in blocks:
        if block.times is not None:
            by_time.setdefault(_key(block.times), []).append(block)
    for group in by_time.values():
        model, times = component.temporal_model, group[0].times
        assert model is not None  # only variable components ask for times
        assert times is not None
        slots = layout.slots(component.name, "temporal")
        shares.append(_TimedShare(_share(component, group, layout, conventions), model, slots, times))
    return shares


def _key(times: TimeIntervals) -> bytes:
    return times.start.tobytes() + times.stop.tobytes()


def _share(component: Component, blocks: list[Block], layout: Layout, conventions: Conventions) -> _Share:
    integrals = [block for block in blocks if block.kind == "integral"]
    points = [block for block in blocks if block.kind == "point"]
    columns = np.concatenate([np.arange(b.columns.start, b.columns.stop) for b in [*integrals, *points]])
    return _Share(
        component=component,
        slots=layout.slots(component.name, "spectral"),
        bins=EnergyBins(*(block.energy for block in integrals), conventions=conventions) if integrals else None,
        points=np.concatenate([block.energy for block in points]) if points else np.empty(0),
        columns=as_slice(columns),
    )


def as_slice(indices: IntArray) -> IntArray | slice:
    """Consecutive indices as a slice, which NumPy reads and writes without a copy; others unchanged."""
    if not indices.size:
        return indices
    first, last = int(indices[0]), int(indices[-1])
    if last - first + 1 == indices.size and bool((indices[1:] > indices[:-1]).all()):
        return slice(first, last + 1)
    return indices
