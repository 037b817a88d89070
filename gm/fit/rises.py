"""What the statistic does an error away from its minimum: whether the error says anything, and whether all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Objective
from gm.fit.profile import LowerMinimum
from gm.matrices import Covariance

_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one
_NONE = 1e-3  # of it: no rise
FLAT = 0.25  # instead of 1: the true error is at least twice as large
_BENT = 0.25  # relative difference from the 4 of a parabola at two standard deviations
_TWICE = 4.0


@dataclass(frozen=True, eq=False)
class Rises:
    """The rise of a statistic from its minimum ``vector`` (n_free,), where it is ``value``, along what errors say.

    covariance : (n_free, n_free), zeros for parameters without an error; None where nothing has one
    rising : (n_free,) parameters of which it is known already that the statistic rises along them
    """

    objective: Objective
    vector: Array
    value: float
    lower: Array
    upper: Array
    covariance: Covariance | None
    rising: BoolArray

    @cached_property
    def errors(self) -> Array:
        """(n_free,), 0 where there is none."""
        return np.zeros_like(self.vector) if self.covariance is None else np.sqrt(self.covariance.diagonal())

    def at(self, k: int, sigma: float) -> float:
        """The rise ``sigma`` errors of a parameter away, all others moved as the covariance says: ``sigma^2`` for a
        parabola, and never less than that of the profile. Raises `LowerMinimum`."""
        assert self.covariance is not None
        move = sigma * self.covariance[k, :] / np.sqrt(self.covariance[k, k])
        vector = np.clip(self.vector + move, self.lower, self.upper)
        rise = self.objective.value(vector) - self.value
        if rise < -_LOWER:
            raise LowerMinimum(vector)
        return rise

    def flat(self, suspects: Sequence[int]) -> dict[int, str]:
        """Parameters whose errors say nothing, and why: on both sides the statistic rises by far less than 1.

        Where one of the ``suspects`` is among them, all others are looked at too.
        """
        found = dict(self._flat(suspects))
        return found and dict(self._flat(np.flatnonzero(self.errors).tolist()))

    def _flat(self, parameters: Sequence[int]) -> Iterator[tuple[int, str]]:
        for k in (k for k in parameters if not self.rising[k]):
            outward = 1.0 if self.vector[k] >= 0 else -1.0  # amplitudes of either sign have fewer bins below 0 there
            rise = 0.0
            for side in (outward, -outward):
                if rise < FLAT:
                    rise = max(rise, float(np.nan_to_num(self.at(k, side), nan=np.inf)))
            if rise < _NONE:
                yield k, "the statistic does not depend on it there"
            elif rise < FLAT:
                yield k, f"the statistic rises by {rise:.1g} only at a distance of {self.errors[k]:.2g}"

    def bent(self, positions: Sequence[int]) -> Iterator[tuple[int, float]]:
        """Parameters whose statistic is no parabola, with its rise at two errors on the side farther from 4.

        It is none where the mean of both sides is a quarter off, which that of a skew one is not; the second side is
        looked at only where the first is so far off.
        """
        for k in (k for k in positions if self.errors[k] > 0):
            first = self.at(k, 2.0)
            if abs(first / _TWICE - 1) > _BENT:
                second = self.at(k, -2.0)
                if abs(0.5 * (first + second) / _TWICE - 1) > _BENT:
                    yield k, max(first, second, key=lambda rise: abs(rise - _TWICE))
