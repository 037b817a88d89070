r"""Radial shapes on a lattice that is as fine as the responses need, by splines: for ``conventions: exact``.

The response :math:`K(q)` of a pixel to a source at q is smooth. It is taken at k x k nodes in every pixel, which are
one lattice together, and interpolated by the cardinal splines :math:`L_j` of that lattice, so that

.. math:: \int S(q) K(q)\, dq = \sum_j K(q_j) \int S(q) L_j(q)\, dq.

The shares :math:`\int S L_j` of a node are sums over the points of a shape (`gm.models.spatial.rings`). They add up to
its flux, edges inside of pixels are no matter, and all is a smooth function of every parameter. A density that is
smooth on the lattice is its own interpolation: its shares are its values there, and points are left for the cusp in
its centre.

Beyond the grid nothing is seen: at its border a shape fades out within the reach of a spline, of which there is nothing
left where the negative parts of splines are as large as the positive ones.
"""

from __future__ import annotations

from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import lon_lat
from gm.models.spatial.base import RadialModel, SpatialModel
from gm.models.spatial.offsets import Offsets
from gm.models.spatial.pixel_nodes import Nodes
from gm.models.spatial.rings import RingLayout, core_part, sides, smallest, steps_of
from gm.models.spatial.splines import cardinal, spread

_MARGIN = 16  # nodes around the grid, beyond which a cardinal spline is 1e-4
_ROOM = 32  # nodes around points, beyond which it is 1e-9
_SMOOTH = (
    1.5  # width [nodes] of a Gaussian that is smooth: to exp(-2 (pi sigma)^2), sigma of shape and response together
)
_NEAR = 4  # nodes beyond the border, where splines of either sign reach far into the grid
_CORE = 3.0  # width [nodes] of the part around a cusp
_FADED = 0.05, 0.25  # sum of the shares, of that of their sizes: nothing is left, and all (0.35 in the midst of a grid)
_AT_A_TIME = 1 << 12  # points: what they spread is 6 MiB with its derivatives


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
        """Shares and their derivatives, (1 + n_par, k^2, ny, nx), or without these (1, ...) where nothing moves."""
        resolution = grid.scale / self.n
        rings = shape.rings(shape.sized(values, smallest(resolution))[2:])
        n_images = 1 + len(moves) if moves.any() else 1
        images = np.zeros((n_images, self.n**2, *grid.shape))
        if rings.smooth < _SMOOTH * resolution:
            self._add_points(images, shape, grid, values, moves)
            return images
        core = _CORE * resolution if rings.is_cusped else None
        self._sample(images, shape, grid, values, moves, core)
        if core is not None:
            self._add_points(images, shape, grid, values, moves, core)
        return images

    def _sample(
        self, images: Array, shape: RadialModel, grid: PixelGrid, values: Array, moves: BoolArray, core: float | None
    ) -> None:
        """Values at the nodes, of a density without its core; one node of all pixels at a time."""
        (vectors, areas), which = self._nodes(grid, shape.frame), _moving(moves)
        for node, area in enumerate(areas):
            rows = _sampled(shape, Offsets(vectors[:, node], values[0], values[1]), values[2:], core, bool(moves.any()))
            for k in which:
                np.nan_to_num(np.multiply(rows[k], area, out=images[k, node]), copy=False)

    def _add_points(
        self,
        images: Array,
        shape: RadialModel,
        grid: PixelGrid,
        values: Array,
        moves: BoolArray,
        core: float | None = None,
    ) -> None:
        """Sums over points of cardinal splines."""
        resolution, n = grid.scale / self.n, self.n
        layout = RingLayout.of(shape, values, resolution, core)
        place, flux = self._place(shape, grid, layout, values)
        size = grid.shape[0] * n, grid.shape[1] * n
        beyond = np.max(np.maximum(-place, place - np.array([[size[1] - 1], [size[0] - 1]])), axis=0)
        seen = beyond < _MARGIN
        if not seen.any() or (core is None and not _is_near(flux, beyond)):
            return
        steps = np.where(moves, steps_of(shape, values, resolution), 0.0)
        layout, place, flux = layout.cut(seen), place[:, seen], flux[seen]
        first = np.floor(place.min(axis=1)).astype(int) - _ROOM
        n_x, n_y = (np.ceil(place.max(axis=1)).astype(int) + _ROOM - first).tolist()
        which, start = _moving(moves), 0
        lit = np.zeros((n_y * n_x, len(which)))
        for part in layout.parts(_AT_A_TIME):
            own = slice(start, start + _AT_A_TIME)
            rows = self._rows(shape, grid, part, values, steps, flux[own])
            lit += spread(place[:, own] - first[:, None], (n_y, n_x), slopes=len(rows) > 1).T @ np.concatenate(rows)
            start += _AT_A_TIME
        for image, lights in zip(which, lit.T, strict=True):
            lattice = np.zeros(size)
            _add_overlap(lattice, cardinal(lights.reshape(n_y, n_x)), first)
            by_node = lattice.reshape(grid.shape[0], n, grid.shape[1], n).transpose(1, 3, 0, 2)
            images[image].reshape(n, n, *grid.shape)[:] += by_node
        if core is None and (beyond > 0).any():
            _fade(images)

    def _rows(
        self, shape: RadialModel, grid: PixelGrid, layout: RingLayout, values: Array, steps: Array, flux: Array
    ) -> Array:
        """Fluxes of points and their derivatives by what has steps (n, 1 + n_steps); then also moments by x and y
        (3, ...)."""
        rows = np.zeros((3 if steps.any() else 1, flux.size, 1 + np.count_nonzero(steps)))
        rows[0, :, 0] = flux
        for column, k in enumerate(np.flatnonzero(steps).tolist(), start=1):
            *both, apart = sides(shape, values, k, float(steps[k]), smallest(layout.resolution))
            if apart:
                (high, more), (low, less) = (self._place(shape, grid, layout, side) for side in both)
                rows[0, :, column] = (more - less) / apart
                rows[1:, :, column] = flux * (high - low) / apart
        return rows

    def _place(self, shape: RadialModel, grid: PixelGrid, layout: RingLayout, values: Array) -> tuple[Array, Array]:
        """Places of points on the lattice (2, n), x and y, and their fluxes (n,)."""
        vectors, flux = layout.points(shape, values)
        position = np.stack(grid.geometry.position(*lon_lat(vectors), shape.frame))
        return (position + 0.5) * self.n - 0.5, flux

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


