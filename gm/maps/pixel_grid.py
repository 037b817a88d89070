"""The pixels of a map as unit vectors, and sums over sub-pixels: what makes repeated integration of shapes cheap.

Conventions of Gammapy 2.1, ``SpatialModel.integrate_geom``: a shape is evaluated at the centres of k x k sub-pixels of
a window around it, averaged, and multiplied by the solid angle of the whole pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.maps.geometry import WcsGeometry, overlap
from gm.maps.rotation import matrix
from gm.maps.sphere import unit_vectors

_MARGIN = 2  # pixels kept around a window, so that a shape that moves a little finds its vectors there
_CACHED = 1 << 20  # sub-pixels whose vectors are kept, of all windows together; more are evaluated in parts


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels ``y0 <= y < y1``, ``x0 <= x < x1``, each cut into k x k sub-pixels."""

    y0: int
    y1: int
    x0: int
    x1: int
    k: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def n_parts(self) -> int:
        """All its sub-pixels."""
        return self.shape[0] * self.shape[1] * self.k**2

    def divided(self) -> Iterator[Window]:
        """Itself, or some of its rows after the other where there are too many sub-pixels for the memory."""
        step = max(_CACHED // max(self.shape[1] * self.k**2, 1), 1)
        if self.n_parts <= _CACHED:
            yield self
            return
        for y0 in range(self.y0, self.y1, step):
            yield replace(self, y0=y0, y1=min(y0 + step, self.y1))

    def holds(self, other: Window) -> bool:
        """Whether another window with the same sub-pixels lies inside."""
        return (
            self.k == other.k
            and self.y0 <= other.y0
            and self.x0 <= other.x0
            and other.y1 <= self.y1
            and other.x1 <= self.x1
        )


class PixelGrid:
    """Pixel and sub-pixel centres of a geometry, as unit vectors in any frame; kept from one call to the next.

    conventions : ``gammapy``, or ``exact`` for integrals without oversampling conventions, held by ``is_exact``
    factor : into how many parts the sides of pixels are cut, whatever a shape asks for; None: what it asks for
    solid_angle : (ny, nx) [sr], 0 where the projection has no sky
    scale : the larger pixel side [deg]
    """

    def __init__(
        self, geometry: WcsGeometry, conventions: Conventions = Conventions.GAMMAPY, factor: int | None = None
    ) -> None:
        self.geometry, self.is_exact, self.factor = geometry, conventions.is_exact, factor
        self.shape = geometry.shape
        self.scale = float(max(geometry.pixel_scales()))
        self._wide: dict[tuple[str, int], tuple[Window, Array]] = {}
        self._exact: dict[tuple[str, Window], Array] = {}

    @cached_property
    def solid_angle(self) -> Array:
        return np.nan_to_num(np.asarray(self.geometry.solid_angle(), dtype=np.float64))

    @cached_property
    def sky_along(self) -> tuple[Array, Array] | None:
        """Longitudes (n_x,) of columns and latitudes (n_y,) of rows [deg]; None where these are other lines."""
        return self.geometry.projection.sky_along(*(np.arange(n, dtype=np.float64) for n in self.shape[::-1]))

    @property
    def everything(self) -> Window:
        """The window of all pixels, not cut."""
        return Window(0, self.shape[0], 0, self.shape[1])

    def window(self, lon: float, lat: float, frame: str, width: float, k: int) -> Window | None:
        """The pixels of a square of ``width`` [deg] around a position, trimmed at the border; None: all are outside.

        Placed as ``astropy.nddata.Cutout2D`` places them: from ``ceil(x0 - n / 2)``, n the rounded width in pixels.
        """
        x, y = self.geometry.position(lon, lat, frame)
        if not (isfinite(x) and isfinite(y) and isfinite(width)):
            return None
        n_x, n_y = (round(max(width / scale, 1.0)) for scale in self.geometry.pixel_scales())
        columns, rows = self.geometry.columns(float(x), n_x), overlap(float(y), n_y, self.shape[0])
        if rows is None or columns is None:
            return None
        return Window(rows.start, rows.stop, columns.start, columns.stop, k)

    def vectors(self, frame: str, window: Window) -> Array:
        """Unit vectors of the sub-pixel centres, ``(3, k * k, n_y, n_x)``, contiguous."""
        found = self._exact.get((frame, window))
        if found is not None:
            return found
        outer = _widened(window, self.shape)
        if 2 * outer.n_parts > _CACHED:
            return self._build(frame, window)
        wide = self._wide.get((frame, window.k))
        if wide is None or not wide[0].holds(window):
            _make_room(self._wide, [kept.n_parts for kept, _ in self._wide.values()], outer.n_parts)
            wide = self._wide[frame, window.k] = outer, self._build(frame, outer)
        outer, vectors = wide
        rows = slice(window.y0 - outer.y0, window.y1 - outer.y0)
        columns = slice(window.x0 - outer.x0, window.x1 - outer.x0)
        exact = np.ascontiguousarray(vectors[..., rows, columns])
        _make_room(self._exact, [kept.n_parts for _, kept in self._exact], window.n_parts)
        self._exact[frame, window] = exact
        return exact

    def _build(self, frame: str, window: Window) -> Array:
        k = window.k
        centre = (np.arange(k) + 0.5) / k - 0.5
        sub_y, sub_x = (part.reshape(-1, 1, 1) for part in np.meshgrid(centre, centre, indexing="ij"))
        y = np.arange(window.y0, window.y1)[:, None] + sub_y
        x = np.arange(window.x0, window.x1)[None, :] + sub_x
        return self.sky(frame, *np.broadcast_arrays(x, y))

    def sky(self, frame: str, x: Array, y: Array) -> Array:
        """Unit vectors (3, ...) at pixel coordinates; NaN where the projection has no sky."""
        lon, lat = self.geometry.sky(x, y)
        vectors = unit_vectors(lon, lat)
        if frame == self.geometry.frame:
            return vectors
        return np.asarray(np.einsum("ij,j...->i...", matrix(self.geometry.frame, frame), vectors))

    def area_density(self, pixel: IntArray, x: Array, y: Array) -> Array:
        """Solid angle [sr] per pixel area at pixel coordinates (n, ...) that lie in the pixels numbered ``pixel`` (n,).

        Biquadratic between nine points of each pixel, which leaves out the fourth power of its size in radians.
        """
        row, column = np.divmod(pixel, self.shape[1])
        expand = (-1, *(1,) * (x.ndim - 1))
        u, v = 2.0 * (x - column.reshape(expand)), 2.0 * (y - row.reshape(expand))
        along_x, along_y = (np.stack([0.5 * t * (t - 1), 1 - t * t, 0.5 * t * (t + 1)]) for t in (u, v))
        at = self._area_densities[2 * row + np.arange(3)[:, None, None], 2 * column + np.arange(3)[:, None]]
        return np.asarray(np.einsum("jki,ji...,ki...->i...", at, along_y, along_x))

    @cached_property
    def _area_densities(self) -> Array:
        """Solid angle per pixel area [sr] at corners, edges and centres, (2 ny + 1, 2 nx + 1), by differences."""
        (n_y, n_x), h = self.shape, 1e-3
        x = np.linspace(-0.5, n_x - 0.5, 2 * n_x + 1)
        y = np.linspace(-0.5, n_y - 0.5, 2 * n_y + 1)[:, None]
        frame = self.geometry.frame
        by_x = (self.sky(frame, x + h, y) - self.sky(frame, x - h, y)) / (2 * h)
        by_y = (self.sky(frame, x, y + h) - self.sky(frame, x, y - h)) / (2 * h)
        density: Array = np.nan_to_num(np.linalg.norm(np.cross(by_x, by_y, axis=0), axis=0))
        return density

    def integrate(self, density: Array, window: Window) -> Array:
        """Pixel integrals (..., ny, nx) of densities (..., k * k, n_y, n_x) [sr-1] in a window, 0 outside it.

        Averages over sub-pixels are rounded to single precision, as Gammapy stores them; plain pixel centres are not.
        """
        inside = self.average(density, window, single=self.is_rounded(window))
        if window.shape == self.shape:
            return inside
        image = np.zeros((*density.shape[:-3], *self.shape))
        image[(..., *window.slices)] = inside
        return image

    def is_rounded(self, window: Window) -> bool:
        """Whether averages over sub-pixels are of single precision; a fit, which needs differences, has a factor."""
        return window.k > 1 and self.factor is None

    def average(self, density: Array, window: Window, *, single: bool = False) -> Array:
        """Averages over sub-pixels times the solid angle of the pixel, (..., n_y, n_x); what is not finite counts 0."""
        mean = density[..., 0, :, :] if window.k == 1 else density.sum(axis=-3) * (1.0 / window.k**2)
        if single:
            mean = mean.astype(np.float32)
        if not np.isfinite(mean).all():
            mean = np.nan_to_num(mean, posinf=0.0, neginf=0.0)
        return np.asarray(mean * self.solid_angle[window.slices], dtype=np.float64)


def _make_room(kept: dict[Any, Any], sizes: list[int], more: int) -> None:
    """Forget the oldest until there is room for more."""
    while sizes and sum(sizes) + more > _CACHED:
        kept.pop(next(iter(kept)))
        sizes.pop(0)


def _widened(window: Window, shape: tuple[int, int]) -> Window:
    (n_y, n_x), m = shape, _MARGIN
    return Window(
        max(window.y0 - m, 0), min(window.y1 + m, n_y), max(window.x0 - m, 0), min(window.x1 + m, n_x), window.k
    )
