"""What lies around the minimum of a band where derivatives say little: looked for by simplexes and scoring in turn."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray
from gm.estimators.branches import Band, Branches
from gm.estimators.rough import risen
from gm.fit.objective import Objective
from gm.fit.profile import LowerMinimum
from gm.fit.simplex import DEEPER, Simplex

_STARTS = 3  # of which the best goes on
_TURNS = 5  # of a simplex and of scoring, which each get stuck where the other may not


class BoundedBand(Band, Objective, Protocol):
    """With limits (n,) and a start (n,); the norm of the source comes first."""

    lower: Array
    upper: Array

    @property
    def start(self) -> Array: ...

    def branches(self, active: BoolArray) -> Branches:
        """Where other minima over the ``active`` parameters (n,) may be."""


class Surroundings:
    """Of a minimum at ``vector`` (n,) over the ``active`` parameters (n,), of value ``stat``; sizes : (n,) of steps.

    Raises `LowerMinimum`, as all methods do, where something lower lies beside.
    """

    def __init__(self, band: BoundedBand, vector: Array, active: BoolArray, stat: float, sizes: Array) -> None:
        self._band, self._active, self._stat, self.norm = band, active, stat, float(vector[0])
        self._simplex = Simplex(band, band.lower, band.upper, sizes)
        self._others = active & (np.arange(active.size) > 0)
        self.branches = band.branches(active)
        self._seen = [vector, band.start, *self.branches.at(self.norm)]
        self._lowest(self.norm, self._seen.copy(), active)

    def _lowest(self, norm: float, starts: list[Array], moving: BoolArray) -> float:
        """At a norm; of the starts the place found stays, for the next norm."""
        band = self._band
        tried = sorted((np.append(norm, start[1:]) for start in starts), key=band.value)[:_STARTS]
        value, vector = min((band.approach(start, moving) for start in tried), key=lambda pair: pair[0])
        for _ in range(_TURNS):
            before = value
            value, vector = self._simplex.lowest([vector], moving)
            if not value < before - DEEPER:
                break
            value, vector = min((value, vector), band.approach(vector, moving), key=lambda pair: pair[0])
        starts[:] = [vector]
        if value < self._stat - DEEPER:
            raise LowerMinimum(vector[self._active])
        return max(value, self._stat)

    def seek(self, norm: float, starts: list[Array]) -> float:
        """The lowest value at a norm from the starts and from all that was seen so far, to which it adds."""
        starts += self._seen
        value = self._lowest(norm, starts, self._others)
        self._seen.append(starts[0])
        return value

    def end(self, side: float, distance: float, near: Array, wanted: float) -> tuple[float | None, float]:
        """How far to a ``side`` (1 or -1) of the norm the profile has risen by ``wanted``, and its highest rise.

        distance : where it is thought to be, with the vector ``near`` (n,); None: it never rises so high.
        """
        at = self.norm + side * distance
        starts = [near, *self.branches.at(at)]
        self.seek(at, starts)

        def rise(away: float) -> float:
            norm = self.norm + side * away
            found = [*starts, *self.branches.at(norm)]
            value = self._lowest(norm, found, self._others)
            starts.extend(found)
            return value - self._stat

        return risen(rise, distance, wanted)
