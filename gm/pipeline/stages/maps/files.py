"""Maps of the sky in one FITS file, every quantity an extension, as Gammapy's ``FluxMaps`` and ds9 read them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.estimators.sky.result import SkyMaps
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map
from gm.maps.writing import map_hdus


def write_maps(path: Path, maps: SkyMaps) -> None:
    """Write all quantities. Raises `DataError` when the file cannot be written."""
    extensions = [hdu for name, sky_map in maps.maps() for hdu in map_hdus(sky_map, name.upper())]
    cards: dict[str, CardValue] = {"SED_TYPE": "flux"} if len(maps.reference_flux) else {}
    write_fits(path, extensions, cards)


@dataclass(frozen=True, eq=False)
class HeldMap:
    """What peaks are looked for in. significance, norm : (n_bands, n_y, n_x); bands : e_min, e_max [TeV]."""

    geometry: WcsGeometry
    bands: list[tuple[float, float]]
    significance: Array
    norm: Array | None


def read_significance(path: Path) -> HeldMap:
    """The significance of a map that was written, and its norms where it has some. Raises `DataError`."""
    file = read_fits(path)
    found = read_map(file, "SQRT_TS")
    norm = None if file.find("NORM") is None else np.asarray(read_map(file, "NORM").data, dtype=np.float64)
    bands = list(pairwise(found.axes[0].edges.tolist()))
    return HeldMap(found.grid(), bands, np.asarray(found.data, dtype=np.float64), norm)
