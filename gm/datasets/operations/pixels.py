"""Pixels of a map dataset selected, joined, and added around."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import IntArray
from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.outcome import Refused
from gm.errors import DataError

Position = tuple[float, float, str]
"""Longitude and latitude [deg], and the frame."""

_BY_PIXEL = ("counts", "exposure", "mask_safe", "mask_fit")
_MIN_PIXELS = 3  # so that there is something to interpolate between


def cut_out(dataset: SkyMap, name: str, center: Position, width: float | tuple[float, float]) -> SkyMap:
    """The pixels in a window [deg] around a position, rounded to whole ones and trimmed at the border.

    Responses are cut with the same width, at least three of their pixels (Gammapy 2.1, ``MapDataset.cutout``).
    Sources are predicted with a border around, from where light comes in.
    """
    lon, lat, frame = center
    dataset, turned = _facing(dataset, center, width)
    part = dataset.geometry.cutout(lon, lat, width, frame)
    if part is None:
        raise Refused(f"the window around {lon:g} {lat:g} ({frame}) does not touch dataset {dataset.name}")
    changes = {key: values[:, part.y, part.x] for key, values in _arrays(dataset).items()}
    responses = {key: _cut_response(getattr(dataset, key), center, width) for key in ("psf", "edisp")}
    at_y, at_x = (
        _shifted(n, -s.start, s.stop - s.start) for n, s in zip(dataset.geometry.shape, part[1:], strict=True)
    )
    finer = FinerBins.of(dataset).pixels_to(at_y, at_x)
    finer = finer if turned else finer.trimmed()
    return dataset.with_(name=name, geometry=part.geometry, finer=finer, **changes, **responses)


def _facing(dataset: SkyMap, center: Position, width: float | tuple[float, float]) -> tuple[SkyMap, bool]:
    """The dataset, begun half-way around the sky where a window would hold both of its ends; and whether it was."""
    grid = dataset.geometry
    part = grid.cutout(*center[:2], width, center[2]) if grid.is_closed else None
    wide = (width if isinstance(width, tuple) else (width,))[0] / grid.pixel_scales()[0]
    if part is None or part.geometry.shape[1] < grid.shape[1] or wide > grid.shape[1] - 1:
        return dataset, False
    (n_y, n_x), by = grid.shape, grid.shape[1] // 2
    changes = {key: np.roll(values, -by, axis=-1) for key, values in _arrays(dataset).items()}
    finer = FinerBins.of(dataset).pixels_to(np.arange(n_y), (np.arange(n_x) - by) % n_x)
    return dataset.with_(geometry=grid.window(slice(0, n_y), slice(by, by + n_x)), finer=finer, **changes), True


def _shifted(n: int, by: int, size: int) -> IntArray:
    """(n,): where rows or columns go that are moved onto a grid of ``size`` of them, -1 for those beside it."""
    to = np.arange(n) + by
    return np.where((to >= 0) & (to < size), to, -1)


def _cut_response(response: Any, center: Position, width: float | tuple[float, float]) -> Any:
    """The PSF or energy dispersion map in a window [deg] around a position, at least three pixels wide.

    As it is when it is the same everywhere or the window does not touch its grid.
    """
    if response is None or response.geometry.pixel_grid is None or response.geometry.shape == (1, 1):
        return response
    part = response.geometry.cutout(center[0], center[1], width, center[2], min_pixels=_MIN_PIXELS)
    if part is None:
        return response
    exposure = None if response.exposure is None else response.exposure[..., part.y, part.x]
    return replace(response, geometry=part.geometry, data=response.data[..., part.y, part.x], exposure=exposure)


def padded(dataset: SkyMap, name: str, width: float | tuple[float, float]) -> SkyMap:
    """Pixels added on all sides, ``width`` [deg] of them: empty, without exposure, and outside the masks.

    No light comes from there.
    """
    wide, high = width if isinstance(width, tuple) else (width, width)
    scale_x, scale_y = dataset.geometry.pixel_scales()
    n_x, n_y = round(wide / scale_x), round(high / scale_y)
    around = ((0, 0), (n_y, n_y), (n_x, n_x))
    changes = {key: np.pad(values, around) for key, values in _arrays(dataset).items()}
    shape = (dataset.energy.n_bins, *dataset.geometry.shape)
    if dataset.mask_safe is None:
        changes["mask_safe"] = np.pad(np.ones(shape, dtype=np.bool_), around)
    geometry = dataset.geometry.pad(n_x, n_y)
    at_y, at_x = (_shifted(n, by, n + 2 * by) for n, by in zip(dataset.geometry.shape, (n_y, n_x), strict=True))
    finer = FinerBins.of(dataset).pixels_to(at_y, at_x)
    return dataset.with_(name=name, geometry=geometry, finer=finer, **changes)


def joined_pixels(dataset: SkyMap, name: str, factor: int) -> SkyMap:
    """``factor`` x ``factor`` pixels at a time: sums over safe ones, mean exposure, masks in when any pixel is.

    acceptance : mean; the off acceptance such that the background stays. Responses keep their own grid, and sources are
    predicted in the pixels as they were.
    """
    try:
        geometry = dataset.geometry.downsample(factor)
    except DataError as error:
        raise Refused(f"dataset {dataset.name}: {str(error).splitlines()[0]}", "pad it first, or cut it out") from error
    dataset = dataset.where_measured()
    safe, arrays = dataset.mask_safe, _arrays(dataset)

    def total(values: Any) -> Any:
        return _blocks(values if safe is None else np.where(safe, values, 0), factor).sum(axis=(2, 4), dtype=np.float64)

    def mean(values: Any) -> Any:
        return _blocks(values, factor).mean(axis=(2, 4), dtype=np.float64)

    changes = dataset.joined_background(total, mean)
    changes["counts"] = total(dataset.counts).astype(dataset.counts.dtype)
    changes["exposure"] = mean(dataset.exposure)
    for key in ("mask_safe", "mask_fit"):
        if key in arrays:
            changes[key] = _blocks(arrays[key], factor).any(axis=(2, 4))
    at_y, at_x = (np.arange(n) // factor for n in dataset.geometry.shape)
    finer = FinerBins.of(dataset).within(safe).pixels_to(at_y, at_x)
    return dataset.with_(name=name, geometry=geometry, finer=finer, **changes)


def _blocks(values: Any, factor: int) -> Any:
    """(n, n_y / factor, factor, n_x / factor, factor)."""
    n, n_y, n_x = values.shape
    return values.reshape(n, n_y // factor, factor, n_x // factor, factor)


def _arrays(dataset: SkyMap) -> dict[str, Any]:
    names = (*_BY_PIXEL, *dataset.background_arrays)
    return {key: values for key in names if (values := getattr(dataset, key)) is not None}
