"""Sky maps in FITS files: GADF images, their sparse variant, and the cubes of the Fermi science tools.

An image ``NAME`` has the celestial world coordinate system in its header, ``WCSSHAPE`` and the axes before the two of
the sky in the table that ``BANDSHDU`` names. Fermi's count cubes have ``EBOUNDS`` (bin edges) in its place, its diffuse
templates and exposure cubes ``ENERGIES`` (nodes in MeV). Source: gamma-astro-data-formats, sky maps; gtbin, gtexpcube2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.fits import Extension, FitsFile
from gm.io.fits_image import first_data, image_shape, is_image, read_image, refuse_packed
from gm.io.gadf import GadfAxis, axis_cards, band_axes, band_table, parse_wcs_shape
from gm.io.ogip_channels import edges_of
from gm.io.tables import CardValue, Column, Image, Table

_MASKS = ("mask", "is_ul", "success")


@dataclass(frozen=True, eq=False)
class FileMap:
    """A map as a file holds it: ``data : (*axes slowest first, n_y, n_x)`` or ``(*axes, n_pixels)``.

    ``axes`` slowest first, in the file's units; ``header``: all cards of the map; ``meta``: its ``META``.
    """

    data: NDArray[Any]
    axes: tuple[GadfAxis, ...]
    unit: str = ""
    header: Mapping[str, CardValue] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


def is_sky_map(file: FitsFile) -> bool:
    """Whether the file holds one image or cube of the sky, in its first extension that holds anything."""
    first = next((extension for extension in file.extensions if extension.integer("NAXIS") > 0), None)
    return first is not None and bool(_layout(first)) and len(_alike(file, first)) == 1


def map_extension(file: FitsFile, name: str | None) -> Extension:
    """The extension ``name``, by default the first that holds anything.

    Raises `DataError`, also of a compressed image, and where by default others hold a map just like it: a cube may be
    spread over them.
    """
    if name is not None:
        named = file.get(name)
        refuse_packed(named)
        return named
    first = first_data(file)
    refuse_packed(first)
    alike = _alike(file, first)
    if _layout(first) and len(alike) > 1:
        raise DataError(
            f"{file.path}: {len(alike)} extensions hold a map of the same size: "
            f"{', '.join(extension.name or '(unnamed)' for extension in alike[:6])}\n"
            "    one is read from a file: write the one that is meant alone, or all of them as one cube"
        )
    return first


def _alike(file: FitsFile, first: Extension) -> list[Extension]:
    return [extension for extension in file.extensions if _layout(extension) == _layout(first)]


def _layout(extension: Extension) -> tuple[Any, ...]:
    """What two maps of a cube have in common; empty for what is no map of the sky."""
    header = extension.header
    if is_image(extension) and {"CTYPE1", "CTYPE2"} <= set(header):
        return image_shape(extension)
    keys = ("PIXTYPE", "NSIDE", "ORDER", "NAXIS1", "NAXIS2", "TTYPE1")
    return tuple(header.get(key) for key in keys) if header.text("PIXTYPE") == "HEALPIX" else ()


def read_wcs_map(file: FitsFile, extension: Extension, *, logical: bool = True) -> FileMap:
    """An image, or a sparse table of its pixels, with its axes. Raises `DataError`.

    logical : whether values are true or false where the name of the extension says so
    """
    axes, unit = read_map_axes(file, extension), extension.header.text("BUNIT")
    if extension.is_table:
        data = _read_sparse(extension, axes)
    else:
        data = _plain_image(read_image(extension), axes)
        _check_shape(extension, data.shape, axes)
    data = _logical(extension, data) if logical else data
    return FileMap(data, axes, unit or usual_unit(file, extension), extension.header, read_meta(extension))


def _plain_image(data: NDArray[Any], axes: Sequence[GadfAxis]) -> NDArray[Any]:
    """An image, without the axes of one plane that radio maps have (a frequency, a polarisation)."""
    return data.reshape(data.shape[-2:]) if not axes and data.size == np.prod(data.shape[-2:]) else data


def usual_unit(file: FitsFile, extension: Extension) -> str:
    """What Fermi's maps of energies are in that do not say so: an exposure comes with its time intervals."""
    if _bands_name(file, extension) != "ENERGIES":
        return ""
    return "cm2 s" if file.find("GTI") is not None else "cm-2 s-1 MeV-1 sr-1"


