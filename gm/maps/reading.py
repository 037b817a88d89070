"""Maps from FITS files: which geometry a file holds, and its axes in gm's units."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile, read_fits
from gm.io.fits_image import image_shape
from gm.io.gadf import GadfAxis, parse_wcs_shape
from gm.io.gtpsf import read_gtpsf
from gm.io.map_fits import map_extension, read_map_axes, read_meta, read_region_map, read_wcs_map
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix_reading import read_healpix_map
from gm.maps.map import Map
from gm.maps.projection import frame_of
from gm.maps.regions import Region, RegionGeometry
from gm.units import UnitError, factor


def read_map(source: str | Path | FitsFile, name: str | None = None, *, logical: bool = True) -> Map:
    """The map in the extension ``name`` of a file, by default in the first that holds anything.

    Images and their sparse variant, HEALPix tables and region tables; GADF and the files of the Fermi science tools.
    Energies in TeV, angles in deg; values in the unit and type of the file, but for images with ``mask`` in their name:
    these are true or false, unless they are not taken for ``logical``. Raises `DataError`.
    """
    file = source if isinstance(source, FitsFile) else read_fits(source)
    extension = map_extension(file, name)
    if extension.header.text("PIXTYPE") == "HEALPIX":
        healpix, held = read_healpix_map(file, extension)
        return Map(healpix, build_axes(extension, held.axes), held.data, held.unit, held.meta)
    is_region = extension.is_table and extension.find("DATA") is not None
    held = read_region_map(file, extension) if is_region else read_wcs_map(file, extension, logical=logical)
    geometry = read_region(file, extension) if is_region else _wcs_geometry(extension, held.data.shape[-2:])
    return Map(geometry, build_axes(extension, held.axes), held.data, held.unit, held.meta)


def read_geometry(file: FitsFile, name: str) -> tuple[WcsGeometry | RegionGeometry, tuple[Axis, ...]]:
    """Geometry and axes of the map ``name`` without its values: an image, or a region table. Raises `DataError`."""
    extension = file.get(name)
    axes = build_axes(extension, read_map_axes(file, extension))
    if extension.is_table and extension.find("DATA") is not None:
        return read_region(file, extension), axes
    if extension.is_table:
        sizes = parse_wcs_shape(extension.header.text("WCSSHAPE"))
        return _wcs_geometry(extension, sizes[1::-1]), axes
    return _wcs_geometry(extension, image_shape(extension)[-2:]), axes


def read_psf_and_exposure(source: str | Path | FitsFile) -> tuple[Map, Map]:
    """The PSF and the exposure in a file of the Fermi tool ``gtpsf``: maps on a region. Raises `DataError`."""
    file = source if isinstance(source, FitsFile) else read_fits(source)
    psf, exposure = (
        Map(RegionGeometry(None), build_axes(file.get("PSF"), held.axes), held.data, held.unit)
        for held in read_gtpsf(file)
    )
    return psf, exposure


def read_livetime(extension: Extension) -> float | None:
    """The livetime [s] that Gammapy keeps in the ``META`` of an exposure; None when it is not there.

    Raises `DataError` when it is no time.
    """
    value = read_meta(extension).get("livetime")
    if value is None:
        value = extension.header.get("LIVETIME")
    if value is None:
        return None
    number, _, unit = str(value).strip().partition(" ")
    try:
        return float(number) * factor(unit.strip() or "s", "s")
    except ValueError:
        extension.fail(f"livetime is {value!r}, expected a time such as '1764 s'")


def _wcs_geometry(extension: Extension, shape: tuple[int, ...]) -> WcsGeometry:
    if len(shape) != 2:
        extension.fail(f"an image of shape {shape}, expected at least two dimensions")
    try:
        geometry = WcsGeometry((shape[0], shape[1]), extension.header)
        geometry.sky(0.0, 0.0)
        frame_of(geometry.cards)
    except DataError as error:
        raise DataError(f"{extension.path}: HDU {extension.name or '(unnamed)'}: {error}") from error
    return geometry


def read_region(file: FitsFile, extension: Extension) -> RegionGeometry:
    """The geometry of a region map; without a region when the file has none."""
    table = file.find(f"{extension.name}_REGION")
    return RegionGeometry(None if table is None else Region.from_table(table.table()))


def build_axes(extension: Extension, axes: tuple[GadfAxis, ...]) -> tuple[Axis, ...]:
    """Axes of a file in gm's units: energies in TeV, angles in deg. Raises `DataError`."""
    try:
        return tuple(map(_build_axis, axes))
    except (DataError, UnitError) as error:
        raise DataError(f"{extension.path}: axes of HDU {extension.name or '(unnamed)'}: {error}") from error


def _build_axis(axis: GadfAxis) -> Axis:
    is_energy = axis.name.startswith("energy")
    target = "TeV" if is_energy else "deg" if axis.name in ("rad", "offset") else axis.unit
    scale = factor(axis.unit, target)
    if axis.nodes is not None:
        return NodeAxis.from_nodes(axis.name, axis.nodes * scale, target, axis.interp)
    if is_energy:
        return EnergyAxis(axis.edges * scale, axis.name, interp=axis.interp)
    return NodeAxis.from_edges(axis.name, axis.edges * scale, target, axis.interp)


def converted(values: Array, unit: str, target: str, what: str) -> Array:
    """``values`` in another unit, same shape and type; `DataError` names ``what`` when the unit does not convert."""
    try:
        scale = factor(unit, target)
    except UnitError as error:
        raise DataError(f"{what} is in '{unit}', expected a unit of '{target}'") from error
    if scale == 1.0:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # numbers too large become infinite, which is told later
        return values * (values.dtype.type(scale) if values.dtype.kind == "f" else scale)
