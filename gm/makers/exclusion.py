"""Where no background is measured: regions, images and catalogues of sources, on the pixels of any grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.io.ecsv import is_ecsv, read_ecsv
from gm.io.fits import FitsFile, read_fits
from gm.io.map_fits import is_sky_map
from gm.io.tables import Table
from gm.maps.exclusion import mask_at, resample_mask
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import converted, read_map
from gm.maps.rotation import rotate
from gm.maps.shapes import SkyShape
from gm.maps.sky_region import SkyRegion, read_ds9
from gm.maps.sphere import separation
from gm.units import UnitError, convert

_POSITIONS = (
    ("_RAJ2000", "_DEJ2000", "icrs"),  # VizieR, in degrees beside those of the paper
    ("RAJ2000", "DEJ2000", "icrs"),
    ("RAJ2000", "DECJ2000", "icrs"),
    ("RA_ICRS", "DE_ICRS", "icrs"),
    ("RADEG", "DEDEG", "icrs"),
    ("RA", "DEC", "icrs"),
    ("GLON", "GLAT", "galactic"),
)
_FITS = (b"SIMPLE", b"\x1f\x8b")  # plain, and compressed by gzip


@dataclass(frozen=True)
class Exclusion:
    """Parts of the sky without background: inside any of ``regions``, or where any of the images ``masks`` is 0.

    What lies beyond an image is not excluded.
    """

    regions: tuple[SkyRegion, ...] = ()
    masks: tuple[Map, ...] = ()

    @classmethod
    def from_entries(cls, entries: Iterable[Mapping[str, Any]], directory: Path | None = None) -> Exclusion:
        """From mappings: regions as `SkyRegion.from_mapping` takes them; files may be all that `read_exclusion` reads.

        ``{type: file, filename: sources.fits, radius: 0.3 deg}`` excludes circles around positions. Raises `DataError`.
        """
        held: list[SkyRegion | Map] = []
        for entry in entries:
            if entry.get("type") != "file":
                held.append(SkyRegion.from_mapping(entry, directory))
                continue
            try:
                radius = convert(entry["radius"], "deg") if "radius" in entry else None
            except UnitError as error:
                raise DataError(f"radius of {entry.get('filename')}: {error}") from error
            held.append(read_exclusion((directory or Path()) / str(entry.get("filename")), radius))
        regions = tuple(one for one in held if isinstance(one, SkyRegion))
        return cls(regions, tuple(one for one in held if isinstance(one, Map)))

    @classmethod
    def of_all(cls, parts: Sequence[Exclusion]) -> Exclusion:
        """What any of them excludes."""
        regions, masks = [one for part in parts for one in part.regions], [one for part in parts for one in part.masks]
        return cls(tuple(regions), tuple(masks))

    def keep(self, grid: WcsGeometry) -> BoolArray:
        """``(n_y, n_x)``: pixels where background is measured. A mask is taken at its pixel nearest to the centre."""
        mask = np.ones(grid.shape, dtype=np.bool_)
        for image in self.masks:
            mask &= resample_mask(image, grid, outside=True)
        for region in self.regions:
            near = _near(region, grid)
            if near is not None:
                mask &= ~near.contains(grid)
        return mask

    def keep_at(self, grid: WcsGeometry, x: Array, y: Array) -> BoolArray:
        """``(n,)``: the same at pixel coordinates of a grid."""
        keep = np.ones(x.shape, dtype=np.bool_)
        for image in self.masks:
            keep &= mask_at(image, *grid.sky(x, y), grid.frame, outside=True)
        for region in self.regions:
            near = _near(region, grid)
            if near is not None:
                keep &= ~near.contains_pixels(grid, x, y)
        return keep


def _near(region: SkyRegion, grid: WcsGeometry) -> SkyRegion | None:
    """The shapes that may reach the grid, of a catalogue that covers the sky; None without any."""
    lon, lat = grid.center()
    half = hypot(*grid.width())  # twice what a flat sky would need
    if not np.isfinite(lon) or half > 90.0:
        return region
    kept: list[SkyShape] = []
    for frame in dict.fromkeys(shape.frame for shape in region.shapes):
        shapes = [shape for shape in region.shapes if shape.frame == frame]
        first = rotate([shape.lon[0] for shape in shapes], [shape.lat[0] for shape in shapes], frame, grid.frame)
        reach = np.array([180.0 if len(shape.lon) > 1 else half + shape.reach for shape in shapes])
        kept += [shape for shape, is_near in zip(shapes, separation(lon, lat, *first) <= reach, strict=True) if is_near]
    return SkyRegion(tuple(kept)) if any(shape.include for shape in kept) else None


def read_exclusion(path: str | Path, radius: float | None = None) -> SkyRegion | Map:
    """What a file excludes: a FITS image that is 0 there, the regions of a DS9 file, or circles of ``radius`` [deg]
    around the positions of a FITS or ECSV table.

    Columns of positions: RA and DEC, RAJ2000 and DEJ2000, GLON and GLAT, and as VizieR calls them; in degrees where
    they have no unit, as text such as 05 34 31.9 in hours of right ascension. Raises `DataError`.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if is_ecsv(start):
        return _circles(read_ecsv(path), path, radius)
    opened = read_fits(path) if start.startswith(_FITS) else None
    table = _positions_table(opened) if opened is not None else None
    if table is not None:
        return _circles(table, path, radius)
    if radius is not None:
        held = "regions" if opened is None else "an image"
        raise DataError(f"{path}: holds {held}, for which a radius means nothing\n    leave out the radius")
    if opened is None:
        return read_ds9(path)
    return read_map(opened, logical=False)  # pixels without a value are allowed: they exclude nothing


