"""Pixel grids on the sky, described by the celestial cards of a FITS header.

A geometry is a value: sub-grids, finer and coarser grids are new geometries. Pixel coordinates count from 0 at the
centre of the first pixel; ``x`` is the fast array axis. Positions are in the geometry's own frame unless a frame is
given. Placement of cutouts, solid angles and scales follow Gammapy 2.1, so that sums over pixels agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray, IntArray
from gm.errors import DataError
from gm.io.tables import CardValue
from gm.maps.projection import Projection, celestial_cards, frame_of
from gm.maps.rotation import rotate
from gm.maps.sphere import separation, unit_vectors

MAX_PIXELS = 1 << 28
_TIE = 1e-9  # [pixel] a window that starts on a pixel's edge starts there whatever the rounding
_EQUAL = 1e-11  # [deg]
_CLOSED = 1e-6  # [pixel]
_PART = 1e-4  # [pixel]
_AXES = {"icrs": ("RA---", "DEC--"), "fk5": ("RA---", "DEC--"), "galactic": ("GLON-", "GLAT-")}


class Cutout(NamedTuple):
    """A part of a geometry, and the slices of the parent's arrays that it is."""

    geometry: WcsGeometry
    y: slice
    x: slice


@dataclass(frozen=True, eq=False)
class WcsGeometry:
    """A rectangular pixel grid. ``shape``: (n_y, n_x); ``cards``: celestial header cards, kept as read.

    Raises `DataError` when the cards describe no celestial grid.
    """

    shape: tuple[int, int]
    cards: Mapping[str, CardValue]

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.shape[0] * self.shape[1] > MAX_PIXELS:
            raise DataError(f"a map of {self.shape[1]} x {self.shape[0]} pixels, expected 1 to {MAX_PIXELS}")
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        object.__setattr__(self, "cards", MappingProxyType(celestial_cards(self.cards)))

    def __reduce__(self) -> tuple[Any, ...]:
        return WcsGeometry, (self.shape, dict(self.cards))

    @property
    def pixel_grid(self) -> WcsGeometry:
        """The geometry where it is a rectangular grid of pixels, as this one."""
        return self

    @classmethod
    def create(
        cls,
        lon: float,
        lat: float,
        binsz: float | tuple[float, float],
        width: float | tuple[float, float] | None = None,
        shape: tuple[int, int] | None = None,
        frame: str = "icrs",
        projection: str = "CAR",
    ) -> WcsGeometry:
        """A grid around a position [deg], of ``width`` (x, y) [deg] or ``shape`` (n_y, n_x); longitude to the left."""
        if frame not in _AXES:
            raise DataError(f"sky frame '{frame}' is not one of {', '.join(_AXES)}")
        step_x, step_y = _pair(binsz)
        if shape is None:
            if width is None:
                raise ValueError("give width or shape")
            width_x, width_y = _pair(width)
            shape = (round(width_y / step_y), round(width_x / step_x))
        cards: dict[str, CardValue] = {f"CTYPE{i + 1}": _AXES[frame][i] + projection for i in (0, 1)}
        cards |= {"CRPIX1": (shape[1] + 1) / 2.0, "CRPIX2": (shape[0] + 1) / 2.0}
        cards |= {"CRVAL1": float(lon), "CRVAL2": float(lat), "CDELT1": -step_x, "CDELT2": step_y}
        cards |= {"RADESYS": "ICRS"} if frame == "icrs" else {}
        cards |= {"RADESYS": "FK5", "EQUINOX": 2000.0} if frame == "fk5" else {}
        return cls(shape, cards)

    @cached_property
    def frame(self) -> str:
        """icrs, galactic, fk5 or fk4."""
        return frame_of(self.cards)

    @cached_property
    def projection(self) -> Projection:
        """The formulae between pixels and sky: of a plane that repeats itself, the copy that the grid is in."""
        plain = Projection(self.cards)
        step, middle = float(plain.linear[0, 0]), (self.shape[1] - 1) / 2.0 - float(plain.origin[0])
        if abs(middle * step) <= 90.0 and (abs(middle) + self.shape[1] / 2.0) * abs(step) <= 180.0 + _EQUAL:
            return plain
        return plain if plain.period is None else Projection(self.cards, middle * step)

    @property
    def key(self) -> tuple[Any, ...]:
        """A hashable value that is equal for equal grids."""
        return self.shape, *sorted(self.cards.items())

    # positions

    def sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Longitude in [0, 360) and latitude [deg] of pixel coordinates; NaN off the sky."""
        return self.projection.sky(x, y)

    def pixel(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) of positions [deg]."""
        return self.projection.pixel(lon, lat)

    def position(self, lon: ArrayLike, lat: ArrayLike, frame: str | None) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) of positions [deg] in ``frame`` (None: the geometry's)."""
        return self.projection.pixel(*rotate(lon, lat, frame or self.frame, self.frame))

    def index(self, lon: ArrayLike, lat: ArrayLike, frame: str | None = None) -> tuple[IntArray, IntArray]:
        """Indices (y, x) of the pixels that hold positions [deg], broadcast; both -1 outside."""
        x, y = (np.floor(np.atleast_1d(value) + 0.5) for value in self.position(lon, lat, frame))
        x = np.mod(x, self.shape[1]) if self.is_closed else x
        inside = (x >= 0) & (x < self.shape[1]) & (y >= 0) & (y < self.shape[0])
        return np.where(inside, y, -1).astype(np.intp), np.where(inside, x, -1).astype(np.intp)

    def contains(self, lon: ArrayLike, lat: ArrayLike, frame: str | None = None) -> BoolArray:
        """Whether positions [deg] lie on a pixel, broadcast."""
        return self.index(lon, lat, frame)[0] >= 0

    def sub_pixels(self, k: int = 1) -> tuple[Array, Array]:
        """Pixel coordinates ``x (1, n_x k)`` and ``y (n_y k, 1)`` of the centres of ``k x k`` parts of each pixel."""
        y, x = ((np.arange(size * k) + 0.5) / k - 0.5 for size in self.shape)
        return x[None, :], y[:, None]

    def grid(self, k: int = 1) -> tuple[Array, Array]:
        """Longitude and latitude ``(n_y k, n_x k)`` [deg] of the centres of (parts of) pixels."""
        return self.sky(*self.sub_pixels(k))

    def vectors(self, k: int = 1) -> Array:
        """Unit vectors ``(3, n_y k, n_x k)`` of the centres of (parts of) pixels."""
        return unit_vectors(*self.grid(k))

    def center(self) -> tuple[float, float]:
        """Position [deg] of the centre of the grid."""
        lon, lat = self.sky((self.shape[1] - 1) / 2.0, (self.shape[0] - 1) / 2.0)
        return float(lon), float(lat)

    def separation(self, lon: float, lat: float, frame: str | None = None) -> Array:
        """Great-circle separation ``(n_y, n_x)`` [deg] of the pixel centres from a position."""
        return separation(*self.grid(), *rotate(lon, lat, frame or self.frame, self.frame))

    # sizes

    def pixel_scales(self) -> tuple[float, float]:
        """Sizes (x, y) [deg] of a pixel at the reference point."""
        x, y = np.sqrt((self.projection.linear**2).sum(axis=0)).tolist()
        return x, y

    def width(self) -> tuple[float, float]:
        """Widths (x, y) [deg]: pixels times their step."""
        return self.shape[1] * abs(float(self.cards["CDELT1"])), self.shape[0] * abs(float(self.cards["CDELT2"]))

    def solid_angle(self) -> Array:
        """Solid angle ``(n_y, n_x)`` [sr] of each pixel: two planar triangles over great-circle sides (as Gammapy).

        A pixel that goes on beyond a pole, or beyond the first or last meridian of a map of the whole sky, has that of
        its part on the sky. Another one at the end of the sky, a corner of which is off it, has that of a small one at
        its centre. Gammapy has none for these. NaN where the centre is off the sky.
        """
        return self._solid_angle

    @cached_property
    def _solid_angle(self) -> Array:
        area = _quadrilaterals(self, 1 if self._is_same_in_all_columns() else self.shape[1])
        if not np.isfinite(area).all():
            y, x = np.nonzero(~np.isfinite(area))
            area[y, x] = _small_parallelograms(self, x, y)
        along = self.projection.sky_along(*(np.arange(n, dtype=np.float64) for n in self.shape[::-1]))
        if along is not None and np.isnan(off := along[0] + along[1][:, None]).any():
            area = np.where(np.isnan(off), np.nan, area)
        area = np.broadcast_to(area, self.shape)
        area.flags.writeable = False
        return area

    def columns_on_sky(self) -> Array | None:
        """Which part of each column is on the sky, (n_x,), where a map goes around it more than once; None: all are."""
        if self.projection.period is None or self.shape[1] <= self.projection.period + _CLOSED:
            return None
        edges = np.arange(self.shape[1] + 1) - 0.5
        return np.abs(np.diff(self.projection.onto_sky(edges, self.projection.origin[1:])[0]))

    def _is_same_in_all_columns(self) -> bool:
        """Whether rows are parallels, cut into equal steps of longitude."""
        if self.projection.period is None:
            return False
        some = np.array([0, self.shape[1] // 2, self.shape[1] - 1])
        sides = np.stack([some, some + 1], axis=1).reshape(1, -1) - 0.5
        lon, lat = self.sky(*self.projection.onto_sky(sides, np.arange(self.shape[0] + 1)[:, None] - 0.5))
        step = (lon[:, 1::2] - lon[:, ::2] + 180.0) % 360.0 - 180.0
        return bool(np.ptp(lat, axis=1).max() < _EQUAL and np.ptp(step) < _EQUAL)

    # other grids

    def window(self, y: slice, x: slice) -> WcsGeometry:
        """The part of the grid with these rows and columns; they may reach beyond it."""
        cards = {**self.cards, "CRPIX1": self._card("CRPIX1") - x.start, "CRPIX2": self._card("CRPIX2") - y.start}
        return WcsGeometry((y.stop - y.start, x.stop - x.start), cards)

    def cutout(
        self,
        lon: float,
        lat: float,
        width: float | tuple[float, float],
        frame: str | None = None,
        odd: bool = False,
        min_pixels: int = 1,
    ) -> Cutout | None:
        """The part of the grid in a window of full width ``width`` (x, y) [deg] around a position; None beside it.

        Pixels per axis: the width in pixels (at least ``min_pixels``) rounded as astropy's ``Cutout2D`` does, or with
        ``odd`` to the next odd number, then trimmed at the border. The first is ``ceil(x0 - n / 2)``.
        """
        wanted = np.maximum(np.array(_pair(width)) / self.pixel_scales(), min_pixels)
        size = np.ceil(wanted) // 2 * 2 + 1 if odd else np.round(wanted)
        x, y = (float(value) for value in self.position(lon, lat, frame))
        if not (np.isfinite(x) and np.isfinite(y)):
            return None
        part_x, part_y = self.columns(x, size[0]), overlap(y, size[1], self.shape[0])
        if part_x is None or part_y is None:
            return None
        return Cutout(self.window(part_y, part_x), part_y, part_x)

    def copies(self) -> tuple[float, ...]:
        """Columns by which a position may be moved and still be where it was: none but where longitudes come again."""
        period = self.projection.period
        return (0.0,) if period is None else (-period, 0.0, period)

    def columns(self, x: float, size: float) -> slice | None:
        """The columns of ``size`` around pixel coordinate ``x`` that exist.

        Where longitudes come again they may be some at either end: then it is what holds both.
        """
        parts = [part for by in self.copies() if (part := overlap(x + by, size, self.shape[1])) is not None]
        return slice(min(p.start for p in parts), max(p.stop for p in parts)) if parts else None

    @property
    def is_closed(self) -> bool:
        """Whether the last column touches the first, all around the sky."""
        period = self.projection.period
        return period is not None and abs(self.shape[1] - period) < _CLOSED

    def holds(self, x: Array, y: Array) -> BoolArray:
        """Whether pixel coordinates, of any shape, lie on the grid. Where that goes all around the sky every column
        does: its two ends are one place, which rounding puts just beyond either."""
        rim = 0.5 + (_CLOSED if self.is_closed else 0.0)
        return np.asarray((x >= -rim) & (x < self.shape[1] - 1 + rim) & (y >= -0.5) & (y < self.shape[0] - 0.5))

    def upsample(self, k: int) -> WcsGeometry:
        """The grid with each pixel divided into ``k x k``."""
        return self._resampled((self.shape[0] * k, self.shape[1] * k), 1.0 / k)

    def downsample(self, k: int) -> WcsGeometry:
        """The grid with ``k x k`` pixels joined. Raises `DataError` when the shape is not a multiple of ``k``."""
        if self.shape[0] % k or self.shape[1] % k:
            size = f"{self.shape[1]} x {self.shape[0]}"
            raise DataError(f"a map of {size} pixels does not divide by {k}\n    pad it first")
        return self._resampled((self.shape[0] // k, self.shape[1] // k), float(k))

    def _resampled(self, shape: tuple[int, int], scale: float) -> WcsGeometry:
        cards = dict(self.cards)
        for axis in (1, 2):
            cards[f"CDELT{axis}"] = self._card(f"CDELT{axis}") * scale
            cards[f"CRPIX{axis}"] = (self._card(f"CRPIX{axis}") - 0.5) / scale + 0.5
        return WcsGeometry(shape, cards)

    def pad(self, n_x: int, n_y: int | None = None) -> WcsGeometry:
        """The grid with ``n_x`` columns more on the left and the right, ``n_y`` (default: the same) below and above."""
        n_y = n_x if n_y is None else n_y
        return self.window(slice(-n_y, self.shape[0] + n_y), slice(-n_x, self.shape[1] + n_x))

    def center_on(self, lon: float, lat: float, shape: tuple[int, int]) -> WcsGeometry:
        """The same projection and frame around another position [deg], with square pixels of the larger scale."""
        code = self.projection.code
        return WcsGeometry.create(lon, lat, max(self.pixel_scales()), shape=shape, frame=self.frame, projection=code)

    def same_as(self, other: WcsGeometry) -> bool:
        """Whether both have the same pixels: to a millionth of a pixel in every corner and the centre."""
        if self is other or self.key == other.key:  # also wider than the sky, where a position is in several pixels
            return True
        return self.shape == other.shape and self.offset_in(other) == (0, 0)

    def offset_in(self, other: WcsGeometry) -> tuple[int, int] | None:
        """Rows and columns (y, x) from the first pixel of ``other`` to the first of this grid; None when the pixels of
        both do not coincide."""
        if self.frame != other.frame or self.projection.code != other.projection.code:
            return None
        last_y, last_x = self.shape[0] - 1.0, self.shape[1] - 1.0
        x = np.array([0.0, last_x, 0.0, last_x, 0.5 * last_x])
        y = np.array([0.0, 0.0, last_y, last_y, 0.5 * last_y])
        shift = np.array(other.pixel(*self.sky(x, y))) - np.array([x, y])
        shift = shift[:, np.isfinite(shift).all(axis=0)]
        if shift.size == 0 or np.abs(shift - np.round(shift[:, :1])).max() > 1e-6:
            return None
        return round(float(shift[1, 0])), round(float(shift[0, 0]))

    def _card(self, name: str) -> float:
        return float(self.cards[name])


def _pair(value: float | tuple[float, float]) -> tuple[float, float]:
    return (float(value[0]), float(value[1])) if isinstance(value, tuple) else (float(value), float(value))


def _quadrilaterals(geometry: WcsGeometry, n_x: int) -> Array:
    """Solid angles (n_y, n_x) [sr] of the pixels of the first columns.

    ``|b c sin(angle)| / 2`` of two triangles, with the offsets of one corner from another to the east and to the north,
    ``sin(b) sin(PA)`` and ``sin(b) cos(PA)``. As in Gammapy the second angle is between directions seen from two
    corners.
    """
    at = np.arange(n_x + 1)[None, :] - 0.5, np.arange(geometry.shape[0] + 1)[:, None] - 0.5
    lon, lat = (np.radians(angle) for angle in geometry.sky(*geometry.projection.onto_sky(*at)))
    sin_lon, cos_lon, sin_lat, cos_lat = np.sin(lon), np.cos(lon), np.sin(lat), np.cos(lat)
    vectors = np.stack([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat])

    def side(start: tuple[slice, slice], stop: tuple[slice, slice]) -> tuple[Array, Array]:
        x, y, z = vectors[(slice(None), *stop)] - vectors[(slice(None), *start)]
        east = y * cos_lon[start] - x * sin_lon[start]
        north = z * cos_lat[start] - (x * cos_lon[start] + y * sin_lon[start]) * sin_lat[start]
        sine = np.sqrt(east * east + north * north)
        stretch = np.arcsin(np.minimum(sine, 1.0)) / np.where(sine > 0, sine, 1.0)
        return east * stretch, north * stretch

    low, high = slice(None, -1), slice(1, None)
    corner, above, beside, opposite = (low, low), (high, low), (low, high), (high, high)
    top, up, far, right = side(above, opposite), side(above, corner), side(beside, opposite), side(corner, beside)
    area = (top[0] * up[1] - top[1] * up[0]) + (far[0] * right[1] - far[1] * right[0])
    return np.asarray(0.5 * np.abs(area))


def _small_parallelograms(geometry: WcsGeometry, x: IntArray, y: IntArray) -> Array:
    """Solid angles (n,) [sr] of pixels whose sides are as those of a small part of them around the centre."""
    by_x, by_y = (
        (unit_vectors(*geometry.sky(x + dx, y + dy)) - unit_vectors(*geometry.sky(x - dx, y - dy))) / (2.0 * _PART)
        for dx, dy in ((_PART, 0.0), (0.0, _PART))
    )
    return np.asarray(np.linalg.norm(np.cross(by_x, by_y, axis=0), axis=0))


def overlap(center: float, size: float, available: int) -> slice | None:
    """The pixels of ``size`` around ``center`` that exist."""
    start = int(np.ceil(center - size / 2.0 - _TIE))
    stop = start + int(size)
    return slice(max(start, 0), min(stop, available)) if stop > 0 and start < available else None
