"""Safe masks of a map of counts at the pixel centres of a response map."""

from __future__ import annotations

from typing import Any

import numpy as np

from gm.arrays import BoolArray
from gm.irf.positions import ResponseGeometry
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate

_SURELY = 1e-9  # of one pixel's mask


def safe_image(safe: BoolArray | None, shape: tuple[int, ...]) -> BoolArray:
    """(n_y, n_x): pixels that are safe at any energy."""
    return np.ones(shape, dtype=np.bool_) if safe is None else np.asarray(safe.any(axis=0))


def nearest_mask(mask: BoolArray, geometry: WcsGeometry, response: ResponseGeometry) -> BoolArray:
    """An image (n_y, n_x) at the pixel centres of a response map; False outside the image.

    An image that reaches no pixel centre counts for all of them: a response that is used is not lost.

    Where both grids have one centre, the centres of the one lie on the borders of the other. Then the last digit of
    wcslib's coordinates decides, here as in Gammapy.
    """
    grid = response.pixel_grid
    if grid is None or _is_everywhere(grid, geometry):
        return np.full(response.shape, mask.any())
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]]
    sky = _wcslib(grid).wcs_pix2world(columns, rows, 0)
    if grid.frame != geometry.frame:
        sky = rotate(sky[0], sky[1], grid.frame, geometry.frame)
    x, y = (np.floor(np.nan_to_num(at, nan=-1.0) + 0.5) for at in _wcslib(geometry).wcs_world2pix(*sky, 0))
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    found = np.zeros(response.shape, dtype=np.bool_)
    found[inside] = mask[y[inside].astype(np.intp), x[inside].astype(np.intp)]
    return found if found.any() else np.full(response.shape, mask.any())


def _is_everywhere(response: WcsGeometry, geometry: WcsGeometry) -> bool:
    """Whether a response does not depend on the position in a map, since one of its pixels is larger than that."""
    return response.shape == (1, 1) or min(response.pixel_scales()) >= max(geometry.width()) * (1 - _SURELY)


def _wcslib(geometry: WcsGeometry) -> Any:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    header = Header()
    header.update(dict(geometry.cards))
    return WCS(header)


def interpolated_mask(mask: BoolArray, geometry: WcsGeometry, response: ResponseGeometry) -> BoolArray:
    """Images (n, n_y, n_x) at the pixel centres of a response map: in where linear interpolation is not zero.

    Outside the image it is extrapolated; one that reaches no pixel centre counts for all of them. Source: Gammapy 2.1,
    ``MapDataset.mask_safe_edisp``.
    """
    everywhere = np.broadcast_to(np.any(mask, axis=(1, 2), keepdims=True), (len(mask), *response.shape))
    grid = response.pixel_grid
    if grid is None or _is_everywhere(grid, geometry):
        return everywhere
    at_x, at_y = geometry.position(*grid.grid(), grid.frame)
    rows, weight_y = _cell(at_y, geometry.shape[0])
    columns, weight_x = _cell(at_x, geometry.shape[1])
    value: Any = 0.0
    for step_y in (0, 1):
        for step_x in (0, 1):
            weight = np.where(step_y, weight_y, 1 - weight_y) * np.where(step_x, weight_x, 1 - weight_x)
            row, column = (
                np.minimum(rows + step_y, geometry.shape[0] - 1),
                np.minimum(columns + step_x, mask.shape[-1] - 1),
            )
            value = value + weight * mask[..., row, column]
    found = np.asarray(np.abs(value) > _SURELY)
    return np.where(found.any(axis=(1, 2), keepdims=True), found, everywhere)


def _cell(at: Any, size: int) -> tuple[Any, Any]:
    """The lower of the two pixels between which (or beyond which) a coordinate is, and how far along it."""
    at = np.where(np.isfinite(at), at, 0.0)
    low = np.clip(np.floor(at), 0, max(size - 2, 0)).astype(np.intp)
    return low, at - low
