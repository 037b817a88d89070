"""Masks taken from one map to the pixels of another."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.rotation import rotate


def resample_mask(mask: Map, grid: WcsGeometry, outside: bool = False) -> BoolArray:
    """``(n_y, n_x)`` on ``grid``: the value (not 0) of the nearest pixel of an image; ``outside`` beyond its border.

    Raises `DataError` when the mask has bins before its pixels.
    """
    return mask_at(mask, *grid.grid(), grid.frame, outside)


def mask_at(mask: Map, lon: Array, lat: Array, frame: str, outside: bool = False) -> BoolArray:
    """The value (not 0) of an image at positions [deg] in a frame, broadcast; ``outside`` beyond its border.

    Raises `DataError` when the mask has bins before its pixels.
    """
    there = mask.grid()
    if mask.data.ndim != 2 and mask.data.shape[:-2] != (1,) * (mask.data.ndim - 2):
        raise DataError(f"the mask has the axes {', '.join(mask.axis_names)}, expected an image")
    y, x = there.index(*rotate(lon, lat, frame, there.frame))
    return np.where(y >= 0, mask.data.reshape(there.shape)[y, x] != 0, outside)
