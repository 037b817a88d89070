r"""Shapes inside of pixels: what a convolution needs to know of a shape to see more of it than its sum in each pixel.

The response :math:`K(q)` of a pixel to a source at :math:`q` is smooth across a source pixel. It is taken at n x n
nodes :math:`q_j` and interpolated with Lagrange polynomials :math:`L_j` of the pixel's own coordinates, so that

.. math:: \int S(q) K(q)\, dq = \sum_j K(q_j) \int S(q) L_j(q)\, dq.

The shares :math:`\int S L_j` add up to the integral of the shape over the pixel, wherever in the pixel it is. Nodes are
those of Gauss and Legendre, with which the error is of order 2n where the shape is smooth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial.base import POINTLIKE, ExtendedModel, RadialModel, SpatialModel
from gm.models.spatial.exact_integration import divide, is_rough, nodes_of, step_aside
from gm.models.spatial.pixel_nodes import Nodes


@final
class PixelNodes(Nodes):
    """The n x n nodes of a pixel. ``x``, ``y`` (n^2,): offsets from the centre [pixel]; ``weight`` (n^2,), sum 1.

    is_sampled : shapes are evaluated at the nodes and nowhere else. Where shape and response are both wide in pixels
        the sum over all pixels has no error at all, already with one node each (the Euler-Maclaurin formula).
    """

    def __init__(self, n: int, *, is_sampled: bool = False) -> None:
        self.is_sampled = is_sampled
        nodes, weights = np.polynomial.legendre.leggauss(n)
        self.n, self._nodes = n, 0.5 * nodes
        self.x, self.y = np.tile(self._nodes, n), np.repeat(self._nodes, n)
        self.weight = 0.25 * np.outer(weights, weights).ravel()
        difference = self._nodes[:, None] - self._nodes
        np.fill_diagonal(difference, 1.0)
        self._scale = 1.0 / difference.prod(axis=1)

    def polynomials(self, t: Array) -> Array:
        """Lagrange polynomials (n, ...) at coordinates (...) within -1/2 and 1/2."""
        factors = t - self._nodes.reshape(-1, *(1,) * t.ndim)
        others = [np.delete(factors, k, axis=0).prod(axis=0) for k in range(self.n)]
        return np.asarray(np.stack(others) * self._scale.reshape(-1, *(1,) * t.ndim))

    def shares(self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """``integral of S L_j`` in every pixel, (n^2, ny, nx); (n_energy, n^2, ny, nx) where energy matters.

        To 1e-6 of the flux for radial shapes; by the nodes' own weights for maps, which are smooth inside of pixels.
        """
        if isinstance(shape, RadialModel) and not self.is_sampled:
            return np.asarray(self._summed(shape, grid, shape.sized(values, POINTLIKE * grid.scale))[0])
        assert isinstance(shape, ExtendedModel)
        vectors, solid_angle = self._everywhere(grid, shape.frame)
        return np.asarray(np.nan_to_num(shape.evaluate(vectors, values, energy)) * solid_angle)

    def shares_gradient(
        self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None, moves: BoolArray
    ) -> Array:
        if self.is_sampled or not isinstance(shape, RadialModel):
            assert isinstance(shape, ExtendedModel)
            vectors, solid_angle = self._everywhere(grid, shape.frame)
            _, gradient = shape.evaluate_with_gradient(vectors, values, energy)
            return np.asarray(np.nan_to_num(gradient) * solid_angle)
        values = shape.sized(values, POINTLIKE * grid.scale)
        if not is_rough(shape, values):
            return np.asarray(self._summed(shape, grid, values, with_gradient=True)[1:])
        rows = np.zeros((len(values), self.n**2, *grid.shape))
        for k in np.flatnonzero(moves).tolist():
            *both, apart = step_aside(shape, values, k)
            up, down = (self._summed(shape, grid, side)[0] for side in both)
            rows[k] = (up - down) / apart
        return rows

    def _summed(self, shape: RadialModel, grid: PixelGrid, values: Array, *, with_gradient: bool = False) -> Array:
        """Shares (1, n^2, ny, nx), and behind them their derivatives."""
        total = np.zeros((1 + with_gradient * len(values), self.n**2, grid.shape[0] * grid.shape[1]))
        for pixel, vectors, weight in self._by_cell(shape, grid, values):
            density: list[Array] = [shape.evaluate(vectors, values)]
            if with_gradient:
                density = [density[0], *shape.evaluate_with_gradient(vectors, values)[1]]
            for image, one in zip(total, density, strict=True):
                by_cell = np.einsum("ab,abij->ija", np.nan_to_num(one), weight).reshape(self.n**2, -1)
                for row, part in zip(image, by_cell, strict=True):
                    row += np.bincount(pixel, part, len(row))
        return total.reshape(*total.shape[:2], *grid.shape)

    def _by_cell(self, shape: RadialModel, grid: PixelGrid, values: Array) -> Iterator[tuple[IntArray, Array, Array]]:
        """Cells that resolve a shape: pixels (c,), unit vectors (3, c, 9), weights times polynomials (c, 9, n, n)."""
        for leaf, _ in divide(shape, grid, values):
            for cells in leaf.chunks():
                vectors, solid_angle = nodes_of(shape, grid, cells)
                row, column = np.divmod(cells.pixel, grid.shape[1])
                x, y = cells.positions()
                along_x, along_y = self.polynomials(x - column[:, None]), self.polynomials(y - row[:, None])
                yield cells.pixel, vectors, np.einsum("ab,iab,jab->abij", solid_angle, along_y, along_x)

    def _everywhere(self, grid: PixelGrid, frame: str) -> tuple[Array, Array]:
        """Unit vectors (3, n^2, ny, nx) of the nodes of all pixels, and what a density there counts [sr]."""
        n_y, n_x = grid.shape
        x = np.arange(n_x) + self.x[:, None, None] + np.zeros((n_y, 1))
        y = np.arange(n_y)[:, None] + self.y[:, None, None] + np.zeros(n_x)
        by_pixel = (np.moveaxis(a, 0, -1).reshape(n_y * n_x, -1) for a in (x, y))
        area = grid.area_density(np.arange(n_y * n_x), *by_pixel).reshape(n_y, n_x, -1)
        return grid.sky(frame, x, y), np.moveaxis(area, -1, 0) * self.weight[:, None, None]