def _logical(extension: Extension, data: NDArray[Any]) -> NDArray[Any]:
    """The values, which are true or false where the name of the extension says so."""
    if not any(word in extension.name.lower() for word in _MASKS):
        return data
    unknown = int(np.count_nonzero(np.isnan(data))) if data.dtype.kind == "f" else 0
    if unknown:
        extension.fail(f"{unknown} of {data.size} values are no numbers, expected 0 or 1")
    return data.astype(np.bool_)


def read_map_axes(file: FitsFile, extension: Extension) -> tuple[GadfAxis, ...]:
    """The axes of a map, slowest first, from the table that belongs to it. Raises `DataError`."""
    name = _bands_name(file, extension)
    if not name:
        return ()
    bands = file.get(name)
    if name == "EBOUNDS" and not bands.header.text("AXCOLS1"):
        return (GadfAxis("energy", edges_of(bands, "E_MIN", "E_MAX"), "TeV"),)
    if name == "ENERGIES":  # Gammapy writes no unit, and means that of the science tools
        unit = bands.unit("ENERGY") or "MeV"
        return (GadfAxis("energy_true", np.empty(0), unit, "log", bands.floats("ENERGY").ravel()),)
    for column in ("NSIDE",) if extension.header.text("PIXTYPE") == "HEALPIX" else ("NPIX", "CDELT", "CRPIX"):
        if bands.find(column) is not None and (np.ptp(bands.floats(column), axis=0) > 0).any():
            bands.fail(f"{column} differs from bin to bin", "the pixels must be the same in every bin")
    return tuple(reversed(band_axes(bands)))


def _bands_name(file: FitsFile, extension: Extension) -> str:
    """The table with the axes: named in the header, or Fermi's; empty when there is none."""
    name = extension.header.text("BANDSHDU").upper()
    if name or (not extension.is_table and extension.integer("NAXIS") < 3):
        return name
    names = (f"{extension.name}_BANDS", "EBOUNDS", "ENERGIES")
    return next((other for other in names if file.find(other) is not None), "")


def read_meta(extension: Extension) -> dict[str, Any]:
    """The ``META`` card, a JSON object; empty when there is none."""
    text = extension.header.text("META")
    try:
        meta = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict):
        extension.fail("card META is not a JSON object")
    return meta


def _check_shape(extension: Extension, shape: tuple[int, ...], axes: tuple[GadfAxis, ...]) -> None:
    expected = tuple(axis.n_bins for axis in axes)
    if len(shape) != len(axes) + 2 or shape[:-2] != expected:
        names = " x ".join(f"{axis.name} ({axis.n_bins})" for axis in axes) or "none"
        extension.fail(f"an image of shape {shape}, its axes before the sky are: {names}")
    if "WCSSHAPE" in extension.header:
        declared = parse_wcs_shape(extension.header.text("WCSSHAPE"))[:2]
        if declared != shape[:-3:-1]:
            extension.fail(f"WCSSHAPE begins with {declared}, the image has {shape[:-3:-1]} pixels")


def _read_sparse(extension: Extension, axes: tuple[GadfAxis, ...]) -> NDArray[Any]:
    """Pixels by number (``PIX``, ``y n_x + x``) and by bin (``CHANNEL``); all others are 0."""
    if "WCSSHAPE" not in extension.header:
        extension.fail("a table that is no map", "maps in tables have the card PIXTYPE, of HEALPix, or WCSSHAPE")
    sizes = parse_wcs_shape(extension.header.text("WCSSHAPE"))
    if len(sizes) < 2:
        extension.fail(f"WCSSHAPE is {sizes}, expected at least two sizes")
    return sparse_array(extension, tuple(axis.n_bins for axis in axes), (sizes[1], sizes[0]))


