"""Minima where derivatives say little: bins that end there leave kinks, and parameters lose their effect.

Empty bins add a straight line that ends where nothing is predicted, and with several of them the statistic is a
polytope, along whose edges no gradient leads. A simplex (Nelder & Mead 1965, The Computer Journal 7, 308) needs none.
It takes hundreds of values instead of a few gradients, so it looks only where minima are rough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Objective

DEEPER = 1e-5  # of -2 ln L, which a simplex is good for
_VALUES = 200  # for each parameter
_ROUNDS = 10  # at most, that begin with a large simplex again
_PART = 0.1  # of a parameter that has gone far, that it goes in the first step of another one
_WALL = 1e30


class Simplex:
    """The lowest -2 ln L over some parameters, within limits (n,) and where counts are possible.

    sizes : (n,) first steps of all parameters
    """

    def __init__(self, objective: Objective, lower: Array, upper: Array, sizes: Array) -> None:
        self._objective, self._lower, self._upper, self._sizes = objective, lower, upper, sizes

    def lowest(self, starts: Sequence[Array], moving: BoolArray) -> tuple[float, Array]:
        """Over the parameters ``moving`` (n,): the better end of the two that the lowest of ``starts`` (n,) lead to."""
        lowest = sorted(starts, key=self._value)[:2]
        return min((self._from(start, moving) for start in lowest), key=lambda pair: pair[0])

    def _value(self, vector: Array, best: float = np.inf) -> float:
        """Where it is below the ``best`` it must not be on the plateau of Cash."""
        if (vector < self._lower).any() or (vector > self._upper).any():
            return _WALL
        value = self._objective.value(vector)
        return _WALL if not np.isfinite(value) or (value < best and self._objective.n_cut_off(vector)) else value

    def _from(self, start: Array, moving: BoolArray) -> tuple[float, Array]:
        from scipy.optimize import minimize  # such minima are rare, and it takes a while to import

        vector, value, sizes = start.copy(), self._value(start), self._sizes[moving]
        if value >= _WALL or not moving.any():
            return value, vector

        def at(steps: Array) -> float:
            there = vector.copy()
            there[moving] += steps * sizes
            return self._value(there, value)

        n = sizes.size
        for _ in range(_ROUNDS):
            found = minimize(
                at,
                np.zeros(n),
                method="Nelder-Mead",
                options={
                    "xatol": 1e-6,
                    "fatol": 1e-8,
                    "maxfev": _VALUES * n,
                    "initial_simplex": np.vstack([np.zeros(n), np.eye(n)]),
                },
            )
            gain = value - float(found.fun)
            if gain > 0:
                vector[moving] += found.x * sizes
                value = float(found.fun)
            far = _PART * np.abs(vector[moving])
            if gain < 0.1 * DEEPER and (sizes >= far).all():
                break
            sizes = np.maximum(sizes, far)
        return value, vector
