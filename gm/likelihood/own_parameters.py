"""Parameters that one dataset alone reads, such as the norm and tilt of its background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.flux_slopes import FluxSlopes
from gm.matrices import BorderedHessian, Grouping
from gm.models import Layout, Models

MANY = 100  # free parameters, of fewer the whole matrix is as fast
_WORTH = 4  # times less memory than the whole matrix
_NOBODY, _SEVERAL = -1, -2


@final
@dataclass(frozen=True, eq=False)
class OwnParameters:
    """Which free parameters datasets share, and which are their own.

    grouping : of the free parameters, a group for each dataset that has any of its own
    datasets : (n_groups,) their positions; -1 where parameters belong to no dataset
    target : (n_par,) the column of a narrow Jacobian that each parameter of the models adds to, -1 for constants: first
        the shared ones, then the first, second, ... own one of whichever dataset
    slope : (n_par,) its derivative by the free parameter that it follows
    """

    grouping: Grouping
    datasets: IntArray
    target: IntArray
    slope: Array

    @property
    def n_shared(self) -> int:
        return int(self.grouping.shared.size)

    @property
    def width(self) -> int:
        """Columns of a narrow Jacobian."""
        return int(self.n_shared + self.grouping.own.shape[1])

    @cached_property
    def _group(self) -> IntArray:
        """(largest of the datasets + 1,) the group of each, -1 where it has none."""
        group = np.full(self.datasets.max(initial=-1) + 1, -1, dtype=np.intp)
        known = self.datasets >= 0
        group[self.datasets[known]] = np.flatnonzero(known)
        return group

    def _groups(self, datasets: IntArray) -> tuple[BoolArray, IntArray]:
        """Which of some datasets (n,) have parameters of their own, and the groups of these."""
        known = datasets < self._group.size
        group = np.where(known, self._group[np.where(known, datasets, 0)] if self._group.size else -1, -1)
        return group >= 0, group[group >= 0]

    def narrow_jacobian(self, slopes: FluxSlopes) -> Array:
        """Derivatives of the flux vector, (n_columns, width)."""
        return slopes.narrow_jacobian(self.target, self.slope, self.width)

    def hessian(self, parts: ByDataset) -> BorderedHessian:
        """The matrix over all free parameters, of what datasets add to it."""
        hessian = BorderedHessian.zeros(self.grouping)
        hessian.shared += parts.shared
        here, groups = self._groups(parts.datasets)
        hessian.own[groups], hessian.cross[groups] = parts.own[here], parts.cross[here]
        return hessian

    def sums(self, datasets: IntArray, values: Array) -> Array:
        """What datasets add to, (n_groups,), of a number for each of them."""
        here, groups = self._groups(datasets)
        sums = np.zeros(self.datasets.size)
        np.add.at(sums, groups, values[here])
        return sums

    def after_a_shared_one(self) -> Self:
        """The same with one more shared parameter, before all others."""
        old = self.grouping
        own = np.where(old.present, old.own + 1, -1)
        grouping = Grouping(old.size + 1, np.concatenate([[0], old.shared + 1]), own)
        return type(self)(grouping, self.datasets, np.where(self.target >= 0, self.target + 1, -1), self.slope)


def own_parameters(names: Sequence[str], models: Models, layout: Layout) -> OwnParameters | None:
    """Of datasets with these ``names``; None where the whole matrix is small, or most parameters are shared.

    Shapes on the sky are shared, since datasets with the same pixels are folded together; so are some of the own
    parameters of a dataset that has many more than others, where that takes less memory.
    """
    if layout.n_free <= MANY:
        return None
    follows, slope = layout.followed()
    readers = _readers(names, models, layout)
    owner = np.full(layout.n_free, _NOBODY)
    for k in np.flatnonzero(follows >= 0).tolist():
        here, reader = follows[k], readers[k]
        if reader != _NOBODY:
            owner[here] = reader if owner[here] in (_NOBODY, reader) else _SEVERAL
    grouping, datasets = _grouped(owner)
    n_shared, (n_groups, n_places) = grouping.shared.size, grouping.own.shape
    if _WORTH * (n_shared**2 + n_groups * n_places * (n_places + n_shared)) > layout.n_free**2:
        return None
    column = np.where(grouping.group >= 0, n_shared, 0) + grouping.place
    target = np.where(follows >= 0, column[follows], -1)
    return OwnParameters(grouping, datasets, target, slope)


def spectra_apart(models: Models) -> frozenset[str]:
    """Components of whose spectra each is read by one dataset alone, and shares no column with others: where parameters
    are datasets' own, an engine may compute them where their dataset is. There are none where instruments multiply."""
    if models.instruments():
        return frozenset()
    return frozenset(one.name for one in models.backgrounds().values() if one.spatial_model is None)


def _readers(names: Sequence[str], models: Models, layout: Layout) -> list[int]:
    """(n_par,) the position of the one dataset that reads each parameter, or that nobody or several do."""
    position = {name: k for k, name in enumerate(names)}
    readers: list[int] = []
    for component in models:
        applied = component.datasets_names
        seen = range(len(names)) if applied is None else [position[name] for name in applied if name in position]
        reader = _SEVERAL if len(seen) > 1 else next(iter(seen), _NOBODY)
        for section, model in component.blocks():
            is_shared = section == "spatial" and reader != _NOBODY
            readers += [_SEVERAL if is_shared else reader] * len(model.parameters)
    return readers


def _grouped(owner: IntArray) -> tuple[Grouping, IntArray]:
    """From the dataset that each free parameter belongs to; with as many places as take the least memory."""
    own = np.flatnonzero(owner >= 0)
    own = own[np.argsort(owner[own], kind="stable")]
    datasets, first, counts = np.unique(owner[own], return_index=True, return_counts=True)
    n_several = int(np.count_nonzero(owner == _SEVERAL))
    n_places = min(set(counts.tolist()) or {1}, key=lambda n: _numbers(n, counts, n_several))
    fits = counts <= n_places
    row = np.repeat(np.where(fits, np.cumsum(fits) - 1, -1), counts)
    place = np.arange(own.size) - np.repeat(first, counts)
    nobodys = np.flatnonzero(owner == _NOBODY)
    n_rows, n_more = int(np.count_nonzero(fits)), -(-nobodys.size // n_places)
    table = np.full((n_rows + n_more, n_places), -1, dtype=np.intp)
    table[row[row >= 0], place[row >= 0]] = own[row >= 0]
    table[n_rows:].flat[: nobodys.size] = nobodys
    shared = np.sort(np.concatenate([np.flatnonzero(owner == _SEVERAL), own[row < 0]]))
    grouping = Grouping(owner.size, shared.astype(np.intp), table)
    return grouping, np.concatenate([datasets[fits], np.full(n_more, -1)])


def _numbers(n_places: int, counts: IntArray, n_several: int) -> int:
    """How many a bordered matrix has with so many places in a group; datasets with more parameters share theirs."""
    n_shared = n_several + int(counts[counts > n_places].sum())
    return n_shared**2 + int(np.count_nonzero(counts <= n_places)) * n_places * (n_places + n_shared)