def read_region_map(file: FitsFile, extension: Extension) -> FileMap:
    """The table of a region map: ``data : (*axes, 1, 1)``. Raises `DataError`."""
    axes = read_map_axes(file, extension)
    shape = tuple(axis.n_bins for axis in axes)
    data = extension.column("DATA")
    if data.size != np.prod(shape):
        extension.fail(f"{data.size} values, expected {' x '.join(map(str, shape))} as the axes say")
    data = _logical(extension, data)
    return FileMap(data.reshape(*shape, 1, 1), axes, extension.unit("DATA"), extension.header, read_meta(extension))


def region_map_extensions(name: str, file_map: FileMap) -> list[Image | Table]:
    """The tables ``NAME`` (one row per bin of the slowest axis) and ``NAME_BANDS``."""
    axes = tuple(reversed(file_map.axes))
    header = axis_cards(axes) | ({"META": json.dumps(dict(file_map.meta))} if file_map.meta else {})
    data = file_map.data if axes else file_map.data[None]
    channel = Column("CHANNEL", np.arange(len(data), dtype=np.int16))
    table = Table(name, (channel, Column("DATA", data, file_map.unit)), header)
    return [table, *([band_table(f"{name}_BANDS", axes)] if axes else [])]


def sparse_array(extension: Extension, bins: tuple[int, ...], pixels: tuple[int, ...]) -> NDArray[Any]:
    """The array ``(*bins, *pixels)`` from the columns PIX, CHANNEL and VALUE. Raises `DataError`."""
    n_bins, n_pixels = int(np.prod(bins)), int(np.prod(pixels))
    if n_bins * n_pixels > 1 << 31:
        extension.fail(f"a sparse map of {n_bins} x {n_pixels} values is too large")
    values = extension.column("VALUE")
    pix = extension.column("PIX").astype(np.int64)
    channel = extension.column("CHANNEL").astype(np.int64) if extension.find("CHANNEL") else np.zeros_like(pix)
    if not (_within(pix, n_pixels) and _within(channel, n_bins) and values.ndim == 1):
        extension.fail(f"PIX or CHANNEL outside the map of {n_pixels} pixels and {n_bins} bins")
    data = np.zeros(n_bins * n_pixels, values.dtype)
    data[channel * n_pixels + pix] = values
    return data.reshape(*bins, *pixels)


def _within(index: NDArray[np.int64], size: int) -> bool:
    return index.size == 0 or bool(index.min() >= 0 and index.max() < size)


def wcs_map_extensions(name: str, file_map: FileMap, sparse: bool = False) -> list[Image | Table]:
    """The extensions ``NAME`` (with ``sparse`` a table of the pixels that are not 0) and, with axes, ``NAME_BANDS``."""
    axes = tuple(reversed(file_map.axes))
    n_y, n_x = file_map.data.shape[-2:]
    sizes = ",".join(str(size) for size in (n_x, n_y, *(axis.n_bins for axis in axes)))
    header: dict[str, CardValue] = {"WCSAXES": 2, **file_map.header, **axis_cards(axes), "WCSSHAPE": f"({sizes})"}
    header |= {"BANDSHDU": f"{name}_BANDS"} if axes else {}
    header |= {"META": json.dumps(dict(file_map.meta)), "BUNIT": file_map.unit}
    if sparse:
        first: Image | Table = Table(name, sparse_columns(file_map.data.reshape(-1, n_y * n_x), axes), header)
    else:
        first = Image(name, file_map.data, header)
    return [first, *([band_table(f"{name}_BANDS", axes)] if axes else [])]


def sparse_columns(data: NDArray[Any], axes: Sequence[GadfAxis]) -> tuple[Column, ...]:
    """PIX, CHANNEL and VALUE of what is not 0 in ``data : (n_bins, n_pixels)``."""
    channel, pix = np.nonzero(data)
    values = data[channel, pix]
    columns = [Column("PIX", pix.astype(np.int32)), Column("CHANNEL", channel.astype(np.int32))]
    value = Column("VALUE", values.astype(np.uint8) if values.dtype.kind == "b" else values)
    return (*columns[: 2 if axes else 1], value)
