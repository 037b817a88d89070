"""Pixel integrals of shapes that are exact to a millionth of the whole, by cells that are divided where it matters.

A cell is a square part of a pixel. Its integral by nine Gauss-Legendre nodes is compared with that of its quarters.
Where both differ, and near the shape as long as a cell is larger than what resolves it, the quarters are divided again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial.offsets import Offsets
from gm.models.spatial.rings import RingedShape, sides

_TOLERANCE = 3e-9  # per cell, of the flux
_ROUGH_TOLERANCE = 1e-7  # the same for edges of unbounded slope, which are resolved beforehand
_DEPTH = 14
_STEP = 2e-3  # of a radius, for derivatives by differences
_FINE = 40  # parts of the radius of a shape, between edges
_CHUNK = 1 << 14
_NODE = np.sqrt(0.15)
_OFFSETS = np.array([-_NODE, 0.0, _NODE])
_WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0
_NODE_X, _NODE_Y = np.tile(_OFFSETS, 3), np.repeat(_OFFSETS, 3)
_NODE_WEIGHT = np.outer(_WEIGHTS, _WEIGHTS).ravel()
_QUARTER_X, _QUARTER_Y = np.array([-0.25, 0.25, -0.25, 0.25]), np.array([-0.25, -0.25, 0.25, 0.25])


class Shape(RingedShape, Protocol):
    """What is integrated."""

    @property
    def frame(self) -> str: ...
    def position(self, values: Array) -> tuple[float, float] | None: ...
    def evaluation_radius(self, values: Array) -> float | None: ...
    def bin_min(self, values: Array) -> float | None: ...
    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool] | None: ...
    def evaluate(self, vectors: Array, values: Array) -> Array: ...
    def evaluate_with_gradient(self, vectors: Array, values: Array) -> tuple[Array, Array]: ...


@dataclass(frozen=True, eq=False)
class Cells:
    """Squares of ``size`` [pixel] around x, y (n,), each in the pixel ``y0 n_x + x0``."""

    x: Array
    y: Array
    pixel: IntArray
    size: float

    def quarters(self, which: BoolArray | None = None) -> Cells:
        """The four quarters of each cell, or of some, (4 n,)."""
        x, y, pixel = (
            (self.x, self.y, self.pixel) if which is None else (self.x[which], self.y[which], self.pixel[which])
        )
        return Cells(
            (x[:, None] + self.size * _QUARTER_X).ravel(),
            (y[:, None] + self.size * _QUARTER_Y).ravel(),
            np.repeat(pixel, 4),
            0.5 * self.size,
        )

    def positions(self) -> tuple[Array, Array]:
        """Pixel coordinates (n, 9) of the nodes in each cell."""
        return self.x[:, None] + self.size * _NODE_X, self.y[:, None] + self.size * _NODE_Y

    def some(self, which: BoolArray | slice) -> Cells:
        return Cells(self.x[which], self.y[which], self.pixel[which], self.size)

    def chunks(self) -> Iterator[Cells]:
        """The cells in parts that fit the processor's cache."""
        for start in range(0, len(self.x), _CHUNK):
            yield self.some(slice(start, start + _CHUNK))


def integrate_exactly(shape: Shape, grid: PixelGrid, values: Array) -> Array:
    """Share of the flux in each pixel, (ny, nx), to 1e-6 of the whole."""
    return _by_pixel(grid, [(cells, integral) for cells, integral in divide(shape, grid, values)])


def integrate_exactly_with_gradient(shape: Shape, grid: PixelGrid, values: Array) -> tuple[Array, Array]:
    """`integrate_exactly`, and its derivatives by every parameter (n_par, ny, nx).

    On the same cells; by central differences for shapes with edges where derivatives have no bound.
    """
    if is_rough(shape, values):
        return integrate_exactly(shape, grid, values), _differences(shape, grid, values)
    leaves = list(divide(shape, grid, values))
    rows: list[list[tuple[Cells, Array]]] = [[] for _ in values]
    for cells in (chunk for leaf, _ in leaves for chunk in leaf.chunks()):
        vectors, weight = nodes_of(shape, grid, cells)
        _, gradient = shape.evaluate_with_gradient(vectors, values)
        for row, by_node in zip(rows, gradient, strict=True):
            row.append((cells, np.einsum("ij,ij->i", np.nan_to_num(by_node), weight)))
    return _by_pixel(grid, leaves), np.stack([_by_pixel(grid, row) for row in rows])


def is_rough(shape: Shape, values: Array) -> bool:
    """Whether a shape with values (n_par,) has edges at which derivatives have no bound."""
    found = shape.edges(np.array([[1.0], [0.0], [0.0]]), values)
    return found is not None and found[2]


