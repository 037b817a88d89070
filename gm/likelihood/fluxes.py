"""Fluxes of all components on all energy axes, computed once for all datasets that share them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gm.arrays import Array, IntArray
from gm.models import BackgroundIRFModel, EnergyBins, Layout, Models, SkyModel

Kind = Literal["integral", "point", "shape"]


BlockKey = tuple[Kind, tuple[str, ...], bytes]


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive columns of the flux vector: the summed spectra of some components on one energy axis.

    ``integral``: integrals over the bins of ``energy`` (n_bins + 1 edges) [cm-2 s-1], or ``point``: values at
    ``energy`` [cm-2 s-1 TeV-1, or dimensionless for a background norm]. ``shape``: the values of one component's
    spatial parameters, which ride along so that a term is a function of one vector; ``energy`` is empty.
    """

    kind: Kind
    components: tuple[str, ...]
    energy: Array
    columns: slice


class FluxPlan:
    """Collects the blocks that datasets ask for; equal requests share one block."""

    def __init__(self) -> None:
        self.blocks: dict[BlockKey, Block] = {}
        self.n_columns = 0

    def block(self, kind: Kind, components: tuple[str, ...], energy: Array) -> Block:
        """The block for these components on this axis, made on the first request."""
        key: BlockKey = (kind, components, energy.tobytes())
        if key not in self.blocks:
            self._add(key, Block(kind, components, energy, self._next(energy.size - (kind == "integral"))))
        return self.blocks[key]

    def shape(self, component: str, n_parameters: int) -> Block:
        """The block that carries a component's spatial parameters."""
        key: BlockKey = ("shape", (component,), b"")
        if key not in self.blocks:
            self._add(key, Block("shape", (component,), np.empty(0), self._next(n_parameters)))
        return self.blocks[key]

    def _next(self, n_columns: int) -> slice:
        return slice(self.n_columns, self.n_columns + n_columns)

    def _add(self, key: BlockKey, block: Block) -> None:
        self.blocks[key] = block
        self.n_columns = block.columns.stop


@dataclass(frozen=True, eq=False)
class _Share:
    """What one component adds to the flux vector: its integrals, then its point values, at their columns."""

    component: SkyModel | BackgroundIRFModel
    slots: slice
    bins: EnergyBins | None
    points: Array
    columns: IntArray | slice = field(repr=False)

    def flux(self, values: Array) -> Array:
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            return model.evaluate(self.points, own)
        if not self.points.size:
            return model.integral(self.bins, own)
        return np.concatenate([model.integral(self.bins, own), model.evaluate(self.points, own)])

    def gradient(self, values: Array) -> Array:
        """(n_par, n_columns of this share)."""
        model, own = self.component.spectral_model, values[self.slots]
        if self.bins is None:
            return model.gradient(self.points, own)
        integral = model.integral_gradient(self.bins, own)[1]
        if not self.points.size:
            return integral
        return np.concatenate([integral, model.gradient(self.points, own)], axis=1)


class FluxBank:
    """The flux vector of a global model: every spectrum is evaluated once per distinct energy axis.

    ``fluxes(values)`` is the vector (n_columns,), ``pullback`` its transposed Jacobian times a vector, ``jacobian`` the
    Jacobian itself. ``values`` are all parameters in internal units, as `Layout.expand` gives them.
    """

    def __init__(self, plan: FluxPlan, models: Models, layout: Layout) -> None:
        self.n_columns = plan.n_columns
        self.n_parameters = len(layout.addresses)
        self._shares: dict[str, _Share] = {}
        for component in models:
            blocks = [b for b in plan.blocks.values() if component.name in b.components and b.kind != "shape"]
            if blocks:
                self._shares[component.name] = _share(component, blocks, layout)

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

    def _chosen(self, components: Iterable[str] | None) -> Iterable[_Share]:
        if components is None:
            return self._shares.values()
        return [self._shares[name] for name in components if name in self._shares]

    def slots(self) -> list[slice]:
        """Positions of the parameters that the flux vector depends on, a slice per component."""
        return [share.slots for share in self._shares.values()] + [slots for _, slots in self._shapes]

    def parameter_at(self, column: int) -> int:
        """The parameter that a column of a shape carries."""
        for columns, slots in self._shapes:
            if columns.start <= column < columns.stop:
                return int(slots.start + column - columns.start)
        raise IndexError(f"column {column} carries no shape")

    def pullback(self, values: Array, d_flux: Array, components: Iterable[str] | None = None) -> Array:
        """Gradient (n_par,) from the derivative with respect to each flux (n_columns,)."""
        gradient = np.zeros(self.n_parameters)
        for share in self._chosen(components):
            gradient[share.slots] = share.gradient(values) @ d_flux[share.columns]
        for columns, slots in self._shapes:
            gradient[slots] += d_flux[columns]
        return gradient

    def jacobian(self, values: Array, components: Iterable[str] | None = None) -> Array:
        """Derivative of each flux with respect to each parameter, (n_columns, n_par)."""
        jacobian = np.zeros((self.n_columns, self.n_parameters))
        for share in self._chosen(components):
            jacobian[share.columns, share.slots] = share.gradient(values).T
        for columns, slots in self._shapes:
            jacobian[columns, slots] = np.eye(columns.stop - columns.start)
        return jacobian


def _share(component: SkyModel | BackgroundIRFModel, blocks: list[Block], layout: Layout) -> _Share:
    integrals = [block for block in blocks if block.kind == "integral"]
    points = [block for block in blocks if block.kind == "point"]
    columns = np.concatenate([np.arange(b.columns.start, b.columns.stop) for b in [*integrals, *points]])
    return _Share(
        component=component,
        slots=layout.slots(component.name, "spectral"),
        bins=EnergyBins(*(block.energy for block in integrals)) if integrals else None,
        points=np.concatenate([block.energy for block in points]) if points else np.empty(0),
        columns=as_slice(columns),
    )


def as_slice(indices: IntArray) -> IntArray | slice:
    """Consecutive indices as a slice, which NumPy reads and writes without a copy; others unchanged."""
    if indices.size and np.array_equal(indices, np.arange(indices[0], indices[0] + indices.size)):
        return slice(int(indices[0]), int(indices[0]) + indices.size)
    return indices
