"""The rises of many datasets' own parameters from a minimum, all datasets at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Restricted
from gm.fit.profile import LowerMinimum
from gm.fit.rises import FLAT, Rises
from gm.likelihood import JointLikelihood
from gm.matrices import BorderedCovariance, Covariance, Grouping

_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one


def rises_around(
    likelihood: JointLikelihood,
    objective: Restricted,
    value: float,
    vector: Array,
    lower: Array,
    upper: Array,
    covariance: Covariance | None,
) -> Rises:
    """Of a likelihood, ``objective`` of its active parameters, from its minimum; those of own parameters are looked at
    together. Raises `LowerMinimum`.

    vector, lower, upper : (n_active,)
    """
    own, rising = likelihood.own, np.zeros(vector.size, dtype=bool)
    if own is not None and isinstance(covariance, BorderedCovariance):
        grouping = own.grouping.among(objective.active)

        def values(there: Array) -> Array:
            return likelihood.own_values(objective.full(there))

        rising = OwnRises(values, grouping, vector, lower, upper, covariance).rising(FLAT)
    return Rises(objective, vector, value, lower, upper, covariance, rising)


@dataclass(frozen=True, eq=False)
class OwnRises:
    """What each dataset's part of a statistic does an error of one of its own parameters away from the minimum
    ``vector`` (n_free,), where its other own ones go along and those that datasets share stay.

    values : from a vector to the part of each group of the ``grouping``, (n_groups,)
    """

    values: Callable[[Array], Array]
    grouping: Grouping
    vector: Array
    lower: Array
    upper: Array
    covariance: BorderedCovariance

    def rising(self, least: float) -> BoolArray:
        """(n_free,) the own parameters along which it rises by at least so much, of 1 of a parabola, on one side.

        Raises `LowerMinimum`.
        """
        here, given = self.values(self.vector), self.covariance.given_shared()
        highest = np.zeros(self.grouping.own.shape)
        for place in range(given.shape[1]):
            variance = given[:, place, place]
            along = given[:, :, place] / np.sqrt(np.where(variance > 0, variance, 1.0))[:, None]
            for side in (-1.0, 1.0):
                there = self._moved(side * along)
                rise = np.nan_to_num(self.values(there) - here, nan=np.inf)
                if (rise < -_LOWER).any():
                    raise LowerMinimum(self._moved(np.where((rise < -_LOWER)[:, None], side * along, 0.0)))
                highest[:, place] = np.maximum(highest[:, place], np.where(variance > 0, rise, 0.0))
        none = np.zeros(self.grouping.shared.size)
        return self.grouping.join(none, highest) >= least

    def _moved(self, own: Array) -> Array:
        """The vector with own parameters moved, (n_groups, n_places), within limits."""
        move = self.grouping.join(np.zeros(self.grouping.shared.size), own)
        return np.clip(self.vector + move, self.lower, self.upper)