def _differences(shape: Shape, grid: PixelGrid, values: Array) -> Array:
    rows = []
    for k in range(len(values)):
        *both, apart = step_aside(shape, values, k)
        up, down = (integrate_exactly(shape, grid, side) for side in both)
        rows.append((up - down) / apart)
    return np.stack(rows)


def step_aside(shape: Shape, values: Array, k: int) -> tuple[Array, Array, float]:
    """Values (n_par,) with more and less of one parameter of a shape that has a size, and their difference."""
    size = shape.rings(values[2:]).major
    return sides(shape, values, k, _STEP * (float(values[k]) if shape.paths[k] == "eta" else size), 0.0)


def divide(shape: Shape, grid: PixelGrid, values: Array) -> Iterator[tuple[Cells, Array]]:
    """Cells that need no further division, and their integrals, (n,)."""
    n_x = grid.shape[1]
    pixel = np.flatnonzero(_within_reach(shape, grid, values))
    cells = Cells((pixel % n_x).astype(np.float64), (pixel // n_x).astype(np.float64), pixel, 1.0)
    integral = _integral(shape, grid, values, cells)
    tolerance = _ROUGH_TOLERANCE if is_rough(shape, values) else _TOLERANCE
    for depth in range(_DEPTH):
        quarters = cells.quarters()
        parts = _integral(shape, grid, values, quarters)
        coarse = np.abs(parts.reshape(-1, 4).sum(axis=1) - integral) > tolerance
        coarse |= _unresolved(shape, grid, values, cells)
        if depth == _DEPTH - 1:
            coarse[:] = False
        last = np.repeat(coarse, 4)
        yield quarters.some(~last), parts[~last]
        if not coarse.any():
            return
        cells, integral = quarters.some(last), parts[last]


def _within_reach(shape: Shape, grid: PixelGrid, values: Array) -> BoolArray:
    """Pixels (n_pixels,) in which there may be flux."""
    y, x = (index.ravel().astype(np.float64) for index in np.indices(grid.shape))
    rings = shape.rings(values[2:])
    away = Offsets(grid.sky(shape.frame, x, y), values[0], values[1]).separation
    return np.asarray(np.degrees(away) < rings.major * rings.edges[-1] + 2.0 * grid.scale)


def _unresolved(shape: Shape, grid: PixelGrid, values: Array, cells: Cells) -> BoolArray:
    """Cells that the shape may lie in, and that are larger than what resolves it or the edge that runs through them."""
    place, radius, bin_min = shape.position(values), shape.evaluation_radius(values), shape.bin_min(values)
    near = np.zeros(len(cells.x), dtype=np.bool_)
    if place is None or radius is None or bin_min is None:
        return near
    x, y = grid.geometry.position(place[0], place[1], shape.frame)
    reach = radius / min(grid.geometry.pixel_scales()) + cells.size
    near = np.asarray((np.abs(cells.x - float(x)) < reach) & (np.abs(cells.y - float(y)) < reach))
    size = cells.size * grid.scale
    if size > 4 * max(bin_min, radius / _FINE):  # the edges of a thin shell are close to each other, and seen below
        return near
    found = shape.edges(grid.sky(shape.frame, cells.x[near], cells.y[near]), values)
    if found is None or size <= found[1]:
        return np.zeros_like(near)
    near[near] = found[0] < size + found[1]
    return near


def _integral(shape: Shape, grid: PixelGrid, values: Array, cells: Cells) -> Array:
    parts = []
    for chunk in cells.chunks():
        vectors, weight = nodes_of(shape, grid, chunk)
        parts.append(np.einsum("ij,ij->i", np.nan_to_num(shape.evaluate(vectors, values)), weight))
    return np.concatenate(parts) if parts else np.zeros(0)


def nodes_of(shape: Shape, grid: PixelGrid, cells: Cells) -> tuple[Array, Array]:
    """Unit vectors (3, n, 9) and weights [sr] (n, 9) of the nodes."""
    x, y = cells.positions()
    weight = grid.area_density(cells.pixel, x, y) * (_NODE_WEIGHT * cells.size**2)
    return grid.sky(shape.frame, x, y), weight


def _by_pixel(grid: PixelGrid, parts: list[tuple[Cells, Array]]) -> Array:
    n = grid.shape[0] * grid.shape[1]
    pixel = np.concatenate([cells.pixel for cells, _ in parts])
    summed = np.bincount(pixel, np.concatenate([value for _, value in parts]), n)
    return np.asarray(summed, dtype=np.float64).reshape(grid.shape)
