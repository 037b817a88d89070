"""Masks taken from one map to the pixels of another."""

from __future__ import annotations

import numpy as np

from gm.arrays import BoolArray
from gm.errors import DataError
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.rotation import rotate


def resample_mask(mask: Map, grid: WcsGeometry, outside: bool = False) -> BoolArray:
    """``(n_y, n_x)`` on ``grid``: the value (not 0) of the nearest pixel of an image; ``outside`` beyond its border.

    Raises `DataError` when the mask has bins before its pixels.
    """
    there = mask.grid()
    if mask.data.ndim != 2 and mask.data.shape[:-2] != (1,) * (mask.data.ndim - 2):
        raise DataError(f"the mask has the axes {', '.join(mask.axis_names)}, expected an image")
    image = mask.data.reshape(there.shape) != 0
    y, x = there.index(*rotate(*grid.grid(), grid.frame, there.frame))
    return np.where(y >= 0, image[y, x], outside)
