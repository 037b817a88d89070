"""Fluxes of all components on all energy axes, computed once for all datasets that share them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.models import Component, EnergyBins, Layout, Models, SpectralModel, TemporalModel
from gm.models.temporal.intervals import TimeIntervals

Kind = Literal["integral", "point", "shape"]
_MANY = 32  # components that are worth to be computed together
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

    @property
    def is_like(self) -> tuple[type[SpectralModel], int] | None:
        """The same for all that can be computed together; None: by itself."""
        model = self.component.spectral_model
        return (type(model), self.points.size) if model.takes_many and self.bins is None else None

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

    def pull_back(self, d_flux: Array, gradient: Array) -> None:
        """Add what the derivatives (n_columns,) by the flux vector make to those by all parameters, (n_par,)."""
        here = d_flux[self.columns]
        for slots, by_own in self.gradients:
            gradient[slots] += by_own.dot(here)

    def fill(self, jacobian: Array) -> None:
        """Put the derivatives into (n_columns, n_par)."""
        for slots, by_own in self.gradients:
            jacobian[self.columns, slots] = by_own.T

    def add_to_narrow(self, target: IntArray, slope: Array, narrow: Array) -> None:
        """Add ``slope`` (n_par,) times the derivatives to the columns ``target`` (n_par,) of (n_columns, n_targets)."""
        for slots, by_own in self.gradients:
            for column, factor, row in zip(target[slots].tolist(), slope[slots].tolist(), by_own, strict=True):
                if column >= 0:
                    narrow[self.columns, column] += factor * row


@dataclass(frozen=True, eq=False)
class _SharesAlike:
    """Many components with one formula of their spectrum and as many energies each: computed at once.

    points : (n, n_points) [TeV]; slots : (n, n_own) of their parameters; columns : (n, n_points)
    """

    model: SpectralModel
    points: Array
    slots: IntArray
    columns: IntArray

    def flux(self, values: Array) -> Array:
        return self.model.evaluate(self.points, values[self.slots].T[:, :, None])

    def slopes(self, values: Array) -> _SlopesAlike:
        flux, gradient = self.model.evaluate_with_gradient(self.points, values[self.slots].T[:, :, None])
        return _SlopesAlike(self.columns, flux, self.slots, gradient)


@dataclass(frozen=True, eq=False)
class _SlopesAlike:
    """As `_Slopes`: ``flux`` (n, n_points), and its derivatives ``gradient`` (n_own, n, n_points)."""

    columns: IntArray
    flux: Array
    slots: IntArray
    gradient: Array

    def pull_back(self, d_flux: Array, gradient: Array) -> None:
        gradient[self.slots] += np.einsum("kij,ij->ik", self.gradient, d_flux[self.columns])

    def fill(self, jacobian: Array) -> None:
        for slots, by_own in zip(self.slots.T, self.gradient, strict=True):
            jacobian[self.columns, slots[:, None]] = by_own

    def add_to_narrow(self, target: IntArray, slope: Array, narrow: Array) -> None:
        for slots, by_own in zip(self.slots.T, self.gradient, strict=True):
            moves = target[slots] >= 0
            rows = slope[slots][:, None] * by_own
            narrow[self.columns[moves], target[slots][moves][:, None]] += rows[moves]


_AnyShare = _Share | _TimedShare | _SharesAlike


@final
@dataclass(frozen=True, eq=False)
class FluxSlopes:
    """The flux vector (n_columns,) at some values of all parameters, and its derivatives by them.

    shares : what adds to the vector; shapes : columns that are parameters, and these
    """

    flux: Array
    shares: Sequence[_Slopes | _SlopesAlike]
    shapes: Sequence[tuple[slice, slice]]
    n_parameters: int

    def pullback(self, d_flux: Array) -> Array:
        """Gradient (n_par,) from the derivative with respect to each flux (n_columns,)."""
        gradient = np.zeros(self.n_parameters)
        for share in self.shares:
            share.pull_back(d_flux, gradient)
        for columns, slots in self.shapes:
            gradient[slots] += d_flux[columns]
        return gradient

    def jacobian(self) -> Array:
        """Derivative of each flux with respect to each parameter, (n_columns, n_par)."""
        jacobian = np.zeros((self.flux.size, self.n_parameters))
        for share in self.shares:
            share.fill(jacobian)
        for columns, slots in self.shapes:
            jacobian[columns, slots] = np.eye(columns.stop - columns.start)
        return jacobian

    def narrow_jacobian(self, target: IntArray, slope: Array, width: int) -> Array:
        """The same with several parameters in one column, (n_columns, width): parameter k times ``slope[k]`` in column
        ``target[k]``, or nowhere where that is negative; no flux depends on two of a column."""
        narrow = np.zeros((self.flux.size, width))
        for share in self.shares:
            share.add_to_narrow(target, slope, narrow)
        for columns, slots in self.shapes:
            for column, k in zip(range(columns.start, columns.stop), range(slots.start, slots.stop), strict=True):
                if target[k] >= 0:
                    narrow[column, target[k]] += slope[k]
        return narrow


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
        blocks_of = _by_component(plan)
        for component in models:
            if blocks := blocks_of.get(component.name):
                self._shares[component.name] = _shares(component, blocks, layout, conventions)
        self._every = _alike([share for its in self._shares.values() for share in its], self.n_columns)
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

    def _chosen(self, components: Iterable[str] | None) -> Iterable[_AnyShare]:
        if components is None:
            return self._every
        return (share for name in components for share in self._shares.get(name, ()))

    def slots(self) -> list[slice]:
        """Positions of the parameters that the flux vector depends on, a slice per component."""
        shares = [share for its in self._shares.values() for share in its]
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


def _by_component(plan: FluxPlan) -> dict[str, list[Block]]:
    """The blocks of each component but those of shapes, in order."""
    found: dict[str, list[Block]] = {}
    for block in plan.blocks.values():
        for name in block.components if block.kind != "shape" else ():
            found.setdefault(name, []).append(block)
    return found


def _alike(shares: Sequence[_Share | _TimedShare], n_columns: int) -> list[_AnyShare]:
    """The shares, with many that differ in numbers alone as one."""
    found: dict[object, list[_Share]] = {}
    for share in shares:
        if isinstance(share, _Share) and share.is_like is not None:
            found.setdefault(share.is_like, []).append(share)
    many = [group for group in found.values() if len(group) >= _MANY]
    together = {id(share) for group in many for share in group}
    return [*(share for share in shares if id(share) not in together), *(_together(group, n_columns) for group in many)]


def _together(shares: Sequence[_Share], n_columns: int) -> _SharesAlike:
    every = np.arange(n_columns)
    return _SharesAlike(
        model=shares[0].component.spectral_model,
        points=np.stack([share.points for share in shares]),
        slots=np.stack([np.arange(share.slots.start, share.slots.stop) for share in shares]),
        columns=np.stack([every[share.columns] for share in shares]),
    )


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
