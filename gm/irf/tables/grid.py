"""Values on the nodes of axes, and their linear interpolation, as Gammapy 2.1 interpolates response tables.

Linear between bin centres in the scale of each axis, continued by the end segments; an axis of one bin is a constant.
What lies outside the edges of an axis is for the caller to say (`Grid.outside`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray, IntArray
from gm.irf.interpolation import in_scale
from gm.maps.axes import Axis

_FEW = 32  # nodes of an axis that are all weighted


@final
@dataclass(frozen=True, eq=False)
class Grid:
    """``values : (axis_0.n_bins, axis_1.n_bins, ...)`` in any unit."""

    axes: tuple[Axis, ...]
    values: Array

    def at(self, *coordinates: ArrayLike) -> Array:
        """Interpolated values at coordinates, one array for each axis, broadcast against each other: a new array.

        An axis whose coordinate varies along a dimension of its own is contracted before the others are looked up, so
        that a table is evaluated on a product of axes at the cost of its smallest part.
        """
        arrays = [np.asarray(c, dtype=np.float64) for c in coordinates]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        arrays = [array.reshape((1,) * (len(shape) - array.ndim) + array.shape) for array in arrays]
        spread = [{d for d in range(len(shape)) if array.shape[d] > 1} for array in arrays]
        own = [
            i for i, dims in enumerate(spread) if len(dims) <= 1 and sum(not dims.isdisjoint(s) for s in spread) <= 1
        ]
        own.sort(key=lambda i: min(spread[i], default=-1))
        rest = [i for i in range(len(arrays)) if i not in own]
        table = self.values
        for i in sorted(own, key=lambda i: arrays[i].size / self.axes[i].n_bins):  # at first what makes it smaller
            table = _contract(table, i, self.axes[i], arrays[i].ravel())
        values = self._look_up(table.transpose(*rest, *own), rest, [arrays[i] for i in rest], len(shape))
        return _placed(values, [next(iter(spread[i]), None) for i in own], shape)

    def _look_up(self, table: Array, axes: list[int], coordinates: list[Array], n_dims: int) -> Array:
        """Gather the corners around points: ``(*points, *other axes)``, points of ``n_dims`` dimensions."""
        if not axes:
            return table.reshape((1,) * n_dims + table.shape)
        if len(axes) == 1 and len(table) <= _FEW:
            return _weighted(table, self.axes[axes[0]], coordinates[0])
        places = [_place(self.axes[i], c) for i, c in zip(axes, coordinates, strict=True)]
        sizes = [self.axes[i].n_bins for i in axes]
        flat = table.reshape(-1, *table.shape[len(axes) :])
        total: Array | None = None
        for corner in np.ndindex((2,) * len(axes)):
            index: IntArray | int = 0
            weight: Array | float = 1.0
            for up, (at, w), size in zip(corner, places, sizes, strict=True):
                index = index * size + np.minimum(at + up, size - 1)
                weight = weight * (w if up else 1.0 - w)
            values = flat.take(index, axis=0)
            values *= np.reshape(weight, np.shape(weight) + (1,) * (flat.ndim - 1))
            total = values if total is None else np.add(total, values, out=total)
        return np.asarray(total)

    def outside(self, axis: int, coordinate: ArrayLike) -> BoolArray:
        """Where a coordinate, of any shape, lies beyond the first or the last edge of an axis, or is not finite."""
        edges, values = self.axes[axis].edges, np.asarray(coordinate, dtype=np.float64)
        return np.asarray(~((values >= edges[0]) & (values <= edges[-1])))

    def masked(self, *coordinates: ArrayLike) -> Array:
        """`at`, broadcast, not below 0, and 0 outside the edges of any axis. Cells below 0 are the noise of their
        maker."""
        values = self.at(*coordinates)
        np.maximum(values, 0.0, out=values)
        self.clear_outside(values, coordinates)
        return values

    def clear_outside(self, values: Array, coordinates: Sequence[ArrayLike]) -> None:
        """Set values at these coordinates, broadcast to the same shape, to 0 beyond the edges of any axis."""
        for axis, coordinate in enumerate(coordinates):
            outside = self.outside(axis, coordinate)
            if outside.any():
                np.copyto(values, 0.0, where=outside)


def _place(axis: Axis, coordinate: Array) -> tuple[IntArray, Array]:
    """Index of the lower node, and the weight of the upper one."""
    if axis.n_bins == 1:
        return np.zeros(coordinate.shape, dtype=np.intp), np.zeros(coordinate.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        nodes, x = in_scale(axis, axis.center), in_scale(axis, coordinate)
    index: IntArray = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return index, (x - nodes[index]) / (nodes[index + 1] - nodes[index])


def _weighted(table: Array, axis: Axis, coordinate: Array) -> Array:
    """``(*points, *other axes)`` of a table over one axis and others: all nodes weighted, of which two count.

    A product of matrices whose result has the points last in memory, where what is done next finds them.
    """
    index, weight = _place(axis, coordinate.ravel())
    weights, column = np.zeros((len(table), weight.size)), np.arange(weight.size)
    weights[index, column] = 1.0 - weight
    weights[np.minimum(index + 1, len(table) - 1), column] += weight
    values = (table.reshape(len(table), -1).T @ weights).reshape(*table.shape[1:], *coordinate.shape)
    others = range(table.ndim - 1)
    return np.moveaxis(values, others, range(-len(others), 0)) if others else values


def _contract(table: Array, at: int, axis: Axis, coordinate: Array) -> Array:
    """The table with one axis replaced by points on it."""
    index, weight = _place(axis, coordinate)
    weight = weight.reshape((-1,) + (1,) * (table.ndim - 1 - at))
    lower = table.take(index, axis=at)
    return lower + weight * (table.take(np.minimum(index + 1, axis.n_bins - 1), axis=at) - lower)


def _placed(values: Array, dims: list[int | None], shape: tuple[int, ...]) -> Array:
    """``(*points, *own)`` with each own axis moved to its dimension among those of the points."""
    n_dims = len(shape)
    for dim in dims:  # the next own axis is always the first behind the points
        values = np.asarray(
            values.take(0, n_dims) if dim is None else np.moveaxis(values, n_dims, dim).squeeze(dim + 1)
        )
    return np.broadcast_to(values, shape).copy() if values.shape != shape else values


def normalised(values: Array, widths: Array) -> Array:
    """Densities ``(n_energy, n, n_y, n_x)``, not negative, divided by their integral; 0 where there is none."""
    total = np.einsum("en...,n->e...", values, widths)[:, None]
    return np.asarray(values / np.where(total > 0.0, total, np.inf))
