"""Linear interpolation along the axes of a response, with the conventions of Gammapy 2.1.

Two rules are in use there. Values of a map are linear in the *pixel coordinate* of an axis (``axis.pixel``);
containments are linear between the bin centres in the axis' scale. Both continue their end pieces beyond the ends.
"""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, IntArray
from gm.maps.axes import Axis


def linear_weights(position: Array, size: int) -> tuple[IntArray, Array]:
    """Index ``i`` and weight ``w`` of ``v[i] (1 - w) + v[i + 1] w`` at pixel coordinates of any shape; ``size`` is 2 or
    more."""
    index: IntArray = np.clip(np.floor(position), 0, size - 2).astype(np.intp)
    return index, position - index


def interpolation_matrix(position: Array, size: int) -> Array:
    """Matrix ``(n, size)`` that interpolates linearly at pixel coordinates ``(n,)``; a single value is a constant."""
    if size == 1:
        return np.ones((len(position), 1))
    index, weight = linear_weights(position, size)
    matrix = np.zeros((len(position), size))
    rows = np.arange(len(position))
    matrix[rows, index] = 1.0 - weight
    matrix[rows, index + 1] = weight
    return matrix


def center_matrix(axis: Axis, coordinate: Array) -> Array:
    """Matrix ``(n, n_bins)`` that interpolates linearly between bin centres, in the axis' scale."""
    nodes, x = in_scale(axis, axis.center), in_scale(axis, coordinate)
    if len(nodes) == 1:
        return np.ones((len(x), 1))
    index = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return interpolation_matrix(index + (x - nodes[index]) / (nodes[index + 1] - nodes[index]), len(nodes))


def in_scale(axis: Axis, coordinate: Array) -> Array:
    """A coordinate of any shape, its logarithm or its root: that in which the axis is linear."""
    if axis.interp == "log":
        return np.asarray(np.log(coordinate))
    return np.asarray(np.sqrt(coordinate)) if axis.interp == "sqrt" else coordinate


def bilinear(shape: tuple[int, int], x: float, y: float) -> tuple[IntArray, IntArray, Array]:
    """Rows, columns and weights, (n,) each, of the linear interpolation at a pixel; along a side of one pixel there is
    none."""
    rows, row_weights = _side(y, shape[0])
    columns, column_weights = _side(x, shape[1])
    grid = np.meshgrid(rows, columns, indexing="ij")
    return grid[0].ravel(), grid[1].ravel(), np.outer(row_weights, column_weights).ravel()


def _side(at: float, size: int) -> tuple[IntArray, Array]:
    if size == 1:
        return np.zeros(1, dtype=np.intp), np.ones(1)
    first = int(np.clip(np.floor(at), 0, size - 2))
    return np.array([first, first + 1], dtype=np.intp), np.array([first + 1 - at, at - first])
