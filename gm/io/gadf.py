"""GADF axes and region maps: a binned quantity of one sky region, as Gammapy stores the parts of a spectrum dataset.

``NAME`` holds the values: one row per bin of the slowest axis, the cell holds the faster axes and two spatial axes of
size 1. ``NAME_BANDS`` holds the axes and ``NAME_REGION`` the region. Source: gamma-astro-data-formats, sky maps.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, distinct
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile
from gm.io.tables import CardValue, Column, Table

log = logging.getLogger(__name__)

MAX_AXES = 5
_GAP = 1e-3  # of the narrowest bin
_BESIDE_COUNTS = "COUNTS_OFF", "EXPOSURE", "BACKGROUND", "MASK", "ACCEPTANCE", "PSF", "EDISP"
_WCS_SHAPE = re.compile(r"\(?\s*\d{1,9}(?:\s*,\s*\d{1,9})*\s*,?\s*\)?")


@dataclass(frozen=True, eq=False)
class GadfAxis:
    """An axis. ``edges : (n_bins + 1,)`` in ``unit`` as stored, or with ``nodes : (n_bins,)`` no edges.

    ``interp``: lin, log or sqrt.
    """

    name: str
    edges: Array
    unit: str
    interp: str = "log"
    nodes: Array | None = None

    @property
    def n_bins(self) -> int:
        return len(self.edges) - 1 if self.nodes is None else len(self.nodes)


@dataclass(frozen=True, eq=False)
class RegionMap:
    """Values by axis, slowest axis first: ``data : (n_last_axis, ..., n_first_axis)`` in ``unit``."""

    name: str
    axes: tuple[GadfAxis, ...]
    data: NDArray[Any]
    unit: str = ""


def parse_wcs_shape(text: str) -> tuple[int, ...]:
    """``"(4,4)"`` -> ``(4, 4)``. Only digits and commas are read, nothing is evaluated; else `DataError`."""
    if not _WCS_SHAPE.fullmatch(text.strip()):
        raise DataError(f"WCSSHAPE is {text[:60]!r}, expected integers such as '(4,4)'")
    return tuple(int(size) for size in re.findall(r"\d+", text))


def axis_names(extension: Extension) -> list[str]:
    """Names of the axes of a map, first (fastest) first, from its ``AXCOLSn`` cards."""
    names = []
    for number in range(1, MAX_AXES + 1):
        text = extension.header.text(f"AXCOLS{number}")
        if not text:
            break
        names.append(text.split(",")[0].strip().lower().removesuffix("_min").replace("theta", "rad"))
    return ["energy" if name == "e" else name for name in names]


def read_axes(file: FitsFile, name: str) -> list[GadfAxis]:
    """The axes of the map ``name`` from its BANDS table, first (fastest) first. Raises `DataError`."""
    return band_axes(file.get(f"{name}_BANDS"))


def band_axes(bands: Extension) -> list[GadfAxis]:
    """The axes in a BANDS table, first (fastest) first; files of many runs have the same ones. Raises `DataError`."""
    return list(bands.once(_axes_of))


def _axes_of(bands: Extension) -> list[GadfAxis]:
    axes = [_read_axis(bands, number, axis) for number, axis in enumerate(axis_names(bands), start=1)]
    rows, sizes = bands.integer("NAXIS2"), [axis.n_bins for axis in axes]
    if rows == np.prod(sizes):
        index = np.indices(sizes[::-1]).reshape(len(sizes), -1)[::-1]
        for number, (axis, at) in enumerate(zip(axes, index, strict=True), start=1):
            column = _columns_of(bands, number)[0]
            lows = axis.edges[:-1] if axis.nodes is None else axis.nodes
            if not np.array_equal(bands.floats(column).ravel(), lows[at]):
                bands.fail(f"column {column} does not increase from row to row", "bins are stored in increasing order")
    return axes


def _columns_of(bands: Extension, number: int) -> list[str]:
    return [column.strip() for column in bands.header.text(f"AXCOLS{number}").split(",")]


def _read_axis(bands: Extension, number: int, name: str) -> GadfAxis:
    columns = _columns_of(bands, number)
    if len(columns) > 2:
        bands.fail(f"axis {name} has the columns {', '.join(columns)}, expected a lower and an upper edge, or nodes")
    lower, upper = bands.floats(columns[0]), bands.floats(columns[-1])
    if not (np.isfinite(lower).all() and np.isfinite(upper).all() and lower.size):
        bands.fail(f"axis {name} has values that are not finite, or none")
    lows, unit = distinct(lower), bands.unit(columns[0])
    if "AXCOLS2" not in bands.header and not np.array_equal(lows, lower):
        bands.fail(f"column {columns[0]} does not increase from row to row", "bins are stored in increasing order")
    interp = _interp(bands, f"INTERP{number}", name)
    if len(columns) == 1:
        return GadfAxis(name, np.empty(0), unit, interp, _kept(lows))
    ends = distinct(upper)
    if ends.size != lows.size or (np.abs(ends[:-1] - lows[1:]) > _GAP * (ends - lows).min()).any():
        bands.fail(f"the bins of axis {name} leave gaps or overlap", "each begins where the one before it ends")
    return GadfAxis(name, _kept(np.append(lows, ends[-1])), unit, interp)


def _interp(bands: Extension, card: str, name: str) -> str:
    """How the axis is divided. Without the card energies are taken for logarithmic, where Gammapy takes linear ones:
    that is told, of the parts of a dataset once."""
    is_energy = name.startswith("energy")
    if is_energy and card not in bands.header and not bands.name.startswith(_BESIDE_COUNTS):
        told = "its energies are taken for logarithmic (by Gammapy for linear)"
        log.warning("%s: HDU %s: no card %s, %s", bands.path, bands.name, card, told)
    return bands.header.text(card, "log" if is_energy else "lin").lower()


def _kept(values: Array) -> Array:
    """That nobody can change, since others have them too."""
    values.flags.writeable = False
    return values


def read_values(file: FitsFile, name: str, shape: tuple[int, ...], unit: str | None = None) -> Array | None:
    """Values of the map ``name``, in the shape of ``shape`` slowest axis first, in ``unit``; None without such a map.

    Raises `DataError` when the sizes differ or the unit does not convert.
    """
    extension = file.find(name)
    if extension is None:
        return None
    values = extension.floats("DATA", unit)
    if values.size != np.prod(shape):
        extension.fail(f"{values.size} values, expected {' x '.join(map(str, shape))} as the axes say")
    return values.reshape(shape)


def map_tables(region_map: RegionMap, region: Table | None, header: dict[str, CardValue] | None = None) -> list[Table]:
    """The tables ``NAME``, ``NAME_BANDS`` and, with a region, ``NAME_REGION`` (from ``region``, which is renamed)."""
    axes = region_map.axes
    cards = axis_cards(axes)
    data = region_map.data.reshape(*region_map.data.shape, 1, 1)
    channel = Column("CHANNEL", np.arange(len(data), dtype=np.int16))
    tables = [
        Table(region_map.name, (channel, Column("DATA", data, region_map.unit)), {**cards, **(header or {})}),
        band_table(f"{region_map.name}_BANDS", axes),
    ]
    if region is not None:
        tables.append(Table(f"{region_map.name}_REGION", region.columns, region.header))
    return tables


def axis_cards(axes: Sequence[GadfAxis]) -> dict[str, CardValue]:
    """The cards that name the columns of each axis, first (fastest) first."""
    cards: dict[str, CardValue] = {}
    for number, axis in enumerate(axes, start=1):
        prefix = _prefix(axis.name)
        columns = f"{prefix}_MIN,{prefix}_MAX" if axis.nodes is None else axis.name.upper()
        cards |= {f"AXCOLS{number}": columns, f"INTERP{number}": axis.interp}
    return cards


def band_table(name: str, axes: Sequence[GadfAxis]) -> Table:
    """The BANDS table: one row per combination of bins, first axis fastest."""
    index = np.indices([axis.n_bins for axis in reversed(axes)]).reshape(len(axes), -1)[::-1]
    columns = [Column("CHANNEL", np.arange(index.shape[1], dtype=np.int64))]
    for axis, at in zip(axes, index, strict=True):
        columns += [Column(column, values[at], axis.unit) for column, values in _axis_columns(axis).items()]
    return Table(name, tuple(columns), axis_cards(axes))


def _axis_columns(axis: GadfAxis) -> dict[str, Array]:
    if axis.nodes is not None:
        return {axis.name.upper(): axis.nodes}
    lower, upper = axis.edges[:-1], axis.edges[1:]
    center = np.sqrt(lower * upper) if axis.interp == "log" else 0.5 * (lower + upper)
    prefix = _prefix(axis.name)
    return {axis.name.upper(): center, f"{prefix}_MIN": lower, f"{prefix}_MAX": upper}


def _prefix(name: str) -> str:
    return "E" if name == "energy" else name.upper()


def check_companions(file: FitsFile) -> None:
    """Raise `DataError` for an extension that belongs to one that the file lacks, which was lost then.

    Axes belong to their map, and exposures to the response that is averaged by them.
    """
    names = [extension.name for extension in file.extensions]
    there = {"FINER", *names}
    for name in names:
        whose = name.removesuffix("_BANDS") if name.endswith("_BANDS") else name.removesuffix("_EXPOSURE")
        if whose not in there:
            raise DataError(
                f"{file.path}: HDU {name} is there, but not HDU {whose}, to which it belongs\n"
                "    the file is damaged: copy it again"
            )


def require_tables(file: FitsFile, names: tuple[str, ...], kind: str) -> None:
    """Raise `DataError` naming all tables that a file of this kind lacks."""
    missing = [name for name in names if file.find(name) is None]
    if missing:
        found = ", ".join(extension.name for extension in file.extensions if extension.name)
        raise DataError(f"{file.path}: no HDU {', '.join(missing)}, needed for {kind}\n    found: {found}")
