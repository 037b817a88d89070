"""Parameters with limits as coordinates without any, in which a sampler moves freely.

The usual transformations (Stan Reference Manual, "Constraint Transforms"): a logit between two limits, a logarithm
beside one.
"""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.special import expit, log_expit, logit

from gm.arrays import Array

_MOST = 30.0  # exp(-30) of the distance between limits is where a coordinate starts that is at a limit


@final
class Coordinates:
    """Of parameters (n,) between ``lower`` and ``upper`` (n,), each infinite where there is no limit."""

    def __init__(self, lower: Array, upper: Array) -> None:
        self._lower, self._upper = lower, upper
        below, above = np.isfinite(lower), np.isfinite(upper)
        self._between, self._beyond, self._below = below & above, below & ~above, above & ~below

    def to(self, vector: Array) -> Array:
        """The coordinates of parameters (n,) within their limits."""
        found = np.array(vector, dtype=np.float64)
        at, low, high = self._between, self._lower, self._upper
        with np.errstate(divide="ignore"):
            found[at] = logit((vector[at] - low[at]) / (high[at] - low[at]))
            found[self._beyond] = np.log((vector - low)[self._beyond])
            found[self._below] = np.log((high - vector)[self._below])
        found[at] = np.clip(found[at], -_MOST, _MOST)
        return found

    def back(self, there: Array) -> Array:
        """Parameters (..., n) from coordinates (..., n)."""
        found = np.array(there, dtype=np.float64)
        at, low, high = self._between, self._lower, self._upper
        with np.errstate(over="ignore"):
            found[..., at] = low[at] + (high - low)[at] * expit(there[..., at])
            found[..., self._beyond] = low[self._beyond] + np.exp(there[..., self._beyond])
            found[..., self._below] = high[self._below] - np.exp(there[..., self._below])
        return found

    def slopes(self, there: Array) -> Array:
        """Derivatives of the parameters by their coordinates, (n,)."""
        found, at = np.ones_like(there), self._between
        with np.errstate(over="ignore"):
            share = expit(there[at])
            found[at] = (self._upper - self._lower)[at] * share * (1 - share)
            found[self._beyond] = np.exp(there[self._beyond])
            found[self._below] = -np.exp(there[self._below])
        return found

    def log_volume(self, there: Array) -> tuple[float, Array]:
        """ln of the volume of parameters for one of coordinates, up to a constant, and its derivative, (n,)."""
        u, gradient = there[self._between], np.zeros_like(there)
        one_sided = self._beyond | self._below
        gradient[self._between], gradient[one_sided] = 1 - 2 * expit(u), 1.0
        return float((log_expit(u) + log_expit(-u)).sum() + there[one_sided].sum()), gradient
