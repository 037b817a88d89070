"""What the minimiser works on."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray, everywhere
from gm.errors import GmError
from gm.matrices import Hessian, Matrix
from gm.models import Layout, Models, Role


class NothingToFit(GmError):
    """No parameter is free, or no free parameter changes any dataset."""

    exit_code = 3

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing to fit: {why}")
        self.why = why


class Objective(Protocol):
    """A function to minimise, with its exact gradient and an approximate Hessian, all of one vector (n_free,)."""

    def value(self, vector: Array) -> float: ...

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]: ...

    def information(self, vector: Array, *, expected: bool = False) -> Matrix: ...

    def second_derivatives(self, vector: Array, steps: Array) -> Matrix | None:
        """The exact Hessian, up to differences over ``steps`` (n_free,), or None where it is not known."""

    def n_cut_off(self, vector: Array) -> int:
        """Bins with counts in which parameters make the prediction 0 or negative: there the value is a plateau."""


class Restricted:
    """An objective over some of its parameters; the others stay at ``start`` (n_free,)."""

    def __init__(self, objective: Objective, start: Array, active: BoolArray) -> None:
        self._objective, self._start, self.active = objective, start, active
        self._all = everywhere(active)

    def full(self, vector: Array) -> Array:
        """The whole vector from the active part."""
        if self._all:
            return np.array(vector, dtype=np.float64)
        whole = self._start.copy()
        whole[self.active] = vector
        return whole

    def value(self, vector: Array) -> float:
        return self._objective.value(self.full(vector))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value, gradient = self._objective.value_and_gradient(self.full(vector))
        return value, gradient if self._all else gradient[self.active]

    def gradient(self, vector: Array) -> Array:
        return self.value_and_gradient(vector)[1]

    def information(self, vector: Array, *, expected: bool = False) -> Matrix:
        return self._among(self._objective.information(self.full(vector), expected=expected))

    def n_cut_off(self, vector: Array) -> int:
        return self._objective.n_cut_off(self.full(vector))

    def second_derivatives(self, vector: Array, steps: Array) -> Matrix | None:
        whole = np.zeros(self.active.size)
        whole[self.active] = steps
        found = self._objective.second_derivatives(self.full(vector), whole)
        return None if found is None else self._among(found)

    def _among(self, matrix: Matrix) -> Matrix:
        """Of the active parameters, (n_active, n_active)."""
        if isinstance(matrix, Hessian):
            return matrix.among(self.active)
        return matrix if self._all else matrix[np.ix_(self.active, self.active)]


def amplitudes(models: Models, layout: Layout) -> BoolArray:
    """Which free parameters a predicted spectrum is proportional to, (n_free,)."""
    found = np.zeros(layout.n_free, dtype=bool)
    for component in models:
        position = component.spectral_model.amplitude_position()
        if position is not None:
            free = layout.free_position(layout.slots(component.name, "spectral").start + position)
            if free is not None:
                found[free] = True
    return found


def spectral_shapes(models: Models, layout: Layout) -> BoolArray:
    """Which free parameters shape a spectrum: all of a spectrum but its amplitude, (n_free,)."""
    found = np.zeros(layout.n_free, dtype=bool)
    for component in models:
        if component.role is Role.INSTRUMENT:
            continue
        spectral = layout.slots(component.name, "spectral")
        free = [layout.free_position(slot) for slot in range(spectral.start, spectral.stop)]
        found[[position for position in free if position is not None]] = True
    return found & ~amplitudes(models, layout)
