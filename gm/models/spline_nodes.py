r"""Radial shapes on a lattice that is as fine as the responses need, by splines: for ``conventions: exact``.

The response :math:`K(q)` of a pixel to a source at q is smooth. It is taken at k x k nodes in every pixel, which are
one lattice together, and interpolated by the cardinal splines :math:`L_j` of that lattice, so that

.. math:: \int S(q) K(q)\, dq = \sum_j K(q_j) \int S(q) L_j(q)\, dq.

The shares :math:`\int S L_j` of a node are sums over the points of a shape (`gm.models.rings`). They add up to its
flux, edges inside of pixels are no matter, and all is a smooth function of every parameter. A density that is smooth on
the lattice is its own interpolation: its shares are its values there, and points are left for the cusp in its centre.

Beyond the grid nothing is seen: at its border a shape fades out within the reach of a spline.
"""

from __future__ import annotations

from typing import final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import lon_lat
from gm.models.offsets import Offsets
from gm.models.pixel_nodes import Nodes
from gm.models.rings import RingLayout, core_part, floored, steps_of
from gm.models.spatial import RadialModel, SpatialModel
from gm.models.splines import TAPS, cardinal, spread

_MARGIN = 16  # nodes around the grid, beyond which a cardinal spline is 1e-4
_SMOOTH = (
    1.5  # width [nodes] of a Gaussian that is smooth: to exp(-2 (pi sigma)^2), sigma of shape and response together
)
_CORE = 3.0  # width [nodes] of the part around a cusp
_AT_A_TIME = 1 << 14  # points


@final
class SplineNodes(Nodes):
    """The k x k nodes of a pixel, for radial shapes."""

    def __init__(self, k: int) -> None:
        self.n, offsets = k, (np.arange(k) + 0.5) / k - 0.5
        self.x, self.y = np.tile(offsets, k), np.repeat(offsets, k)
        self._sky: tuple[PixelGrid, str, Array, Array] | None = None

    def shares(self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """``integral of S L_j`` at every node of every pixel, (k^2, ny, nx), to 1e-7 of the flux."""
        assert isinstance(shape, RadialModel)
        return np.asarray(self._images(shape, grid, values, np.zeros(len(values), dtype=bool))[0])

    def shares_gradient(
        self, shape: SpatialModel, grid: PixelGrid, values: Array, energy: Array | None, moves: BoolArray
    ) -> Array:
        assert isinstance(shape, RadialModel)
        return self._images(shape, grid, values, moves)[1:]

    def _images(self, shape: RadialModel, grid: PixelGrid, values: Array, moves: BoolArray) -> Array:
        """Shares and their derivatives, (1 + n_par, k^2, ny, nx)."""
        resolution = grid.scale / self.n
        rings = shape.rings(floored(shape, values, resolution))
        if rings.smooth < _SMOOTH * resolution:
            return self._by_points(shape, grid, values, moves)
        core = _CORE * resolution if rings.is_cusped else None
        images = self._sampled(shape, grid, values, moves, core)
        return images if core is None else images + self._by_points(shape, grid, values, moves, core)

    def _sampled(
        self, shape: RadialModel, grid: PixelGrid, values: Array, moves: BoolArray, core: float | None
    ) -> Array:
        """Values at the nodes, of a density without its core."""
        vectors, area = self._nodes(grid, shape.frame)
        at, images = Offsets(vectors, values[0], values[1]), np.zeros((1 + len(values), *area.shape))
        rest = None if core is None else 1.0 - core_part(at, core)
        if not moves.any():
            density = shape.surface(at, values[2:])
            images[0] = density if rest is None else density * rest
        else:
            density, d_versine, d_angle, d_shape = shape.surface_gradient(at, values[2:])
            if core is not None and rest is not None:
                d_versine = d_versine * rest + density * (1.0 - rest) / np.radians(core) ** 2
                d_angle = None if d_angle is None else d_angle * rest
                density, d_shape = density * rest, [row * rest for row in d_shape]
            rows = [density, *at.by_position(d_versine, d_angle), *d_shape]
            for image, row, moved in zip(images, rows, (True, *moves), strict=True):
                if moved:
                    image[:] = row
        images *= area
        return np.nan_to_num(images, copy=False)

    def _by_points(
        self, shape: RadialModel, grid: PixelGrid, values: Array, moves: BoolArray, core: float | None = None
    ) -> Array:
        """Sums over points of cardinal splines."""
        n_y, n_x = (n * self.n + 2 * _MARGIN for n in grid.shape)
        n_images, resolution = 1 + len(values), grid.scale / self.n
        steps = np.where(moves, steps_of(shape, values, resolution), 0.0)
        lit = np.zeros((n_y * n_x, n_images))
        for part in RingLayout.of(shape, values, resolution, core).parts(_AT_A_TIME):
            place, flux = self._place(shape, grid, part, values)
            inside = np.all((place >= TAPS) & (place < np.array([[n_x], [n_y]]) - TAPS), axis=0)
            if not inside.any():
                continue
            part, place, flux = part.cut(inside), place[:, inside], flux[inside]
            by_node, by_x, by_y = spread(place, (n_y, n_x))
            rows, moved = np.zeros((flux.size, n_images)), np.zeros((2, flux.size, n_images))
            rows[:, 0] = flux
            for k in np.flatnonzero(steps).tolist():
                step = np.eye(len(values))[k] * steps[k]
                (high, more), (low, less) = (self._place(shape, grid, part, values + s * step) for s in (1, -1))
                rows[:, 1 + k] = (more - less) / (2 * steps[k])
                moved[:, :, 1 + k] = flux * (high - low) / (2 * steps[k])
            lit += by_node.T @ rows
            if steps.any():
                lit += by_x.T @ moved[0] + by_y.T @ moved[1]
        images = cardinal(lit.T.reshape(n_images, n_y, n_x))[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        apart = images.reshape(n_images, grid.shape[0], self.n, grid.shape[1], self.n).transpose(0, 2, 4, 1, 3)
        return np.ascontiguousarray(apart).reshape(n_images, self.n**2, *grid.shape)

    def _place(self, shape: RadialModel, grid: PixelGrid, layout: RingLayout, values: Array) -> tuple[Array, Array]:
        """Places of points on the lattice with its margin (2, n), x and y, and their fluxes (n,)."""
        vectors, flux = layout.points(shape, values)
        position = np.stack(grid.geometry.position(*lon_lat(vectors), shape.frame))
        return (position + 0.5) * self.n - 0.5 + _MARGIN, flux

    def _nodes(self, grid: PixelGrid, frame: str) -> tuple[Array, Array]:
        """Unit vectors (3, k^2, ny, nx) of all nodes, and the solid angle that each stands for [sr]; kept."""
        if self._sky is None or self._sky[0] is not grid or self._sky[1] != frame:
            n_y, n_x = grid.shape
            x = np.arange(n_x) + self.x[:, None, None] + np.zeros((n_y, 1))
            y = np.arange(n_y)[:, None] + self.y[:, None, None] + np.zeros(n_x)
            by_pixel = (np.moveaxis(a, 0, -1).reshape(n_y * n_x, -1) for a in (x, y))
            area = grid.area_density(np.arange(n_y * n_x), *by_pixel).reshape(n_y, n_x, -1)
            self._sky = grid, frame, grid.sky(frame, x, y), np.moveaxis(area, -1, 0) / self.n**2
        return self._sky[2:]
