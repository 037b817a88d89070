"""Factors of fluxes and backgrounds that nuisance parameters of instruments make, with their derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array
from gm.models import InstrumentResponse, Layout, Models
from gm.models.instrument import Effect

FactorKey = tuple[tuple[str, Effect], ...]
"""Components, by name, and what of a dataset each multiplies, in order."""


@dataclass(frozen=True, eq=False)
class _Part:
    """What one component makes of an exposure or a background; slots : of its parameters."""

    response: InstrumentResponse
    slots: slice
    effect: Effect

    def acting(self) -> list[int]:
        """Positions of the parameters that it depends on."""
        acting = {name for name, effect in self.response.acting.items() if effect == self.effect}
        acting |= {"reference"} if self.effect == "exposure" else set()
        return [self.slots.start + k for k, p in enumerate(self.response.parameters) if p.name in acting]

    def value(self, energy: Array, values: Array) -> Array:
        return self.response.factor(self.effect, energy, values[self.slots])

    def gradient(self, energy: Array, values: Array) -> Array:
        return self.response.factor_gradient(self.effect, energy, values[self.slots])

    def curvature(self, energy: Array, values: Array) -> Array:
        return self.response.factor_curvature(self.effect, energy, values[self.slots])


@final
@dataclass(frozen=True, eq=False)
class Factor:
    """The product of what some components make of an exposure or a background, at ``energy`` (n,) [TeV].

    Values and derivatives are by all parameters in internal units, (n_par,), at the slots of each component.
    """

    energy: Array
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, key: FactorKey, energy: Array, models: Models, layout: Layout) -> Factor:
        found = {component.name: component for component in models.instruments()}
        parts = [_Part(found[name].response, layout.slots(name), effect) for name, effect in key]
        return cls(energy, tuple(parts))

    def own_slots(self) -> list[slice]:
        """Positions of the parameters that it depends on."""
        return [slice(k, k + 1) for part in self.parts for k in part.acting()]

    def value(self, values: Array) -> Array:
        """(n,)."""
        return self._without((), values)

    def gradients(self, values: Array) -> Iterator[tuple[slice, Array]]:
        """Of each component its slots, and the derivatives by its parameters, (n_own, n)."""
        for k, part in enumerate(self.parts):
            yield part.slots, part.gradient(self.energy, values) * self._without((k,), values)

    def curvatures(self, values: Array) -> Iterator[tuple[slice, slice, Array]]:
        """Of each pair of components, each pair once, their slots and second derivatives, (n_first, n_second, n)."""
        for k, one in enumerate(self.parts):
            yield one.slots, one.slots, one.curvature(self.energy, values) * self._without((k,), values)
            for m, other in enumerate(self.parts[:k]):
                pair = one.gradient(self.energy, values)[:, None] * other.gradient(self.energy, values)[None]
                yield one.slots, other.slots, pair * self._without((k, m), values)

    def _without(self, left_out: Sequence[int], values: Array) -> Array:
        """The product of the other components' factors, (n,)."""
        kept = [part.value(self.energy, values) for k, part in enumerate(self.parts) if k not in left_out]
        return np.multiply.reduce(kept) if kept else np.ones(self.energy.size)
