"""A map: an array over a geometry and the axes before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.maps.axes import Axis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix import HealpixGeometry
from gm.maps.regions import RegionGeometry

Geometry: TypeAlias = WcsGeometry | RegionGeometry | HealpixGeometry


@dataclass(frozen=True, eq=False)
class Map:
    """``data : (*axes, *geometry)`` in ``unit``, the slowest of ``axes`` first; the last are (n_y, n_x) on a pixel
    grid, (1, 1) on a region, (n_pixels,) on HEALPix.

    ``meta`` holds what the file says beside the values (a livetime, for instance). Raises `DataError` when the shape of
    the data is not that of the axes and the geometry.
    """

    geometry: Geometry
    axes: tuple[Axis, ...]
    data: NDArray[Any]
    unit: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (*(axis.n_bins for axis in self.axes), *self.geometry.shape)
        if self.data.shape != expected:
            names = ", ".join([*(axis.name for axis in self.axes), "sky"])
            raise DataError(f"a map of shape {self.data.shape}, expected {expected} for {names}")

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the axes, slowest first."""
        return tuple(axis.name for axis in self.axes)

    def axis(self, name: str) -> Axis:
        """The axis of that name; `DataError` lists those that exist."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise DataError(f"no axis {name} in the map\n    found: {', '.join(self.axis_names) or 'none'}")

    def grid(self) -> WcsGeometry:
        """The geometry when it is a pixel grid, else `DataError`."""
        if self.geometry.pixel_grid is None:
            raise DataError(f"a map on a {type(self.geometry).__name__}, expected an image with pixels")
        return self.geometry.pixel_grid

    def with_(self, **changes: Any) -> Map:
        """A copy with other values."""
        return replace(self, **changes)

    def same_as(self, other: Map) -> bool:
        """Equal grid, axes, unit and every bit of the values."""
        return (
            self.axis_names == other.axis_names
            and _same(self.geometry, other.geometry)
            and all(mine.same_as(theirs) for mine, theirs in zip(self.axes, other.axes, strict=True))
            and self.unit == other.unit
            and np.array_equal(self.data, other.data, equal_nan=self.data.dtype.kind == "f")
        )


def _same(mine: Any, theirs: Any) -> bool:
    return type(mine) is type(theirs) and bool(mine.same_as(theirs))
