"""Regions at the same distance from the pointing as the region of a spectrum.

Regions are turned around the pointing in the pixels of a gnomonic image. Source: Gammapy 2.1,
``gammapy.makers.background.reflected``; what it does with all pixels of the image is done here with those of the ring
that the region passes, which are all that can be touched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import hypot
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.makers.exclusion import Exclusion
from gm.maps.geometry import WcsGeometry
from gm.maps.regions import Region
from gm.maps.rotation import rotate
from gm.maps.shapes import PixelShape
from gm.maps.sky_region import SkyRegion, file_region
from gm.maps.sphere import separation
from gm.observations import EventList

_FAR = 20.0  # [deg]
_EXCLUDED = "every place around the pointing touches what is excluded"
_MARGIN = 0.3  # [deg] of the image beyond twice the distance of the region on either side


@final
@dataclass(frozen=True, eq=False)
class OffRegions:
    """Shapes in the pixels of ``grid``, an image around the pointing (at pixel ``x``, ``y``); ``why_none``: the reason
    where there are none."""

    shapes: tuple[PixelShape, ...]
    grid: WcsGeometry
    x: float
    y: float
    why_none: str = ""

    @property
    def n(self) -> int:
        """Number of regions."""
        return len(self.shapes)

    def to_sky(self) -> SkyRegion:
        """Their union. Raises `DataError` when there are none."""
        return SkyRegion(tuple(shape.to_sky(self.grid) for shape in self.shapes))

    def to_file_region(self) -> Region:
        """The rows of a FITS region table, one for each region."""
        return file_region(self.shapes, self.grid)

    def contains(self, events: EventList) -> BoolArray:
        """``(n,)``: events in any of the regions."""
        x, y = self.grid.position(events.lon, events.lat, "icrs")
        near = np.flatnonzero(_ring(self.shapes, self.x, self.y, x, y))
        inside = np.zeros(x.shape, dtype=np.bool_)
        for shape in self.shapes:
            inside[near] |= shape.contains(x[near], y[near])
        return inside


@dataclass(frozen=True, eq=False)
class _Image:
    """The image around a pointing in which a region is turned, and its excluded pixels (n,) in the region's ring."""

    shape: PixelShape
    grid: WcsGeometry
    x: float
    y: float
    excluded: tuple[Array, Array]

    @classmethod
    def of(cls, region: SkyRegion, lon: float, lat: float, exclusion: Exclusion, binsz: float) -> _Image:
        if len(region.shapes) != 1:
            raise DataError("reflected regions: the region is a union of shapes, expected one")
        lon, lat = (float(value) for value in rotate(lon, lat, "icrs", region.frame))
        distance = float(separation(*region.center(), lon, lat))
        if distance > _FAR:
            raise DataError(f"reflected regions: the region lies {distance:.0f} deg from the pointing")
        width = 4.0 * distance + _MARGIN
        grid = WcsGeometry.create(lon, lat, binsz, width, frame=region.frame, projection="TAN")
        shape = region.shapes[0].to_pixels(grid)
        x, y = (float(value) for value in grid.pixel(lon, lat))
        return cls(shape, grid, x, y, _excluded(shape, grid, x, y, exclusion))

    def angular_size(self) -> float:
        """Angle [rad] from the pointing over the pixels of the region."""
        x, y = _pixels(self.shape, self.grid)
        if not x.size:
            step = f"{self.grid.pixel_scales()[0]:g} deg"
            raise DataError(
                f"reflected regions: the region holds no pixel of their image, of {step}\n    a larger region"
            )
        angle = np.arctan2(self.x - x, self.y - y)
        size = float(np.ptp(angle))
        return size if size <= np.pi else float(np.ptp(np.where(angle >= 0.0, angle - 2.0 * np.pi, angle)))

    def turned(self, angle: float) -> PixelShape:
        """The region turned by an angle [rad]."""
        return self.shape.rotated(self.x, self.y, angle)

    def is_free(self, shape: PixelShape) -> bool:
        """Whether no excluded pixel lies in a shape; in the case of a point, none closer than a pixel."""
        x, y = self.excluded
        if shape.kind == "point":
            return not bool((np.hypot(x - shape.x[0], y - shape.y[0]) < 1.0).any())
        return not bool(shape.contains(x, y).any())


def _ring(shapes: tuple[PixelShape, ...], x: float, y: float, at_x: Array, at_y: Array) -> BoolArray:
    """Points that are as far from (x, y) as points of the shapes may be."""
    squared = (at_x - x) ** 2 + (at_y - y) ** 2
    near, far = np.inf, 0.0
    for shape in shapes:
        corners, reach = np.hypot(shape.x - x, shape.y - y), 1.0 + hypot(*shape.sizes)
        inner = corners.min() - reach if shape.kind != "polygon" else 0.0
        near, far = min(near, float(inner)), max(far, float(corners.max()) + reach)
    return np.asarray((squared >= max(near, 0.0) ** 2) & (squared <= far**2))


