"""Maps to FITS extensions in the GADF encoding, which Gammapy reads."""

from __future__ import annotations

from pathlib import Path

from gm.io.fits_writer import write_fits
from gm.io.gadf import GadfAxis
from gm.io.map_fits import FileMap, region_map_extensions, wcs_map_extensions
from gm.io.tables import Image, Table
from gm.maps.axes import Axis
from gm.maps.healpix_reading import healpix_hdus
from gm.maps.map import Map
from gm.maps.regions import RegionGeometry


def map_hdus(sky_map: Map, name: str, sparse: bool = False) -> list[Image | Table]:
    """The extensions ``NAME``, with axes ``NAME_BANDS``, and for a region ``NAME_REGION``.

    ``sparse``: only the pixels that are not 0, as a table (images and HEALPix maps).
    """
    axes = tuple(file_axis(axis) for axis in sky_map.axes)
    geometry = sky_map.geometry
    if geometry.pixel_grid is not None:
        cards = geometry.pixel_grid.cards
        return wcs_map_extensions(name, FileMap(sky_map.data, axes, sky_map.unit, cards, sky_map.meta), sparse)
    held = FileMap(sky_map.data, axes, sky_map.unit, {}, sky_map.meta)
    if isinstance(geometry, RegionGeometry):
        region = None if geometry.region is None else geometry.region.to_table(f"{name}_REGION")
        return [*region_map_extensions(name, held), *([region] if region is not None else [])]
    return healpix_hdus(name, geometry, held, sparse)


def file_axis(axis: Axis) -> GadfAxis:
    """An axis as files hold it."""
    nodes = None if getattr(axis, "has_edges", True) else axis.center
    return GadfAxis(axis.name, axis.edges, axis.unit, axis.interp, nodes)


def write_map(path: str | Path, sky_map: Map, name: str = "SKYMAP", sparse: bool = False) -> None:
    """Write a file with this map alone. Raises `DataError` when it cannot be written."""
    write_fits(path, map_hdus(sky_map, name, sparse))
