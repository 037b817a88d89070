"""What the minimiser works on."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray


class Objective(Protocol):
    """A function to minimise, with its exact gradient and an approximate Hessian, all of one vector (n_free,)."""

    def value(self, vector: Array) -> float: ...

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]: ...

    def information(self, vector: Array, *, expected: bool = False) -> Array: ...

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        """The exact Hessian, up to differences over ``steps`` (n_free,), or None where it is not known."""


class Restricted:
    """An objective over some of its parameters; the others stay at ``start`` (n_free,)."""

    def __init__(self, objective: Objective, start: Array, active: BoolArray) -> None:
        self._objective, self._start, self.active = objective, start, active

    def full(self, vector: Array) -> Array:
        """The whole vector from the active part."""
        whole = self._start.copy()
        whole[self.active] = vector
        return whole

    def value(self, vector: Array) -> float:
        return self._objective.value(self.full(vector))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value, gradient = self._objective.value_and_gradient(self.full(vector))
        return value, gradient[self.active]

    def gradient(self, vector: Array) -> Array:
        return self.value_and_gradient(vector)[1]

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return self._objective.information(self.full(vector), expected=expected)[np.ix_(self.active, self.active)]

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        whole = np.zeros(self.active.size)
        whole[self.active] = steps
        found = self._objective.second_derivatives(self.full(vector), whole)
        return None if found is None else found[np.ix_(self.active, self.active)]