def _excluded(shape: PixelShape, grid: WcsGeometry, x: float, y: float, exclusion: Exclusion) -> tuple[Array, Array]:
    """Pixel coordinates (n,) of the excluded pixels in the ring of a shape."""
    if not exclusion.regions and not exclusion.masks:
        return np.zeros(0), np.zeros(0)
    at_x, at_y = grid.sub_pixels()
    row, column = np.nonzero(_ring((shape,), x, y, at_x, at_y))
    keep = exclusion.keep_at(grid, column.astype(np.float64), row.astype(np.float64))
    return column[~keep].astype(np.float64), row[~keep].astype(np.float64)


def _pixels(shape: PixelShape, grid: WcsGeometry) -> tuple[Array, Array]:
    """Coordinates (n,) of the pixels of a grid with their centre in a shape."""
    reach = 1.0 + hypot(*shape.sizes)
    ranges = []
    for at, size in ((shape.x, grid.shape[1]), (shape.y, grid.shape[0])):
        first, last = int(np.floor(at.min() - reach)), int(np.ceil(at.max() + reach))
        ranges.append(np.arange(max(first, 0), min(last + 1, size), dtype=np.float64))
    x, y = np.meshgrid(*ranges)
    inside = shape.contains(x, y)
    return x[inside], y[inside]


class RegionsFinder(ABC):
    """How off regions are placed."""

    @abstractmethod
    def run(self, region: SkyRegion, lon: float, lat: float, exclusion: Exclusion | None = None) -> OffRegions:
        """Off regions for a region and an ICRS pointing [deg], perhaps none. Raises `DataError`."""


@final
@dataclass(frozen=True)
class ReflectedRegionsFinder(RegionsFinder):
    """As many regions as fit on the circle, one beside the other.

    angle_increment : step [rad] over what is excluded; min_distance : between regions [rad]; min_distance_input : from
    the region itself [rad]; max_region_number : at most so many; binsz : pixels of the image [deg]
    """

    angle_increment: float = 0.1
    min_distance: float = 0.0
    min_distance_input: float = 0.1
    max_region_number: int = 10000
    binsz: float = 0.01

    def __post_init__(self) -> None:
        if not self.angle_increment > 0.0:
            raise DataError(f"reflected regions: angle_increment is {self.angle_increment:g} rad, expected above 0")

    def run(self, region: SkyRegion, lon: float, lat: float, exclusion: Exclusion | None = None) -> OffRegions:
        if region.is_point:
            raise DataError("reflected regions: the region is a point, without a size to keep apart\n    type: wobble")
        image = _Image.of(region, lon, lat, exclusion or Exclusion(), self.binsz)
        step = image.angular_size() + self.min_distance
        angle, last = step + self.min_distance_input, 2.0 * np.pi - step - self.min_distance_input
        shapes: list[PixelShape] = []
        while angle < last and len(shapes) < self.max_region_number:
            shape = image.turned(angle)
            is_free = image.is_free(shape)
            if is_free:
                shapes.append(shape)
            angle += step if is_free else self.angle_increment
        tried = step + self.min_distance_input < last
        size = f"the region takes {np.degrees(step):.0f} deg of the circle around the pointing"
        why = _EXCLUDED if tried else f"{size}, which leaves no place beside it"
        return OffRegions(tuple(shapes), image.grid, image.x, image.y, why)


@final
@dataclass(frozen=True)
class WobbleRegionsFinder(RegionsFinder):
    """``n_off_regions`` regions that divide the circle, with the region itself, in equal parts.

    Those that touch what is excluded are left out; when regions overlap there are none.
    binsz : pixels of the image [deg]
    """

    n_off_regions: int
    binsz: float = 0.01

    def run(self, region: SkyRegion, lon: float, lat: float, exclusion: Exclusion | None = None) -> OffRegions:
        image = _Image.of(region, lon, lat, exclusion or Exclusion(), self.binsz)
        n = self.n_off_regions + 1
        turned = (image.turned(i * 2.0 * np.pi / n) for i in range(1, n))
        shapes = tuple(shape for shape in turned if image.is_free(shape))
        overlap = not region.is_point and _overlap((image.shape, *shapes), image.grid)
        why = f"{n} regions around the pointing overlap" if overlap else _EXCLUDED
        return OffRegions(() if overlap else shapes, image.grid, image.x, image.y, why)


def _overlap(shapes: tuple[PixelShape, ...], grid: WcsGeometry) -> bool:
    """Whether a pixel lies in two of the shapes."""
    pixels = [_pixels(shape, grid) for shape in shapes]
    numbers = np.concatenate([y * grid.shape[1] + x for x, y in pixels])
    return len(np.unique(numbers)) < len(numbers)
