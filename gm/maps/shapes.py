"""Shapes on the sky, and which pixels they hold.

A shape is brought to the pixels of a grid with one scale and one angle, those of a step of one arcsecond north of its
centre; then pixel centres are inside or not. This is what the ``regions`` package does and with it Gammapy, so masks
agree. Where pixels around the centre are no squares, as far from the equator of a plate carree, that is no shape on the
sky: `is_bent` says so, and distances and directions from the centre decide where they are asked for (``on_sky``).
Angles turn the width axis anticlockwise from west of the shape's own frame, as in DS9, whatever that of the grid is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, pi
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray
from gm.errors import DataError, suggest
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate
from gm.maps.sphere import lon_lat, offset_north, position_angle, separation, unit_vectors

_STEP = 1.0 / 3600.0  # [deg]
_SQUARE = 0.01  # by what the sides of a pixel may differ
KINDS = {"circle": 1, "annulus": 2, "ellipse": 2, "rectangle": 2, "polygon": 0, "point": 0}


@dataclass(frozen=True)
class SkyShape:
    """One shape. ``lon``, ``lat`` [deg] in ``frame``: its centre, or the vertices of a polygon; ``sizes`` [deg]: circle
    (radius), annulus (inner, outer radius), ellipse and rectangle (full width, height); ``angle`` [deg].

    ``include``: False for a shape that is cut out of a union. Raises `DataError`.
    """

    kind: str
    frame: str
    lon: tuple[float, ...]
    lat: tuple[float, ...]
    sizes: tuple[float, ...] = ()
    angle: float = 0.0
    include: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"a region of type '{self.kind}' is not known\n    {suggest(self.kind, KINDS)}")
        if len(self.sizes) != KINDS[self.kind] or not all(np.isfinite(size) and size >= 0 for size in self.sizes):
            raise DataError(f"{self.kind}: sizes {self.sizes}, expected {KINDS[self.kind]} that are not negative")
        at_least = 3 if self.kind == "polygon" else 1
        if len(self.lon) != len(self.lat) or len(self.lon) < at_least:
            raise DataError(f"{self.kind}: {len(self.lon)} positions, expected {at_least}")
        if not (np.isfinite(self.lon).all() and np.isfinite(self.lat).all() and np.abs(self.lat).max() <= 90.0):
            raise DataError(f"{self.kind}: a position is no point of the sky")
        if self.kind == "annulus" and self.sizes[0] > self.sizes[1]:
            raise DataError(f"annulus: the inner radius {self.sizes[0]:g} is above the outer {self.sizes[1]:g} deg")

    @property
    def reach(self) -> float:
        """Distance [deg] from the centre, or from the vertices, that the shape may have points at."""
        return 0.5 * hypot(*self.sizes) if self.kind in ("ellipse", "rectangle") else max(self.sizes, default=0.0)

    def has_size(self) -> bool:
        """Whether it has an area, or is a point, which has none by itself."""
        return all(size > 0.0 for size in (self.sizes[1:] if self.kind == "annulus" else self.sizes))

    def to_pixels(self, grid: WcsGeometry) -> PixelShape:
        """The shape in the pixels of a grid. Raises `DataError` when its centre has no place there."""
        lon, lat = rotate(np.array(self.lon), np.array(self.lat), self.frame, grid.frame)
        x, y = grid.pixel(lon, lat)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise DataError(f"{self.kind} at {self.lon[0]:g}, {self.lat[0]:g} deg: outside the projection of the map")
        if not self.sizes:
            return PixelShape(self.kind, _joined(x, grid.projection.period), y)
        scale, north = _scale_and_north(grid, float(lon[0]), float(lat[0]))
        north = north if self.frame == grid.frame else self._north(grid)
        return PixelShape(self.kind, x, y, tuple(size / scale for size in self.sizes), self.angle + north - 90.0)

    def _north(self, grid: WcsGeometry) -> float:
        """The direction [deg] from +x of north in the frame of the shape, at its centre."""
        ends = np.array([(self.lon[0], self.lat[0]), offset_north(self.lon[0], self.lat[0], _STEP)])
        (x0, x1), (y0, y1) = grid.pixel(*rotate(ends[:, 0], ends[:, 1], self.frame, grid.frame))
        return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))

    def is_bent(self, grid: WcsGeometry) -> bool:
        """Whether the pixels of a grid around the centre are no squares on the sky, so that circles are none there."""
        if not self.sizes:
            return False
        x, y = grid.pixel(*rotate(self.lon[0], self.lat[0], self.frame, grid.frame))
        return bool(np.isfinite(x) and np.isfinite(y)) and not _has_squares(grid, float(x), float(y))

    def contains(self, grid: WcsGeometry, *, on_sky: bool = False) -> BoolArray:
        """``(n_y, n_x)``: pixels with their centre inside; for a point the four pixels around it."""
        try:
            shape = self.to_pixels(grid)
        except DataError:
            return np.zeros(grid.shape, dtype=np.bool_)  # on the other side of the sky
        if (on_sky and self.is_bent(grid)) or self._is_cut(grid, shape):
            return self._holds(*rotate(*grid.grid(), grid.frame, self.frame))
        x, y = grid.sub_pixels()
        mask = np.zeros(grid.shape, dtype=np.bool_)
        first, last = shape.columns()
        for by in grid.copies():
            if last - by >= 0.0 and first - by <= grid.shape[1] - 1:
                mask |= shape.contains(x + by, y)
        row, column = np.nonzero(mask)
        mask[row, column] = np.isfinite(grid.sky(column, row)[1])  # pixels off the sky are in no region
        return mask

    def _is_cut(self, grid: WcsGeometry, shape: PixelShape) -> bool:
        """Whether edges of a polygon go beyond the rim of a map of the whole sky, to come again on its other side."""
        if self.kind != "polygon" or grid.projection.period is not None:
            return False
        corners = unit_vectors(np.array(self.lon), np.array(self.lat))
        x, y = grid.pixel(*rotate(*lon_lat(corners + np.roll(corners, 1, axis=1)), self.frame, grid.frame))
        before_x, before_y = np.roll(shape.x, 1), np.roll(shape.y, 1)
        off = np.hypot(x - 0.5 * (shape.x + before_x), y - 0.5 * (shape.y + before_y))
        return bool((off > 0.25 * np.hypot(shape.x - before_x, shape.y - before_y) + 1.0).any())

    def _holds(self, lon: Array, lat: Array) -> BoolArray:
        """Whether positions [deg] in the shape's frame are inside: by their distances and directions from its centre,
        of a polygon between great circles."""
        if self.kind == "polygon":
            corners = unit_vectors(np.array(self.lon), np.array(self.lat))
            middle = lon_lat(corners.sum(axis=1))
            (x, y), (at_x, at_y) = (_gnomonic(*middle, *place) for place in ((self.lon, self.lat), (lon, lat)))
            return PixelShape("polygon", x, y).contains(at_x, at_y)
        center = self.lon[0], self.lat[0]
        distance, angle = separation(*center, lon, lat), np.radians(position_angle(*center, lon, lat))
        flat = PixelShape(self.kind, np.zeros(1), np.zeros(1), self.sizes, self.angle)
        return flat.contains(-distance * np.sin(angle), distance * np.cos(angle))


@dataclass(frozen=True, eq=False)
class PixelShape:
    """A shape in pixels: ``x``, ``y`` of the centre or the vertices, ``sizes`` [pixel], ``angle`` [deg] from +x."""

    kind: str
    x: Array
    y: Array
    sizes: tuple[float, ...] = ()
    angle: float = 0.0

    def columns(self) -> tuple[float, float]:
        """Between which x all of it is."""
        reach = 1.0 + hypot(*self.sizes)
        return float(self.x.min()) - reach, float(self.x.max()) + reach

    def contains(self, x: Array, y: Array) -> BoolArray:
        """Whether points, in pixels, are inside, broadcast."""
        return np.asarray(_INSIDE[self.kind](self, x, y))

    def area(self) -> float:
        """In square pixels."""
        if self.kind == "polygon":
            return 0.5 * abs(float(self.x @ np.roll(self.y, 1) - self.y @ np.roll(self.x, 1)))
        return _AREAS[self.kind](*self.sizes)

    def rotated(self, x: float, y: float, angle: float) -> PixelShape:
        """The shape turned around a point by an angle [rad], from +x towards +y."""
        cosine, sine = np.cos(angle), np.sin(angle)
        dx, dy = self.x - x, self.y - y
        turned = x + cosine * dx - sine * dy, y + sine * dx + cosine * dy
        return PixelShape(self.kind, *turned, self.sizes, self.angle + float(np.degrees(angle)))

    def to_sky(self, grid: WcsGeometry) -> SkyShape:
        """The shape on the sky, in the frame of the grid."""
        lon, lat = grid.sky(self.x, self.y)
        if not np.isfinite(lon).all():
            raise DataError(f"{self.kind} at pixel {self.x[0]:g}, {self.y[0]:g}: not on the sky")
        positions = tuple(lon.tolist()), tuple(lat.tolist())
        if not self.sizes:
            return SkyShape(self.kind, grid.frame, *positions)
        scale, north = _scale_and_north(grid, float(lon[0]), float(lat[0]))
        sizes = tuple(size * scale for size in self.sizes)
        return SkyShape(self.kind, grid.frame, *positions, sizes, self.angle - (north - 90.0))


def _joined(x: Array, period: float | None) -> Array:
    """Columns of the vertices of a polygon, each at most half a turn from the one before it, beyond the map too."""
    if period is None or len(x) < 2:
        return x
    return x - period * np.append(0.0, np.cumsum(np.round(np.diff(x) / period)))


def _gnomonic(lon_0: ArrayLike, lat_0: ArrayLike, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """Positions [deg] on a plane around another, on which great circles are straight; NaN on the other half of the
    sky."""
    distance, angle = separation(lon_0, lat_0, lon, lat), np.radians(position_angle(lon_0, lat_0, lon, lat))
    radius = np.tan(np.radians(np.where(distance < 90.0, distance, np.nan)))
    return -radius * np.sin(angle), radius * np.cos(angle)


def _scale_and_north(grid: WcsGeometry, lon: float, lat: float) -> tuple[float, float]:
    """Size of a pixel [deg] along north, and the direction of north [deg] from +x, at a position."""
    north_lon, north_lat = (lon, lat + _STEP) if lat + _STEP <= 90.0 else (lon + 180.0, 180.0 - lat - _STEP)
    (x0, x1), (y0, y1) = grid.pixel(np.array([lon, north_lon]), np.array([lat, north_lat]))
    return _STEP / float(np.hypot(x1 - x0, y1 - y0)), float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


def _has_squares(grid: WcsGeometry, x: float, y: float) -> bool:
    """Whether the pixels around a place are squares on the sky."""
    middle, right, up = unit_vectors(*grid.sky(x + np.array([0.0, _STEP, 0.0]), y + np.array([0.0, 0.0, _STEP]))).T
    width, height = right - middle, up - middle
    across, along = float(np.linalg.norm(width)), float(np.linalg.norm(height))
    return abs(across - along) <= _SQUARE * along and abs(float(width @ height)) <= _SQUARE * across * along


_AREAS: dict[str, Callable[..., float]] = {
    "circle": lambda radius: pi * radius**2,
    "annulus": lambda inner, outer: pi * (outer**2 - inner**2),
    "ellipse": lambda width, height: 0.25 * pi * width * height,
    "rectangle": lambda width, height: width * height,
    "point": lambda: 0.0,
}
_Inside: TypeAlias = Callable[[PixelShape, Array, Array], BoolArray]


def _in_circle(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    return np.asarray(np.hypot(x - shape.x[0], y - shape.y[0]) < shape.sizes[-1])


def _in_annulus(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    distance = np.hypot(x - shape.x[0], y - shape.y[0])
    return np.asarray((distance < shape.sizes[1]) & ~(distance < shape.sizes[0]))


def _turned(shape: PixelShape, x: Array, y: Array) -> tuple[Array, Array]:
    """Offsets along the width and the height."""
    cosine, sine = np.cos(np.radians(shape.angle)), np.sin(np.radians(shape.angle))
    dx, dy = x - shape.x[0], y - shape.y[0]
    return cosine * dx + sine * dy, sine * dx - cosine * dy


def _in_ellipse(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    if 0.0 in shape.sizes:
        return np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.bool_)
    along, across = _turned(shape, x, y)
    return np.asarray((2.0 * along / shape.sizes[0]) ** 2 + (2.0 * across / shape.sizes[1]) ** 2 <= 1.0)


def _in_rectangle(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    along, across = _turned(shape, x, y)
    return np.asarray((np.abs(along) < 0.5 * shape.sizes[0]) & (np.abs(across) < 0.5 * shape.sizes[1]))


def _in_polygon(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    """An odd number of edges to the right."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.bool_)
    for x0, y0, x1, y1 in zip(shape.x, shape.y, np.roll(shape.x, 1), np.roll(shape.y, 1), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _in_point(shape: PixelShape, x: Array, y: Array) -> BoolArray:
    """The pixels that share in a point when it is spread bilinearly."""
    return np.asarray((np.abs(x - shape.x[0]) < 1.0) & (np.abs(y - shape.y[0]) < 1.0))


_INSIDE: dict[str, _Inside] = {
    "circle": _in_circle,
    "annulus": _in_annulus,
    "ellipse": _in_ellipse,
    "rectangle": _in_rectangle,
    "polygon": _in_polygon,
    "point": _in_point,
}
