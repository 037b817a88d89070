"""What lies to both sides of a point along a direction in which it seems to be no minimum."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.fit.objective import Objective

_STEPS = 0.1, 0.3, 1.0, 3.0, 10.0, 30.0  # standard deviations


def lowest_beside(objective: Objective, vector: Array, way: Array, lower: Array, upper: Array) -> tuple[float, Array]:
    """The lowest value in steps of ``way`` (n_free,), about a standard deviation, to both sides of ``vector`` (n_free,)
    and within limits; and where that is."""
    best, place = objective.value(vector), vector
    for step in _STEPS:
        for side in (-1.0, 1.0):
            there = np.clip(vector + side * step * way, lower, upper)
            if (value := objective.value(there)) < best:
                best, place = value, there
    return best, place
