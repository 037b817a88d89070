"""Point sources on a map: four shifted kernels, read off at the bins with counts; no transform is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import floor
from typing import Any, Protocol, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.irf.psf_kernel import KernelGrids
from gm.likelihood.lattice import Lattice
from gm.likelihood.maps.folding.frequencies import Part
from gm.likelihood.maps.folding.shared_kernels import SharedKernels
from gm.likelihood.maps.folding.window import MapWindow, Response
from gm.likelihood.maps.sources.image import MapSource, Reach
from gm.likelihood.maps.sources.shape_image import support_of
from gm.likelihood.maps.sources.shared_image import Image, SharedImage
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import SpatialModel
from gm.models.spatial.point import PointSpatialModel

_KEPT_CORNERS = 9  # pixels around a point: it may go to a neighbour and back


class Bilinear(Protocol):
    """A point on the sky as weights of the four pixels around it."""

    def lattice(self, column: int) -> Lattice:
        """The pixels that it is spread over, with its longitude at a column of the flux vector."""

    def weights(self, values: Array) -> tuple[IntArray, IntArray, Array, Array]:
        """``x`` (4,), ``y`` (4,) in the map, ``weight`` (4,), and its derivatives (n_shape, 4)."""


@final
class PointSource(MapSource):
    """A point: four shifted kernels, read off at the bins with counts; no transform is needed.

    ``kernels`` : (n, size, size) for every true energy, or with ``reco_psf`` for every reconstructed one.
    """

    def __init__(
        self,
        columns: slice,
        shape_columns: slice,
        point: Bilinear,
        window: MapWindow,
        kernels: Array,
        *,
        reco_psf: bool,
    ) -> None:
        super().__init__(columns, shape_columns)
        self._point, self._window, self._kernels, self._reco_psf = point, window, kernels, reco_psf
        self._y, self._x = np.divmod(window.pixel, window.shape[1])
        self._corners: dict[tuple[int, int], tuple[Array, Array]] = {}
        self._around: tuple[bytes, list[Array], Array] | None = None

    def lattice(self) -> Lattice | None:
        return self._point.lattice(self.shape_columns.start) if self.n_shape else None

    def cut(self, kept: IntArray, first: int, last: int) -> PointSource:
        window = self._window.cut(kept, first, last)
        where = self.columns, self.shape_columns
        return PointSource(*where, self._point, window, self._kernels, reco_psf=self._reco_psf)

    def _respond(self, values: Array) -> Response:
        x, y, weight, _ = self._point.weights(values)
        return self._combined(x, y, weight[None])[0]

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        x, y, _, slopes = self._point.weights(values)
        return self._combined(x, y, slopes)

    def totals(self, flux: Array) -> Array:
        x, y, weight, _ = self._point.weights(flux[self.shape_columns])
        window = self._window
        totals = np.zeros(window.edisp.T.shape)
        for w, ix, iy in zip(weight, x - window.x.start, y - window.y.start, strict=True):
            if not window.holds(ix, iy):
                continue
            kernel = self._shifted(int(ix), int(iy))
            if self._reco_psf:
                seen = np.einsum("kp,kp->k", window.mask, kernel)
                totals += w * window.exposed[:, iy, ix] * seen[:, None]
            else:
                totals += w * (window.mask @ (window.exposure * kernel).T)
        return np.asarray(window.edisp.T * totals)

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        x, y, weight, _ = self._point.weights(flux[self.shape_columns])
        window, spectrum = self._window, flux[self.columns]
        counts = np.zeros((window.edisp.shape[1], *window.shape))
        for w, ix, iy in zip(weight, x - window.x.start, y - window.y.start, strict=True):
            if not window.holds(ix, iy):
                continue
            kernel = self._shifted(int(ix), int(iy))
            if self._reco_psf:
                seen = window.edisp.T @ (spectrum * window.exposed[:, iy, ix])
                counts += w * (seen[:, None] * kernel).reshape(counts.shape)
            else:
                counts += w * (window.edisp.T @ (spectrum[:, None] * window.exposure * kernel)).reshape(counts.shape)
        return window.y, window.x, counts

    def _combined(self, x: IntArray, y: IntArray, weights: Array) -> list[Response]:
        """Responses of a point on each of the four pixels, added with several sets of weights (m, 4)."""
        key = x.tobytes() + y.tobytes()
        if self._around is None or self._around[0] != key:
            window = self._window
            corners = [
                self._corner(int(i) - window.x.start, int(j) - window.y.start) for i, j in zip(x, y, strict=True)
            ]
            self._around = key, [matrix for matrix, _ in corners], np.stack([total for _, total in corners])
        _, matrices, totals = self._around
        return [Response(self._window.rows, _weighted(shares, matrices).T, shares @ totals) for shares in weights]

    def _corner(self, ix: int, iy: int) -> tuple[Array, Array]:
        """A point on the pixel (ix, iy) of the window: rows (n_energy_true, n_rows) and totals (n_energy_true,)."""
        found = self._corners.pop((ix, iy), None)
        if found is None:
            found = self._respond_at(ix, iy)
            if len(self._corners) >= _KEPT_CORNERS:
                self._corners.pop(next(iter(self._corners)))
        self._corners[ix, iy] = found
        return found

    def _respond_at(self, ix: int, iy: int) -> tuple[Array, Array]:
        window, half = self._window, self._kernels.shape[-1] // 2
        n_true, _ = window.edisp.shape
        matrix = np.zeros((n_true, window.rows.size))
        if not window.holds(ix, iy):
            return matrix, np.zeros(n_true)
        dy, dx = self._y - (iy - half), self._x - (ix - half)
        reached = np.flatnonzero((dy >= 0) & (dy <= 2 * half) & (dx >= 0) & (dx <= 2 * half))
        dy, dx = dy[reached], dx[reached]
        inside, kernel = self._overlap(ix, iy)
        if self._reco_psf:
            energy, exposure = window.energy[reached], window.exposed[:, iy, ix].astype(np.float64)
            matrix[:, reached] = window.edisp[:, energy] * self._kernels[energy, dy, dx] * exposure[:, None]
            seen = np.einsum("kyx,kyx->k", window.mask.reshape(-1, *window.shape)[(slice(None), *inside)], kernel)
            by_energy = np.ascontiguousarray(window.edisp.T) * seen[:, None]
            return matrix, exposure * by_energy.sum(axis=0)  # one energy after the other, wherever they lie
        matrix[:, reached] = self._per_row[:, reached] * self._kernels[:, dy, dx]
        return matrix, np.einsum("eyx,eyx->e", self._per_pixel[(slice(None), *inside)], kernel)

    @cached_property
    def _per_row(self) -> Array:
        """Counts in the bins with counts per flux that reaches them, (n_energy_true, n_rows)."""
        window = self._window
        return np.asarray(window.edisp[:, window.energy] * window.exposure[:, window.pixel])

    @cached_property
    def _per_pixel(self) -> Array:
        """Counts in all bins that enter, per flux that reaches a pixel, (n_energy_true, ny, nx)."""
        window = self._window
        return np.asarray(window.exposure * window.entering(window.edisp)).reshape(-1, *window.shape)

    def _overlap(self, ix: int, iy: int) -> tuple[tuple[slice, slice], Array]:
        """Rows and columns of the window that kernels around a pixel reach, and the kernels there."""
        (ny, nx), half = self._window.shape, self._kernels.shape[-1] // 2
        y, x = slice(max(iy - half, 0), min(iy + half + 1, ny)), slice(max(ix - half, 0), min(ix + half + 1, nx))
        kernels = self._kernels[:, y.start - iy + half : y.stop - iy + half, x.start - ix + half : x.stop - ix + half]
        return (y, x), kernels

    def _shifted(self, ix: int, iy: int) -> Array:
        """The kernels around a pixel of the window, (n, n_pixels)."""
        shifted = np.zeros((len(self._kernels), *self._window.shape))
        inside, kernels = self._overlap(ix, iy)
        shifted[(slice(None), *inside)] = kernels
        return shifted.reshape(len(shifted), -1)


def _weighted(weights: Array, arrays: list[Array]) -> Array:
    """The weighted sum of arrays of equal shape."""
    total, part = weights[0] * arrays[0], np.empty_like(arrays[0])
    for weight, array in zip(weights[1:], arrays[1:], strict=True):
        np.multiply(array, weight, out=part)
        total += part
    return np.asarray(total)


class Shared:
    """What ``n_maps`` datasets share: sub-pixels of kernels, places of points on parts of one grid, images on equal
    grids, and how far components may go."""

    def __init__(self, kernels: KernelGrids, n_maps: int) -> None:
        self.kernels, self.n_maps = kernels, max(n_maps, 1)
        self.reaches: dict[tuple[str, float | None], Reach] = {}
        self._places: dict[tuple[Any, ...], _Place] = {}
        self._images: dict[tuple[Any, ...], tuple[SharedImage, SharedKernels]] = {}
        self._supports: dict[tuple[Any, ...], Part | None] = {}

    def point(self, name: str, shape: PointSpatialModel, geometry: WcsGeometry, values: Array, is_free: bool) -> _Point:
        """The point on the pixels of a map. values : (n_par,)"""
        x, y = (floor(float(geometry.cards[name])) for name in ("CRPIX1", "CRPIX2"))
        x = geometry.shape[1] // 2 if geometry.projection.middle else x  # nearer than half of the sky
        base = geometry.window(slice(y, y + 1), slice(x, x + 1))
        place = self._places.setdefault((name, base.key), _Place(shape, PixelGrid(base)))
        return _Point(shape, PixelGrid(geometry), place, (x, y), None if is_free else values)

    def image(self, key: tuple[Any, ...], make: Callable[[], Image]) -> tuple[SharedImage, SharedKernels]:
        """An image and the kernels that fold it; equal keys have the same."""
        return self._images.setdefault(key, (SharedImage(make()), SharedKernels()))

    def support(self, name: str, shape: SpatialModel | None, grid: PixelGrid, values: Array) -> Part | None:
        """As `support_of`. values : (n_par,)"""
        key = name, grid.geometry.key
        if key not in self._supports:
            self._supports[key] = support_of(shape, grid, values)
        return self._supports[key]


class _Place:
    """Where a point is on a grid of pixels; datasets with parts of the same grid ask one after the other."""

    def __init__(self, shape: PointSpatialModel, grid: PixelGrid) -> None:
        self._shape, self.grid = shape, grid
        self._last: tuple[bytes, tuple[Array, Array]] | None = None

    def at(self, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y), and their derivatives (2, 2)."""
        last, key = self._last, values.tobytes()
        if last is None or last[0] != key:
            last = self._last = key, self._shape.place(self.grid, values)
        return last[1]


class _Point:
    """The four pixels around a point, and its share in each; ``origin`` (x, y): the map's first pixel in `_Place`."""

    def __init__(
        self,
        shape: PointSpatialModel,
        grid: PixelGrid,
        place: _Place,
        origin: tuple[int, int],
        values: Array | None,
    ) -> None:
        self._shape, self._grid, self._place, self._origin, self._values = shape, grid, place, origin, values
        self._last: tuple[bytes, tuple[IntArray, IntArray, Array, Array]] | None = None

    def lattice(self, column: int) -> Lattice:
        return Lattice(column, self._shape.frame, self._place.grid.geometry, self._origin)

    def place(self, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) in the map, and their derivatives by the shape's values (2, n_shape)."""
        at, jacobian = self._place.at(values if self._values is None else self._values)
        return at + np.array(self._origin), jacobian

    def weights(self, values: Array) -> tuple[IntArray, IntArray, Array, Array]:
        last, key = self._last, values.tobytes()
        if last is None or last[0] != key:
            found = self._shape.pixels(self._grid, values, self.place(values))
            last = self._last = key, (found.x, found.y, found.weight, np.stack([found.d_lon, found.d_lat]))
        return last[1]
