"""What maps of the sky have for figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gm.errors import DataError
from gm.figures.look import Look
from gm.figures.residual_histogram import Residuals
from gm.figures.results import Result
from gm.figures.sky_map import SkyImage
from gm.io.fits import FitsFile, read_fits
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map

SIGNIFICANCE = "SQRT_TS"


def sky_map(result: Result, look: Look) -> Iterator[SkyImage]:
    """The significance in each pixel, for each band of energies."""
    file = _file(result)
    if file is None or file.find(SIGNIFICANCE) is None:
        return
    held = read_map(file, SIGNIFICANCE)
    geometry = held.geometry
    if not isinstance(geometry, WcsGeometry):
        raise DataError(f"{file.path}: a map without pixels on a plane has no figure")
    for band, image in zip(result.document["bands"], np.asarray(held.data, dtype=np.float64), strict=True):
        yield SkyImage(_label(result, band), geometry, image)


def histogram(result: Result, look: Look) -> Iterator[Residuals]:
    """How often each significance occurs."""
    for image in sky_map(result, look):
        yield Residuals(image.label, image.values[np.isfinite(image.values)])


def _file(result: Result) -> FitsFile | None:
    name = result.document.get("file")
    if not name:
        return None
    path = result.folder / name
    if not path.is_file():
        raise DataError(f"{path}: is gone, and the figure is drawn from it\n    run gm maps again")
    return read_fits(path)


def _label(result: Result, band: dict[str, float]) -> str:
    return f"{result.name}, {band['e_min']:.3g} - {band['e_max']:.3g} TeV"


PARTS = {"sky-map": sky_map, "residual-histogram": histogram}
