"""Sky components on a map as the responses say, for ``conventions: exact``.

A point is where it is: the PSF is integrated over the pixels around its true position, and the exposure is the one
there. Extended shapes are folded as `gm.likelihood.maps.folding.exact` says. Both are smooth in the position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.irf.point_spread import PixelPoints, PointSpread
from gm.likelihood.maps.folding.exact import ExactRecoFolding, ExactTrueFolding, node_kernels
from gm.likelihood.maps.folding.folding import Folding
from gm.likelihood.maps.folding.frequencies import Part
from gm.likelihood.maps.folding.node_convolution import KEPT_BYTES
from gm.likelihood.maps.folding.window import MapWindow, Response
from gm.likelihood.maps.sources.image import ImageSource, MapSource
from gm.likelihood.maps.sources.shared_image import Image, Recent, SharedImage
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import SpatialModel
from gm.models.spatial.base import RadialModel
from gm.models.spatial.pixel_nodes import Nodes
from gm.models.spatial.pixel_shares import PixelNodes
from gm.models.spatial.point import PointSpatialModel
from gm.models.spatial.spline_nodes import SplineNodes

_SIGMA = 1.5  # of a Gaussian with a given core radius
_NODES_PER_SIGMA = 1.8  # splines through a Gaussian that is integrated over pixels are good to 1e-6 of its integral
_MOST_NODES = 6
ROOM = 16  # pixels around a shape in which splines have ended: to 5e-5, up and down from one node to the next


@dataclass(frozen=True, eq=False)
class ExactParts:
    """A component on one dataset: its shape, its values (the fixed ones, or those at the start), and its responses.

    geometry : of the whole map; grid : of the window; energy : (n_energy_true,) [TeV] centres; spread : the PSF, or
    None; is_reco : whether it is one of reconstructed energy; reach : [deg] that holds the shape as far as it may grow;
    moves : (n_shape,) which values a fit changes; n_maps : that share the
    memory; share : gives what makes an image to all with the same key.
    """

    shape: SpatialModel | None
    values: Array
    moves: BoolArray
    n_maps: int
    geometry: WcsGeometry
    window: MapWindow
    energy: Array
    spread: PointSpread | None
    is_reco: bool
    reach: float | None
    share: Callable[[tuple[Any, ...], Callable[[], Image]], SharedImage]

    @property
    def is_free(self) -> bool:
        return bool(self.moves.any())

    def source(self, columns: slice, shape_columns: slice) -> MapSource:
        """The source with its fluxes and, when it is free, its shape at these columns of the flux vector."""
        if isinstance(self.shape, PointSpatialModel) and self.spread is not None:
            point = _Point(self.shape, self.spread, self.geometry, self.window, self.values, self.is_free)
            return ExactPointSource(columns, shape_columns, point, is_reco=self.is_reco)
        grid = PixelGrid(self.geometry.window(self.window.y, self.window.x), Conventions.EXACT)
        nodes, support = _nodes(self.shape, self.spread, grid.scale), self._support(grid)
        if support is not None:
            grid = PixelGrid(grid.geometry.window(*support), Conventions.EXACT)
        values = None if self.is_free else self.values
        make = partial(_Shares, self.shape, grid, nodes, self.energy, values, self.moves)
        key = grid.geometry.key, type(nodes), nodes.n, self.energy.tobytes()
        return ImageSource(columns, shape_columns, self.share(key, make), self._folding(nodes, support))

    def _folding(self, nodes: Nodes, support: Part | None) -> Folding:
        if self.spread is None or self.shape is None:
            return ExactTrueFolding(self.window, nodes, None)
        place = self.shape.position(self.values)
        at, frame = (self.geometry.center(), None) if place is None else (place, self.shape.frame)
        kernels = node_kernels(self.spread, self.geometry, nodes, *at, frame)
        kind, room = ExactRecoFolding if self.is_reco else ExactTrueFolding, KEPT_BYTES / self.n_maps
        return kind(self.window, nodes, kernels, support, room)

    def _support(self, grid: PixelGrid) -> Part | None:
        """Rows and columns of the window that hold the shape wherever it may go; None: everything."""
        place = None if self.shape is None else self.shape.position(self.values)
        if not isinstance(self.shape, RadialModel) or place is None or self.reach is None or self.spread is None:
            return None
        rings = self.shape.rings(self.shape.sized(self.values)[2:])
        if rings.major * rings.edges[-1] > self.reach:
            return None
        around = grid.window(*place, self.shape.frame, 2 * (self.reach + ROOM * grid.scale), 1)
        return None if around is None else around.slices


def _nodes(shape: SpatialModel | None, spread: PointSpread | None, scale: float) -> Nodes:
    """As many nodes in each pixel as the narrowest PSF needs for a shape anywhere in it."""
    if shape is None:
        return PixelNodes(1, is_sampled=True)
    if spread is None or spread.core <= 0:
        return PixelNodes(2)
    if not isinstance(shape, RadialModel):
        return PixelNodes(3, is_sampled=True)  # maps vary little from one pixel to the next
    return SplineNodes(min(ceil(_NODES_PER_SIGMA * scale / (_SIGMA * spread.core)), _MOST_NODES))


class _Shares:
    """The shape of a component as shares at the nodes of each pixel, stacked along the rows."""

    def __init__(
        self,
        shape: SpatialModel | None,
        grid: PixelGrid,
        nodes: Nodes,
        energy: Array,
        values: Array | None,
        moves: BoolArray,
    ) -> None:
        self._shape, self._grid, self._nodes, self._values, self._moves = shape, grid, nodes, values, moves
        self.may_be_negative = not isinstance(shape, RadialModel)
        self._energy = energy if shape is not None and shape.is_energy_dependent else None
        self._kept: Array | None = None

    def pixels(self, values: Array) -> Array:
        """(n^2 ny, nx), or (n_energy_true, n^2 ny, nx); without a shape the full flux in every pixel."""
        if self._shape is None:
            return np.ones(self._grid.shape)
        if self._values is None:
            return self._make(self._shape, values)
        if self._kept is None:
            self._kept = self._make(self._shape, self._values)
        return self._kept

    def pixels_gradient(self, values: Array) -> Array:
        """(n_shape, ...) as `pixels`."""
        if self._shape is None:
            return np.zeros((0, *self._grid.shape))
        at = values if self._values is None else self._values
        return self._stacked(self._nodes.shares_gradient(self._shape, self._grid, at, self._energy, self._moves))

    def _make(self, shape: SpatialModel, values: Array) -> Array:
        return self._stacked(self._nodes.shares(shape, self._grid, values, self._energy))

    def _stacked(self, shares: Array) -> Array:
        return shares.reshape(*shares.shape[:-3], -1, shares.shape[-1])


class _Point:
    """PSF in the pixels of a window and exposure of a point anywhere, with their derivatives by its position."""

    def __init__(
        self,
        shape: PointSpatialModel,
        spread: PointSpread,
        geometry: WcsGeometry,
        window: MapWindow,
        start: Array,
        is_free: bool,
    ) -> None:
        self.window = window
        self._shape, self._spread, self._start, self._is_free = shape, spread, start, is_free
        self._grid, self._part = PixelGrid(geometry), geometry.window(window.y, window.x)
        self._y, self._x = (axis.ravel() for axis in np.mgrid[: window.shape[0], : window.shape[1]])
        self._anchor = self._pixel(start)[0]
        self._points: Recent[PixelPoints] = Recent()
        self._kernels: Recent[Array] = Recent()

    def values(self, values: Array) -> Array:
        """The position: the one that is given, or the fixed one."""
        return values if self._is_free else self._start

    def kernel(self, values: Array) -> Array:
        """PSF (n, n_pixels) in the pixels of the window."""
        return self._kernels.get(self.values(values), self._make_kernel)

    def _make_kernel(self, values: Array) -> Array:
        lon, lat = values
        return self._spread.at(self._points_around(values), float(lon), float(lat), self._shape.frame)

    def kernel_gradient(self, values: Array) -> Array:
        """(2, n, n_pixels) [deg-1]."""
        lon, lat = self.values(values)
        return self._spread.gradient(self._points_around(values), float(lon), float(lat), self._shape.frame)

    def exposure(self, values: Array) -> tuple[Array, Array]:
        """Exposure (n_energy_true,) at the position, linear between pixel centres, and its derivatives (2, ...)."""
        (x, y), jacobian = self._pixel(values)
        n_y, n_x = self.window.shape
        (left, u, d_u), (low, v, d_v) = _between(x, n_x), _between(y, n_y)
        exposure = self.window.exposed.astype(np.float64)
        right, high = min(left + 1, n_x - 1), min(low + 1, n_y - 1)
        a, b, c, d = (exposure[:, j, i] for j in (low, high) for i in (left, right))
        value = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
        by_x = d_u * ((1 - v) * (b - a) + v * (d - c))
        by_y = d_v * ((1 - u) * (c - a) + u * (d - b))
        return value, jacobian.T @ np.stack([by_x, by_y])

    def _pixel(self, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) in the window, and their derivatives (2, 2).

        Directions that the projection does not show are beyond the reach of any pixel: those of the first one.
        """
        place, jacobian = self._shape.place(self._grid, self.values(values))
        if not np.isfinite(place).all():
            return np.zeros(2), np.zeros((2, 2))
        return place - [self.window.x.start, self.window.y.start], jacobian

    def _points_around(self, values: Array) -> PixelPoints:
        """Points inside the pixels: those for the start where they are good to 1e-6, else for the nearest pixel."""
        place = self._pixel(values)[0]
        anchor = self._anchor if np.abs(place - self._anchor).max() <= 1.0 else np.round(place)
        return self._points.get(anchor, self._make_points)

    def _make_points(self, anchor: Array) -> PixelPoints:
        lon, lat = (float(value) for value in self._part.sky(*anchor))
        return self._spread.points(self._part, self._y, self._x, lon, lat)


