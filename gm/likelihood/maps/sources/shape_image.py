"""The shapes of components on the pixels of a map: their images, how far these reach, and where they stay."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import unit_vectors
from gm.models import SpatialModel
from gm.models.spatial.base import RadialModel, oversampling
from gm.models.spatial.spline_nodes import SplineNodes

MARGIN = 0.1  # [deg] beyond the evaluation radius, as Gammapy has it
GROWTH = 1.5  # how far a free shape may grow before its window is too small
_COARSE = 1.5  # of the sub-pixels along each side that a shape asks for
_NODES = 3  # along each side of a pixel, as many as are needed for edges
_FINEST = 60  # nodes along the radius of a shape, beyond which edges are as sharp with fewer
_NOTHING = 1e-10  # of a shape's flux


def support_of(shape: SpatialModel | None, grid: PixelGrid, values: Array) -> tuple[slice, slice] | None:
    """Rows and columns of a window that hold all of a compact shape, with room to move and grow; None: everything.

    values : (n_par,)
    """
    if not isinstance(shape, RadialModel):
        return None
    place, radius = shape.position(values), shape.evaluation_radius(values)
    if place is None or radius is None:
        return None
    around = grid.window(*place, shape.frame, 2 * (radius * GROWTH + MARGIN), 1)
    if around is None:
        return None
    # A radial shape is nowhere brighter outside than on the border.
    y, x = np.arange(around.y0 - 1, around.y1 + 1), np.arange(around.x0 - 1, around.x1 + 1)
    border = [*((u, v) for u in (x[0], x[-1]) for v in y), *((u, v) for u in x for v in (y[0], y[-1]))]
    density = shape.evaluate(grid.sky(shape.frame, *np.array(border, dtype=np.float64).T), values)
    area = np.radians(grid.scale) ** 2 * grid.shape[0] * grid.shape[1]
    return around.slices if area * float(np.nan_to_num(density).max()) <= _NOTHING else None


class ShapeReach:
    """Responses are taken where a shape starts; they hold until it moves by its radius (now or then) and 0.1 deg.

    One for all datasets with pixels of one size, which ask for the same shape one after the other.

    pixel : [deg], where it is cut into sub-pixels as the shape asks for at the start: as long as these resolve it
    """

    def __init__(self, shape: SpatialModel, values: Array, pixel: float | None = None) -> None:
        self._shape, self._start, self._pixel = shape, values, pixel
        self._last: tuple[bytes, bool] | None = None

    def is_current(self, values: Array) -> bool:
        """Whether it would have much the same responses if it started there, and as many sub-pixels."""
        moved = self._moved(values)
        if moved is not None and not moved <= MARGIN:
            return False
        if self._pixel is None or not isinstance(self._shape, RadialModel):
            return True
        return sub_pixels(self._shape, self._pixel, values) == sub_pixels(self._shape, self._pixel, self._start)

    def covers(self, values: Array) -> bool:
        key = values.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self._covers(values)
        return self._last[1]

    def _covers(self, values: Array) -> bool:
        moved = self._moved(values)
        now, before = self._shape.evaluation_radius(values), self._shape.evaluation_radius(self._start)
        if moved is None or now is None or before is None:
            return True
        if not (np.isfinite(moved) and self._resolves(values)):
            return False
        return moved <= min(before, now) + MARGIN and moved + now <= before * GROWTH + MARGIN

    def _moved(self, values: Array) -> float | None:
        """How far [deg] it is from where it started; infinite for a position that is none. None: it has no position."""
        here, there = self._shape.position(values), self._shape.position(self._start)
        if here is None or there is None:
            return None
        if not np.isfinite(here).all():
            return float("inf")
        a, b = (unit_vectors(np.array([lon]), np.array([lat])) for lon, lat in (here, there))
        return float(np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b) / 2, 0, 1))))

    def _resolves(self, values: Array) -> bool:
        """Whether the sub-pixels of the start are hardly larger than what the shape asks for at ``values``."""
        if self._pixel is None or not isinstance(self._shape, RadialModel):
            return True
        needed = sub_pixels(self._shape, self._pixel, values)
        return needed <= _COARSE * sub_pixels(self._shape, self._pixel, self._start)


def sub_pixels(shape: RadialModel, pixel: float, values: Array) -> int:
    """Into how many parts the sides of pixels [deg] are cut in a fit of a shape. values : (n_par,)"""
    size = shape.resolution(shape.sized(values))
    assert size is not None
    return oversampling(pixel, size)


class ShapeImage:
    """The shape of a component on the pixels of a grid; no shape means the full flux in every pixel."""

    may_be_negative = True  # a template

    def __init__(self, shape: SpatialModel | None, grid: PixelGrid, energy: Array, values: Array | None) -> None:
        self._shape, self._grid, self._values = shape, grid, values
        self._energy = energy if shape is not None and shape.is_energy_dependent else None

    def pixels(self, values: Array) -> Array:
        if self._shape is None:
            return np.ones(self._grid.shape)
        return self._shape.integrate(self._grid, self._at(values), self._energy)

    def pixels_gradient(self, values: Array) -> Array:
        if self._shape is None:
            return np.zeros((0, *self._grid.shape))
        return self._shape.integrate_gradient(self._grid, self._at(values), self._energy)[1]

    def _at(self, values: Array) -> Array:
        return values if self._values is None else self._values


class SmoothImage:
    """A radial shape on the pixels of a grid for fits: sums over sub-pixels jump where an edge crosses their centres.

    The shares at the nodes of a finer lattice, summed: smooth in every parameter, and the integrals over the pixels but
    for some percent of the brightest one at an edge, which no PSF shows. A shape that has grown far beyond the one that
    the fit starts with takes Gammapy's sums. start : (n_shape,) its values; moves : (n_shape,) which of them change.
    """

    may_be_negative = False  # but for what splines leave at an edge

    def __init__(self, shape: RadialModel, grid: PixelGrid, start: Array, moves: BoolArray) -> None:
        self._shape, self._grid, self._moves = shape, grid, moves
        self._radius = shape.evaluation_radius(shape.sized(start)) or 0.0
        self._nodes = SplineNodes(int(np.clip(_FINEST * grid.scale / self._radius, 1, _NODES)))

    def _is_near(self, values: Array) -> bool:
        radius = self._shape.evaluation_radius(values)
        return radius is not None and radius <= GROWTH**2 * self._radius + MARGIN

    def pixels(self, values: Array) -> Array:
        if not self._is_near(values):
            return self._shape.integrate(self._grid, values)
        return np.asarray(self._nodes.shares(self._shape, self._grid, values).sum(axis=0))

    def pixels_gradient(self, values: Array) -> Array:
        if not self._is_near(values):
            return self._shape.integrate_gradient(self._grid, values)[1]
        return np.asarray(self._nodes.shares_gradient(self._shape, self._grid, values, None, self._moves).sum(axis=1))