def _positions_table(file: FitsFile) -> Table | None:
    """The first table with positions; of a file with nothing but tables the first. None where there is an image."""
    tables = [extension for extension in file.extensions if extension.is_table]
    for extension in tables:
        if any({lon, lat} <= _upper(extension.columns) for lon, lat, _ in _POSITIONS):
            return extension.table()
    has_image = any(not extension.is_table and extension.integer("NAXIS") > 0 for extension in file.extensions)
    return None if has_image or is_sky_map(file) or not tables else tables[0].table()


def _upper(names: Iterable[str]) -> set[str]:
    return {name.upper() for name in names}


def _circles(table: Table, path: Path, radius: float | None) -> SkyRegion:
    if radius is None:
        raise DataError(f"{path}: a table of positions, without the radius that is excluded\n    radius: 0.3 deg")
    found = next((names for names in _POSITIONS if {*names[:2]} <= _upper(table.names)), None)
    if found is None:
        pairs = ", ".join(f"{lon} and {lat}" for lon, lat, _ in _POSITIONS)
        raise DataError(f"{path}: no columns of positions\n    expected {pairs}; found {', '.join(table.names)}")
    lon, lat = (_degrees(table, name, f"{path}: column {name}") for name in found[:2])
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        row = int(np.argmin(np.isfinite(lon) & np.isfinite(lat)))
        raise DataError(f"{path}: row {row} has no position")
    if not len(lon):
        raise DataError(f"{path}: no row in the table of positions")
    pairs_of = zip(lon.ravel().tolist(), lat.ravel().tolist(), strict=True)
    return SkyRegion(tuple(SkyShape("circle", found[2], (x,), (y,), (radius,)) for x, y in pairs_of))


def _degrees(table: Table, name: str, where: str) -> Array:
    """A column of angles, (n,): numbers, or text as catalogues have it."""
    values, unit = table.array(name), table.unit(name)
    if values.dtype.kind not in "US":
        return converted(values.astype(np.float64), unit or "deg", "deg", where)
    with suppress(ValueError):  # degrees as text
        return np.asarray(values.astype(np.float64))
    from astropy.coordinates import Angle

    try:
        return np.asarray(Angle(values.astype(np.str_), unit="hourangle" if "RA" in name.upper() else "deg").deg)
    except ValueError as error:
        raise DataError(f"{where}: {str(error)[:80]}, expected degrees, or such as 05 34 31.9") from error