def _sampled(shape: RadialModel, at: Offsets, values: Array, core: float | None, with_slopes: bool) -> list[Array]:
    """A density without its core, and its derivatives by position and shape: 1 or 1 + n_par, in the shape of ``at``."""
    rest = None if core is None else 1.0 - core_part(at, core)
    if not with_slopes:
        density = shape.surface(at, values)
        return [density if rest is None else density * rest]
    density, d_versine, d_angle, d_shape = shape.surface_gradient(at, values)
    if core is not None and rest is not None:
        d_versine = d_versine * rest + density * (1.0 - rest) / np.radians(core) ** 2
        d_angle = None if d_angle is None else d_angle * rest
        density, d_shape = density * rest, [row * rest for row in d_shape]
    return [density, *at.by_position(d_versine, d_angle), *d_shape]


def _is_near(flux: Array, beyond: Array) -> bool:
    """Whether of points (n,) so many nodes ``beyond`` the border of a grid some are within a node, as far as a cardinal
    spline is positive, of all that are near."""
    return float(flux[beyond < 1].sum()) > _FADED[0] * float(flux[beyond < _NEAR].sum())


def _fade(images: Array) -> None:
    """Take from shares and their derivatives, (1 + n_par, k^2, ny, nx), a shape so far beyond the border that only the
    ends of splines reach in: their sum may be negative. It fades out as the sum falls below that of their sizes."""
    flat = images.reshape(len(images), -1)
    image, total, size = flat[0].copy(), flat.sum(axis=1), float(np.abs(flat[0]).sum())
    none, all_ = _FADED
    if total[0] >= all_ * size:
        return
    ratio = total[0] / size
    part = np.clip((ratio - none) / (all_ - none), 0.0, 1.0)
    d_ratio = (total - ratio * (flat @ np.sign(image))) / size
    slope = 6.0 * part * (1.0 - part) / (all_ - none) * d_ratio
    slope[0] = 0.0
    flat *= part**2 * (3.0 - 2.0 * part)
    flat += slope[:, None] * image


def _moving(moves: BoolArray) -> list[int]:
    """Which of a shape and its derivatives by its values (n_par,) are made: the shape, and those that move."""
    return [0, *(np.flatnonzero(moves) + 1).tolist()]


def _add_overlap(image: Array, part: Array, first: IntArray) -> None:
    """Add an image of a part of a lattice that starts at ``first`` (x, y) as far as it lies in the lattice."""
    own, its = [], []
    for n, n_part, start in zip(image.shape, part.shape, first[::-1].tolist(), strict=True):
        own.append(slice(max(start, 0), max(min(start + n_part, n), 0)))
        its.append(slice(own[-1].start - start, own[-1].stop - start))
    image[*own] += part[*its]
