"""Pixel grids that belong together: parts of one larger grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gm.datasets.operations.outcome import Refused
from gm.irf.positions import ResponseGeometry
from gm.maps.geometry import WcsGeometry

Place = tuple[slice, slice]
"""Rows and columns of a part in the whole."""


def whole_grid(
    geometries: Sequence[ResponseGeometry], names: Sequence[str], what: str
) -> tuple[ResponseGeometry, list[Place]]:
    """The smallest grid that holds all, and where each is in it. Raises `Refused` when the pixels do not coincide."""
    first, grids = geometries[0], [geometry.pixel_grid for geometry in geometries]
    if all(grid is None for grid in grids) and all(geometry.shape == first.shape for geometry in geometries):
        return first, [(slice(0, first.shape[0]), slice(0, first.shape[1]))] * len(geometries)
    pixels = [grid for grid in grids if grid is not None]
    if len(pixels) < len(grids):
        raise _misfit(what, names[0], names[1])
    return whole_pixels(pixels, names, what)


def whole_pixels(grids: Sequence[WcsGeometry], names: Sequence[str], what: str) -> tuple[WcsGeometry, list[Place]]:
    """As `whole_grid`, of grids of pixels."""
    first, offsets = grids[0], []
    for own, name in zip(grids, names, strict=True):
        offset = own.offset_in(first)
        if offset is None:
            raise _misfit(what, names[0], name)
        offsets.append(offset)
    starts = np.array(offsets)
    stops = starts + [own.shape for own in grids]
    low, high = starts.min(axis=0), stops.max(axis=0)
    places = [(slice(*y), slice(*x)) for y, x in np.stack([starts - low, stops - low], axis=2).tolist()]
    grid = first.window(slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
    return grid, places


def response_grid(
    geometries: Sequence[ResponseGeometry], names: Sequence[str], what: str
) -> tuple[ResponseGeometry, list[Place]]:
    """As `whole_grid`, for responses, of which those of one pixel hold everywhere, wherever that is."""
    if all(geometry.shape == (1, 1) for geometry in geometries):
        return geometries[0], [(slice(0, 1), slice(0, 1))] * len(geometries)
    return whole_grid(geometries, names, what)


def _misfit(what: str, first: str, other: str) -> Refused:
    return Refused(
        f"{what} of {first} and {other} are on different pixel grids",
        "stack maps whose pixels coincide (cutouts of one grid), or fit them jointly without a stack",
    )
