"""Where on a coarse response map the response of a source is taken."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import converted
from gm.maps.regions import RegionGeometry
from gm.maps.rotation import rotate

ResponseGeometry: TypeAlias = WcsGeometry | RegionGeometry

_TIE = 1e-9  # [pixel]
_NOISE = 1e-4  # of the largest value at an energy

log = logging.getLogger(__name__)


def valid_pixel(
    geometry: ResponseGeometry, data: NDArray[Any], lon: float | None, lat: float | None, frame: str | None
) -> tuple[float, float]:
    """Pixel coordinates (x, y) of a position [deg], or of the nearest pixel with a response when there is none.

    data : (..., n_y, n_x); a pixel is valid when any of its values is above 0. Without a position: the map's centre.
    Source: Gammapy 2.1, ``IRFMap._get_nearest_valid_position``.
    """
    grid = geometry.pixel_grid
    if grid is None:
        return 0.0, 0.0
    x, y = pixel_of(grid, lon, lat, frame)
    if _is_valid(data, x, y):
        return x, y
    valid = (data > 0).any(axis=tuple(range(data.ndim - 2)))
    if not valid.any():
        return x, y
    if lon is None or lat is None:
        lon, lat = grid.center()
    else:
        lon, lat = (float(value) for value in rotate(lon, lat, frame or grid.frame, grid.frame))
    distance: Array = np.where(valid, grid.separation(lon, lat), np.inf)
    row, column = np.unravel_index(int(np.argmin(distance)), distance.shape)
    log.info("no response at lon %.4f, lat %.4f deg: taken %.3f deg away", lon, lat, distance[row, column])
    return float(column), float(row)


def pixel_of(
    geometry: ResponseGeometry, lon: float | None, lat: float | None, frame: str | None
) -> tuple[float, float]:
    """Pixel coordinates (x, y) of a position [deg]; without a position, or on a region: of the centre.

    Of directions that the projection does not show: those of the nearest pixel.
    """
    grid = geometry.pixel_grid
    if lon is None or lat is None or grid is None:
        return (geometry.shape[1] - 1) / 2.0, (geometry.shape[0] - 1) / 2.0
    x, y = (float(at) for at in grid.position(lon, lat, frame))
    if np.isfinite(x) and np.isfinite(y):
        return x, y
    row, column = np.unravel_index(int(np.nanargmin(grid.separation(lon, lat, frame))), grid.shape)
    return float(column), float(row)


def _is_valid(data: NDArray[Any], x: float, y: float) -> bool:
    if not (np.isfinite(x) and np.isfinite(y)):
        return False
    row, column = round(y), round(x)
    inside = 0 <= row < data.shape[-2] and 0 <= column < data.shape[-1]
    return inside and bool((data[..., row, column] > 0).any())


def nearest_pixel(shape: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    """Row and column of the pixel nearest to pixel coordinates; outside the map the one at the border.

    Half-way between two it is the lower one, whatever the last digit of the coordinates.
    """
    row, column = (int(np.clip(np.ceil(at - 0.5 - _TIE), 0, size - 1)) for at, size in zip((y, x), shape, strict=True))
    return row, column


def nearest_values(
    geometry: ResponseGeometry,
    data: NDArray[Any],
    place: tuple[float | None, float | None, str | None],
    *,
    skip_empty: bool = True,
) -> Array:
    """The values (...,) of the pixel nearest to a place (lon, lat [deg], frame), or to the next one with a response.

    data : (..., n_y, n_x). Without ``skip_empty`` a pixel without a response counts as it is.
    """
    at = valid_pixel(geometry, data, *place) if skip_empty else pixel_of(geometry, *place)
    return np.asarray(data[(..., *nearest_pixel(geometry.shape, *at))], dtype=np.float64)


def response_geometry(held: Map, what: str) -> ResponseGeometry:
    """The geometry of a map with responses; `DataError` for HEALPix, where no interpolation is defined."""
    if not isinstance(held.geometry, ResponseGeometry):
        raise DataError(f"{what} is on a {type(held.geometry).__name__}, expected an image or a region")
    return held.geometry


def checked(data: NDArray[Any], exposure: NDArray[Any] | None, axes: tuple[str, ...]) -> NDArray[Any]:
    """A response that can be used: 0 where nothing was observed, whatever stands there.

    data : (n_energy, n, n_y, n_x) over ``axes``, slowest first, and the sky; exposure : (n_energy, n_y, n_x), without
    one everything was observed. Raises `DataError` for values that are negative, but for what rounding and the
    extrapolation of a response leave, or not finite.
    """
    if exposure is not None and exposure.shape != (len(data), *data.shape[2:]):
        raise DataError(f"its exposure has the shape {exposure.shape}, expected {(len(data), *data.shape[2:])}")
    if data.min() >= 0.0 and data.max() < np.inf:  # neither holds with a NaN anywhere
        return data
    finite = np.isfinite(data)
    seen = np.ones(data.shape, dtype=np.bool_)
    if exposure is not None and (exposure > 0).any():
        seen &= (exposure > 0)[:, None]
    largest = np.max(data, axis=(1, 2, 3), keepdims=True, where=finite & seen, initial=0.0)
    bad = seen & ~(finite & (data >= -_NOISE * largest))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        place = ", ".join(f"{name} {i}" for name, i in zip((*axes, "y", "x"), at, strict=True))
        raise DataError(
            f"is {data[at]:g} in bin {place}, expected a number that is not negative"
            f"\n    {int(bad.sum())} of {data.size} values are bad; where nothing was observed, set its exposure to 0"
        )
    return np.where(seen, data, data.dtype.type(0))


def exposure_of(exposure: Map | None) -> NDArray[Any] | None:
    """Exposure (n_energy, n_y, n_x) [cm2 s] of a response map, whose second axis has one bin."""
    if exposure is None:
        return None
    if exposure.data.size != len(exposure.data) * int(np.prod(exposure.geometry.shape)):
        raise DataError(f"its exposure has the shape {exposure.data.shape}, expected one bin before the sky")
    data = exposure.data.reshape(len(exposure.data), *exposure.geometry.shape)
    if not (np.isfinite(data).all() and (data >= 0).all()):
        raise DataError("its exposure has values that are negative or not finite\n    set them to 0")
    return converted(data, exposure.unit, "cm2 s", "the exposure of the response")
