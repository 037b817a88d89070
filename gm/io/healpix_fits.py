"""HEALPix maps in FITS files: one table column per bin, or a row per value that is not 0.

``INDXSCHM`` says which pixels the rows are: IMPLICIT all of them, or those of ``HPX_REG`` in order; EXPLICIT those of
the column PIX; LOCAL the numbers within ``HPX_REG``; SPARSE PIX, CHANNEL and VALUE. Columns are called CHANNEL1, ...
(GADF, Fermi's counts and source maps), ENERGY1, ... (Fermi's templates and exposures), Bin0, ... (GALPROP) or anything
(healpy). Source: gamma-astro-data-formats, HEALPix.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import distinct
from gm.io.fits import Extension, FitsFile
from gm.io.gadf import GadfAxis, axis_cards, band_table
from gm.io.map_fits import FileMap, read_map_axes, read_meta, sparse_array, sparse_columns, usual_unit
from gm.io.tables import CardValue, Column, Image, Table

log = logging.getLogger(__name__)

_FRAMES = {"GAL": "galactic", "G": "galactic", "GALACTIC": "galactic", "CEL": "icrs", "C": "icrs", "EQU": "icrs",
           "EQUATORIAL": "icrs", "ICRS": "icrs", "": "icrs"}  # fmt: skip
_PIXELS = ("PIX", "PIXEL")  # GADF, healpy
_VALUES = re.compile(r"(CHANNEL|ENERGY|BIN|COSBINS)\d+")
_REGION = re.compile(r"\s*([A-Z_]+)\s*\(([^()]*)\)\s*")
MAX_NSIDE = 1 << 15


@dataclass(frozen=True, eq=False)
class HealpixHeader:
    """What the header says of the pixels: ``region``: as written, such as ``DISK(0,0,5)``; empty for the whole sky."""

    nside: int
    nested: bool
    frame: str
    region: str = ""


def read_healpix_header(file: FitsFile, extension: Extension) -> HealpixHeader:
    """The pixelisation of a HEALPix table; NSIDE in its BANDS table counts more than that in the header.

    Raises `DataError`.
    """
    header = extension.header
    ordering = header.text("ORDERING").upper()
    if ordering not in ("RING", "NESTED", "NEST"):
        extension.fail(f"ORDERING is {ordering!r}, expected RING or NESTED")
    nside = _nside(file, extension)
    if not 1 <= nside <= MAX_NSIDE:
        extension.fail(f"NSIDE is {nside}, expected 1 to {MAX_NSIDE}")
    system = (header.text("COORDSYS") or header.text("COORDTYPE")).upper()
    if system not in _FRAMES:
        extension.fail(f"COORDSYS is {system!r}, expected GAL or CEL")
    if not system:
        log.warning("%s: HDU %s: no card COORDSYS, positions are taken for ICRS", extension.path, extension.name)
    region = header.text("HPX_REG") or header.text("HPXREGION")
    return HealpixHeader(nside, ordering != "RING", _FRAMES[system], "" if region.lower() == "explicit" else region)


def parse_region(extension: Extension, region: str) -> tuple[str, list[str]]:
    """The kind and the words of a region as ``HPX_REG`` has it. Raises `DataError`."""
    found = _REGION.fullmatch(region.upper())
    if found is None:
        extension.fail(f"HPX_REG is {region!r}, expected such as DISK(0,0,5)")
    return found[1], [word.strip() for word in found[2].split(",")]


def _nside(file: FitsFile, extension: Extension) -> int:
    bands = file.find(extension.header.text("BANDSHDU"))
    if bands is not None and bands.is_table and bands.find("NSIDE") is not None:
        numbers = distinct(bands.floats("NSIDE"))
        if numbers.size != 1 or not 0 < numbers[0] <= MAX_NSIDE:
            bands.fail("NSIDE differs from bin to bin", "the pixels must be the same in every bin")
        return int(numbers[0])
    if "NSIDE" in extension.header:
        return extension.integer("NSIDE")
    return 1 << min(max(extension.integer("ORDER"), 0), 40)


def read_healpix(
    file: FitsFile, extension: Extension, n_sky: int, region: Callable[[], NDArray[np.intp] | None]
) -> tuple[FileMap, NDArray[np.intp] | None]:
    """Values (..., n_pixels), and the numbers of their pixels (n_pixels,), None for all ``n_sky`` in order.

    ``region``: gives the numbers of the pixels of ``HPX_REG``, None when the header has none; it is asked only where
    nothing else says which pixels there are. Raises `DataError`.
    """
    axes, scheme = _axes(file, extension), extension.header.text("INDXSCHM", "IMPLICIT").upper()
    bins = tuple(axis.n_bins for axis in axes)
    unit = extension.header.text("BUNIT")
    if scheme == "SPARSE":
        data, pixels = sparse_array(extension, bins, (n_sky,)), None
    else:
        names = _names_of_values(extension, int(np.prod(bins)))
        unit = unit or _unit_of(extension, names)
        data = _columns(extension, names).reshape(*bins, -1)
        pixels = _pixels(extension, scheme, data.shape[-1], n_sky, region)
        if pixels is not None:
            order = np.argsort(pixels, kind="stable")
            data, pixels = data[..., order], pixels[order]
    if not unit and extension.header.text("HPX_CONV").upper() == "FGST-BEXPCUBE":
        unit = "cm2 s"
    unit = unit or usual_unit(file, extension)
    return FileMap(data, axes, unit, extension.header, read_meta(extension)), pixels


def _axes(file: FitsFile, extension: Extension) -> tuple[GadfAxis, ...]:
    single = sum(name.upper() not in _PIXELS for name in extension.columns) == 1
    if single and not extension.header.text("BANDSHDU"):
        return ()
    return read_map_axes(file, extension)


def _names_of_values(extension: Extension, n_bins: int) -> list[str]:
    """The columns that hold values, by their numbers where they have any."""
    others = [name for name in extension.columns if name.upper() not in _PIXELS]
    names = [name for name in others if _VALUES.fullmatch(name.upper())]
    names = sorted(names, key=lambda name: int(re.sub(r"\D", "", name))) or others
    if len(names) < n_bins:
        extension.fail(f"{len(names)} columns of values, expected {n_bins} as the axes say")
    return names[:n_bins]


def _unit_of(extension: Extension, names: list[str]) -> str:
    """The unit of the columns, which have one and the same."""
    units = {extension.unit(name) for name in names}
    if len(units) > 1:
        extension.fail(f"columns of values are in {', '.join(map(repr, sorted(units)))}, expected one unit")
    return units.pop()


def _columns(extension: Extension, names: list[str]) -> NDArray[Any]:
    """Values ``(n_bins, n_rows)`` of columns; a cell of several values is several pixels."""
    if names[0].upper() == "COSBINS":
        extension.fail("a cube of live times (gtltcube), no map of the sky", "gtexpcube2 makes an exposure of it")
    rows = [extension.column(name).reshape(-1) for name in names]
    if len({row.size for row in rows}) > 1:
        extension.fail("columns of values have different sizes")
    data = np.stack(rows)
    if data.dtype.kind not in "fiub":
        extension.fail("columns of values are not numeric")
    return data


def _pixels(
    extension: Extension, scheme: str, n_rows: int, n_sky: int, region: Callable[[], NDArray[np.intp] | None]
) -> NDArray[np.intp] | None:
    column = next((name for name in _PIXELS if extension.find(name) is not None), _PIXELS[0])
    if scheme == "EXPLICIT" or (scheme == "IMPLICIT" and extension.find(column) is not None):
        pixels = extension.column(column).astype(np.intp).reshape(-1)
    elif scheme == "LOCAL":
        local, within = extension.column(column).astype(np.intp).reshape(-1), region()
        if within is None or local.size == 0 or local.min() < 0 or local.max() >= len(within):
            extension.fail("INDXSCHM is LOCAL, and PIX does not go with HPX_REG")
        pixels = within[local]
    elif scheme == "IMPLICIT":
        if n_rows == n_sky:  # whatever region the header notes, in which there are values
            return None
        within = region()
        if within is None or n_rows != len(within):
            extension.fail(f"{n_rows} pixels, expected {n_sky if within is None else len(within)}")
        return within
    else:
        extension.fail(f"INDXSCHM is {scheme!r}, expected IMPLICIT, EXPLICIT, LOCAL or SPARSE")
    if pixels.size != n_rows or not 0 <= pixels.min() <= pixels.max() < n_sky or distinct(pixels).size != n_rows:
        extension.fail(f"PIX are not different pixels of the {n_sky} of the sky")
    return pixels


def healpix_extensions(
    name: str, grid: HealpixHeader, pixels: NDArray[np.intp] | None, file_map: FileMap, sparse: bool = False
) -> list[Image | Table]:
    """The table ``NAME`` and, with axes, ``NAME_BANDS``; ``sparse``: a row per value that is not 0.

    pixels : (n_pixels,) their numbers, None for the whole sky
    """
    axes = tuple(reversed(file_map.axes))
    data = file_map.data.reshape(-1, file_map.data.shape[-1])
    values: tuple[Column, ...]
    if sparse:
        values = sparse_columns(data, axes)
        if pixels is not None:
            values = (Column("PIX", pixels[np.asarray(values[0].values)]), *values[1:])
    else:
        explicit = () if pixels is None else (Column("PIX", pixels.astype(np.int64)),)
        values = (*explicit, *(Column(f"CHANNEL{n}", row) for n, row in enumerate(data, start=1)))
    header: dict[str, CardValue] = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NESTED" if grid.nested else "RING",
        "INDXSCHM": "SPARSE" if sparse else "IMPLICIT" if pixels is None else "EXPLICIT",
        "ORDER": grid.nside.bit_length() - 1 if grid.nside & (grid.nside - 1) == 0 else -1,
        "NSIDE": grid.nside,
        "FIRSTPIX": 0,
        "LASTPIX": 12 * grid.nside**2 - 1,
        "HPX_CONV": "GADF",
        "COORDSYS": "GAL" if grid.frame == "galactic" else "CEL",
    }
    header |= {"EQUINOX": 2000.0} if grid.frame == "icrs" else {}
    header |= axis_cards(axes) | ({"BANDSHDU": f"{name}_BANDS"} if axes else {})
    header |= {"META": json.dumps(dict(file_map.meta)), "BUNIT": file_map.unit}
    return [Table(name, values, header), *([band_table(f"{name}_BANDS", axes)] if axes else [])]
