"""Which parameters all share, and which belong to a group whose members meet nobody but each other and these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray


@final
@dataclass(frozen=True, eq=False)
class Grouping:
    """Positions of ``size`` parameters: each is shared, or one group's own.

    shared : (n_shared,)
    own : (n_groups, n_places), one row for each group, -1 where it has fewer members than there are places
    """

    size: int
    shared: IntArray
    own: IntArray

    @cached_property
    def present(self) -> BoolArray:
        """(n_groups, n_places) where there is a member."""
        return np.asarray(self.own >= 0)

    @cached_property
    def group(self) -> IntArray:
        """(size,) the group of each parameter, -1 of shared ones."""
        return self._numbered(0)

    @cached_property
    def place(self) -> IntArray:
        """(size,) the place of each parameter in its group, or among the shared ones."""
        place = self._numbered(1)
        place[self.shared] = np.arange(self.shared.size)
        return place

    def _numbered(self, axis: int) -> IntArray:
        number = np.full(self.size, -1, dtype=np.intp)
        number[self.own[self.present]] = np.nonzero(self.present)[axis]
        return number

    def split(self, vector: Array) -> tuple[Array, Array]:
        """The shared elements of a vector (size,), and each group's own, (n_groups, n_places), 0 where nobody is."""
        own = vector[self.own] if self.size else np.zeros(self.own.shape)
        return vector[self.shared], np.where(self.present, own, 0.0)

    def join(self, shared: Array, own: Array) -> Array:
        """The vector (size,) from both."""
        vector = np.empty(self.size)
        vector[self.shared] = shared
        vector[self.own[self.present]] = own[self.present]
        return vector

    def among(self, keep: BoolArray) -> Self:
        """Of the kept parameters, renumbered; ``keep`` is (size,). Groups and places stay where they are."""
        number = np.where(keep, np.cumsum(keep) - 1, -1)
        own = np.where(self.present, number[self.own], -1) if self.size else self.own
        return type(self)(int(np.count_nonzero(keep)), number[self.shared][keep[self.shared]], own)
