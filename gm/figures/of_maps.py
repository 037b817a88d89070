"""What maps of the sky have for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.config_schemas.reader import read_document
from gm.errors import DataError
from gm.figures.look import Look
from gm.figures.residual_histogram import Residuals
from gm.figures.results import Result
from gm.figures.sky_map import SkyImage
from gm.figures.sky_profile import SkyProfile
from gm.io.fits import FitsFile
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map

SIGNIFICANCE = "SQRT_TS"
_PROFILE = ("distance_min", "distance_max", "excess_per_area", "excess_per_area_err")


def sky_map(result: Result, look: Look) -> Iterator[SkyImage]:
    """The significance in each pixel, for each band of energies; of peaks the map that they were found in."""
    if result.document.get("of") is not None:
        yield from _with_peaks(result, look)
        return
    file = _file(result)
    if file is None or file.find(SIGNIFICANCE) is None:
        return
    held = read_map(file, SIGNIFICANCE)
    geometry = held.geometry
    if not isinstance(geometry, WcsGeometry):
        raise DataError(f"{file.path}: a map without pixels on a plane has no figure")
    for band, image in zip(result.document["bands"], np.asarray(held.data, dtype=np.float64), strict=True):
        yield SkyImage(_label(result, band), geometry, image)


def _with_peaks(result: Result, look: Look) -> Iterator[SkyImage]:
    of = result.folder / f"{result.document['of']}.yaml"
    if not of.is_file():
        raise DataError(f"{of}: is gone, and the figure is drawn from it\n    run gm maps again")
    images = sky_map(Result(result.kind, read_document(of).data, result.folder), look)
    for image, band in zip(images, result.document["bands"], strict=False):
        peaks = band["peaks"]
        marks = tuple((f"{peak['sqrt_ts']:.1f}", float(x), float(y)) for peak in peaks for x, y in [peak["pixel"]])
        yield replace(image, label=_label(result, band), marks=marks)


def sky_profile(result: Result, look: Look) -> Iterator[SkyProfile]:
    """The excess in rings or boxes, for each band of energies."""
    for band in result.document["bands"]:
        if rows := band.get("profile"):
            area = _column(rows, "area")
            low, high, excess, error = (_column(rows, name) for name in _PROFILE)
            with np.errstate(divide="ignore", invalid="ignore"):
                predicted = _column(rows, "predicted") / area
            yield SkyProfile(_label(result, band), low, high, excess, error, predicted)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Array:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


def histogram(result: Result, look: Look) -> Iterator[Residuals]:
    """How often each significance occurs."""
    for image in () if result.document.get("of") is not None else sky_map(result, look):
        yield Residuals(image.label, image.values[np.isfinite(image.values)])


def _file(result: Result) -> FitsFile | None:
    name = result.document.get("file")
    return result.fits(name, "gm maps") if name else None


def _label(result: Result, band: dict[str, float]) -> str:
    return f"{result.name}, {band['e_min']:.3g} - {band['e_max']:.3g} TeV"


PARTS = {"sky-map": sky_map, "sky-profile": sky_profile, "residual-histogram": histogram}