def _between(x: float, n: int) -> tuple[int, float, float]:
    """Pixel left of a coordinate, the weight of the next one, and its derivative; constant beyond the last centres."""
    inside = min(max(x, 0.0), n - 1.0)
    left = min(int(inside), max(n - 2, 0))
    return left, inside - left, 1.0 if 0.0 < x < n - 1.0 else 0.0


@final
class ExactPointSource(MapSource):
    """A point at its true position."""

    def __init__(self, columns: slice, shape_columns: slice, point: _Point, *, is_reco: bool) -> None:
        super().__init__(columns, shape_columns)
        self._point, self._window, self._is_reco = point, point.window, is_reco

    def cut(self, kept: IntArray, first: int, last: int) -> ExactPointSource:
        cut = ExactPointSource(self.columns, self.shape_columns, self._point, is_reco=self._is_reco)
        cut._window = self._window.cut(kept, first, last)
        return cut

    def _respond(self, values: Array) -> Response:
        return self._fold(self._point.kernel(values), self._point.exposure(values)[0])[0]

    def _respond_slopes(self, values: Array) -> list[Response]:
        kernel, (exposure, d_exposure) = self._point.kernel(values), self._point.exposure(values)
        slopes = []
        for d_kernel, slope in zip(self._point.kernel_gradient(values), d_exposure, strict=True):
            parts = self._fold(d_kernel, exposure)[0], self._fold(kernel, slope)[0]
            matrix, total = parts[0].matrix + parts[1].matrix, parts[0].total + parts[1].total
            slopes.append(Response(self._window.rows, matrix, total))
        return slopes

    def totals(self, flux: Array) -> Array:
        return self.in_full(flux)[1]

    def in_full(self, flux: Array) -> tuple[Response, Array]:
        values = flux[self.shape_columns]
        return self._fold(self._point.kernel(values), self._point.exposure(values)[0])

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        values, window = flux[self.shape_columns], self._window
        kernel, true = self._point.kernel(values), self._point.exposure(values)[0] * flux[self.columns]
        by_bin = (window.edisp.T @ true)[:, None] * kernel if self._is_reco else (window.edisp.T * true) @ kernel
        return window.y, window.x, by_bin.reshape(-1, *window.shape)

    def _fold(self, kernel: Array, exposure: Array) -> tuple[Response, Array]:
        """The response, and counts per unit flux by energy (n_energy, n_energy_true)."""
        window, edisp = self._window, self._window.edisp.T * exposure
        if self._is_reco:
            at_rows = kernel[window.energy, window.pixel][:, None]
            totals = edisp * np.einsum("kp,kp->k", window.mask, kernel)[:, None]
        else:
            at_rows = kernel.T[window.pixel]
            totals = edisp * (window.mask @ kernel.T)
        return Response(window.rows, edisp[window.energy] * at_rows, totals.sum(axis=0)), totals
