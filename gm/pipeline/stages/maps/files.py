"""Maps of the sky in one FITS file, every quantity an extension, as Gammapy's ``FluxMaps`` and ds9 read them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.estimators.sky.profile import SkyProfile
from gm.estimators.sky.result import UNITS, SkyMaps
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue, Column, Table
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map
from gm.maps.writing import map_hdus

PROFILE_UNITS = {**UNITS, "area": "deg2", "excess_per_area": "deg-2", "excess_per_area_err": "deg-2"}


def write_maps(path: Path, maps: SkyMaps) -> None:
    """Write all quantities. Raises `DataError` when the file cannot be written."""
    extensions = [hdu for name, sky_map in maps.maps() for hdu in map_hdus(sky_map, name.upper())]
    cards: dict[str, CardValue] = {"SED_TYPE": "flux"} if len(maps.reference_flux) else {}
    write_fits(path, extensions, cards)


def write_profile(path: Path, profile: SkyProfile) -> None:
    """A table with a row for each bin of each band. Raises `DataError` when the file cannot be written."""
    n_bands, n_bins = profile.energy.n_bins, profile.edges.size - 1
    columns = [
        Column("e_min", np.repeat(profile.energy.lo, n_bins), "TeV"),
        Column("e_max", np.repeat(profile.energy.hi, n_bins), "TeV"),
        Column("distance_min", np.tile(profile.edges[:-1], n_bands), "deg"),
        Column("distance_max", np.tile(profile.edges[1:], n_bands), "deg"),
        *(Column(name, values.ravel(), PROFILE_UNITS.get(name, "")) for name, values in profile.data.items()),
    ]
    write_fits(path, [Table("PROFILE", tuple(columns), {})])


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
