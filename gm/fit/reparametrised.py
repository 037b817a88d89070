"""An objective in which a quantity that follows from the parameters stands in the place of one of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gm.arrays import Array
from gm.fit.objective import Objective
from gm.matrices import Matrix, as_hessian

Derived = Callable[[Array], tuple[float, Array]]
"""From a vector (n_free,) to a quantity and its gradient (n_free,)."""

_STEPS = 60
_EXACT = 1e-13  # of the quantity


class Reparametrised:
    """``objective`` as a function of a vector whose element ``k`` is the quantity ``q(x)`` that ``derived`` gives.

    Of the vector ``v`` = (x_1, ..., q, ..., x_n) the parameter that is missing solves ``q(x) = v_k``, by Newton's
    method from where it is in ``start`` (n_free,): one step where q is proportional to it. Derivatives are exact::

        dx_k / dv_k = 1 / q_k,    dx_k / dv_j = -q_j / q_k,    q_j = dq / dx_j

    The last solution is kept: value, gradient and information are asked for at one vector after the other.
    """

    def __init__(self, objective: Objective, derived: Derived, k: int, start: Array) -> None:
        self._objective, self._derived, self._k, self._start = objective, derived, k, start
        self._last: tuple[bytes, Array] | None = None

    def there(self, parameters: Array) -> Array:
        """The vector (n_free,) of this objective from the parameters (n_free,)."""
        vector = np.array(parameters, dtype=np.float64)
        vector[self._k] = self._derived(vector)[0]
        return vector

    def back(self, vector: Array) -> Array:
        """The parameters (n_free,); NaN for the one that would have to be found where there is no solution."""
        key = vector.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self._solved(vector)
        return self._last[1].copy()

    def _solved(self, vector: Array) -> Array:
        wanted, x = float(vector[self._k]), np.array(vector, dtype=np.float64)
        x[self._k] = self._start[self._k]
        for _ in range(_STEPS):
            found, slopes = self._derived(x)
            slope = slopes[self._k]
            if not np.isfinite(found) or not np.isfinite(slope) or slope == 0:
                break
            x[self._k] -= (found - wanted) / slope
            if abs(found - wanted) <= _EXACT * max(abs(wanted), abs(found)):
                return x
        x[self._k] = np.nan
        return x

    def slopes(self, parameters: Array) -> Array:
        """Derivatives of the quantity by the parameters, (n_free,)."""
        return self._derived(parameters)[1]

    def value(self, vector: Array) -> float:
        x = self.back(vector)
        return self._objective.value(x) if np.isfinite(x).all() else np.inf

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        x = self.back(vector)
        if not np.isfinite(x).all():
            return np.inf, np.full(vector.size, np.nan)
        value, gradient = self._objective.value_and_gradient(x)
        row = self._row(x)
        return value, np.where(np.arange(x.size) == self._k, 0.0, gradient) + row * gradient[self._k]

    def information(self, vector: Array, *, expected: bool = False) -> Matrix:
        x = self.back(vector)
        if not np.isfinite(x).all():
            return as_hessian(self._objective.information(self._start)).scaled(np.full(x.size, np.nan))
        return as_hessian(self._objective.information(x, expected=expected)).substituted(self._k, self._row(x))

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        """Left to differences of the gradient."""

    def n_cut_off(self, vector: Array) -> int:
        x = self.back(vector)
        return self._objective.n_cut_off(x) if np.isfinite(x).all() else 0

    def _row(self, parameters: Array) -> Array:
        """Derivatives of the parameter that is missing by the vector, (n_free,); of the others each is its own."""
        slopes = self._derived(parameters)[1]
        row = np.asarray(-slopes / slopes[self._k])
        row[self._k] = 1.0 / slopes[self._k]
        return row
