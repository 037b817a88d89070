"""-2 ln L of bands of energy as a function of the norm of a source, which comes first, and of what else is fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from gm.arrays import Array, BoolArray
from gm.estimators.branches import Branches
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.objective import Objective, Restricted
from gm.matrices import Matrix

NORM = "norm of the source"


class BandObjective(ABC):
    """A function of (norm, all other free parameters), (n,), with its exact gradient.

    names, lower, upper, amplitudes, shapes : (n,) of the parameters; a spectrum is proportional to an amplitude, and
    has a shape
    looks_around : whether simplexes look for lower places where derivatives say little
    """

    looks_around: bool = True

    names: Sequence[str]
    lower: Array
    upper: Array
    amplitudes: BoolArray
    shapes: BoolArray

    @property
    @abstractmethod
    def start(self) -> Array:
        """Where a fit starts, (n,)."""

    @abstractmethod
    def value(self, vector: Array) -> float:
        """-2 ln L."""

    @abstractmethod
    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        """-2 ln L, and its derivatives (n,)."""

    @abstractmethod
    def information(self, vector: Array, *, expected: bool = False) -> Matrix:
        """Approximate second derivatives, (n, n); with ``expected`` positive far from the minimum too."""

    @abstractmethod
    def prior_curvature(self, vector: Array) -> Array:
        """Second derivatives of what priors add to -2 ln L, (n,)."""

    @abstractmethod
    def n_cut_off(self, vector: Array) -> int:
        """Bins with counts that could be predicted and are not: there -2 ln L is a plateau."""

    def second_derivatives(self, vector: Array, steps: Array) -> Matrix | None:
        """Left to differences of the gradient."""
        return None

    def is_amplitude(self, name: str) -> bool:
        """Whether the parameter of that name is one."""
        return bool(self.amplitudes[self.names.index(name)])

    def branches(self, active: BoolArray) -> Branches:
        """Where other minima over the ``active`` parameters (n,) may be."""
        others = active & (np.arange(active.size) > 0)
        among = others & self.shapes, others & self.amplitudes
        return Branches(self, self.start, self.lower, self.upper, *among)

    def minimize(self, objective: Objective, start: Array, active: BoolArray) -> Minimum:
        """The minimum of the objective, this one restricted to the ``active`` parameters (n,), from their ``start``."""
        return self._minimizer(objective, active).minimize(start)

    def approach(self, start: Array, active: BoolArray) -> tuple[float, Array]:
        """The lowest that scoring finds over the ``active`` parameters (n,) from ``start`` (n,), and where, (n,)."""
        vector = start.copy()
        if not active.any():
            return self.value(vector), vector
        objective = Restricted(self, start, active)
        value, vector[active] = self._minimizer(objective, active).approach(start[active])
        return (value if np.isfinite(value) and not self.n_cut_off(vector) else np.inf), vector

    def _minimizer(self, objective: Objective, active: BoolArray) -> Minimizer:
        among = self.lower[active], self.upper[active], self.amplitudes[active]
        return Minimizer(objective, *among, n_cut_off=objective.n_cut_off)
