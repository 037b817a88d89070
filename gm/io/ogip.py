"""OGIP spectra: PHA and background counts, effective area (ARF) and redistribution matrix (RMF).

Conventions as Gammapy 2.1 reads them, so that the same files give the same statistic: a channel is good where QUALITY
is 0; the acceptance is BACKSCAL; F_CHAN counts from 0 and TLMIN is ignored; AREASCAL, GROUPING, CORRSCAL and SYS_ERR
are ignored. Accepted beyond Gammapy: BACKSCAL and QUALITY as header cards, a PHA file without EBOUNDS, and the
extension name ``SPECRESP MATRIX``. Source: OGIP memos 92-007 and CAL/GEN/92-002.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray
from gm.io.fits import Extension, FitsFile, read_fits
from gm.io.tables import Column, Table

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pha:
    """Counts per channel. ``counts, backscal, good : (n_channels,)``; ``edges : (n_channels + 1,) [TeV]``.

    exposure : live time [s]. File names as the header has them, empty when absent.
    """

    path: Path
    counts: Array
    backscal: Array
    good: BoolArray
    edges: Array | None
    exposure: float
    name: str
    ancrfile: str
    backfile: str
    respfile: str
    region: Table | None
    gti: Table | None


def is_ogip(file: FitsFile) -> bool:
    """Whether a file holds an OGIP spectrum."""
    spectrum = file.find("SPECTRUM")
    return spectrum is not None and "OGIP" in spectrum.header.text("HDUCLASS")


def pha_from(file: FitsFile) -> Pha:
    """The spectrum in an opened PHA or background file. Raises `DataError`."""
    spectrum, bounds = file.get("SPECTRUM"), file.find("EBOUNDS")
    if spectrum.find("COUNTS") is None and spectrum.find("RATE") is not None:
        spectrum.fail("has a RATE column, expected COUNTS", "convert rates to counts: Poisson statistics need counts")
    counts = spectrum.floats("COUNTS")
    edges = _edges(bounds, "E_MIN", "E_MAX", "keV") if bounds is not None else None
    if edges is not None and len(edges) != len(counts) + 1:
        spectrum.fail(f"{len(counts)} channels, EBOUNDS has {len(edges) - 1}")
    exposure = spectrum.header.get("EXPOSURE")
    if isinstance(exposure, bool | str) or exposure is None or not 0 <= exposure < np.inf:
        spectrum.fail(f"card EXPOSURE is {exposure!r}, expected the live time in seconds")
    region, gti = file.find("REGION"), file.find("GTI")
    return Pha(
        path=file.path,
        counts=counts,
        backscal=_per_channel(spectrum, "BACKSCAL", 1.0, len(counts)),
        good=_per_channel(spectrum, "QUALITY", 0.0, len(counts)) == 0,
        edges=edges,
        exposure=float(exposure),
        name=spectrum.header.text("OBS_ID"),
        ancrfile=_file_name(spectrum, "ANCRFILE"),
        backfile=_file_name(spectrum, "BACKFILE"),
        respfile=_file_name(spectrum, "RESPFILE"),
        region=region.table() if region is not None else None,
        gti=gti.table() if gti is not None else None,
    )


def _per_channel(spectrum: Extension, name: str, default: float, n_channels: int) -> Array:
    """A column; or a header card that holds for every channel."""
    if spectrum.find(name) is not None:
        return spectrum.floats(name)
    value = spectrum.header.get(name, default)
    if isinstance(value, str):
        spectrum.fail(f"card {name} is {value!r}, expected a number")
    return np.full(n_channels, float(value))


def _file_name(spectrum: Extension, card: str) -> str:
    name = spectrum.header.text(card)
    return "" if name.lower() == "none" else name


def _edges(extension: Extension, lower: str, upper: str, default: str) -> Array:
    """All lower edges and the last upper one [TeV]."""
    low, high = extension.floats(lower, "TeV", default), extension.floats(upper, "TeV", default)
    if not low.size:
        extension.fail("has no rows")
    edges = np.append(low, high[-1])
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all() or edges[0] <= 0:
        extension.fail(f"columns {lower} and {upper} are not energies above 0 in increasing order")
    return edges


def read_arf(path: Path) -> tuple[Array, Array]:
    """True-energy edges ``(n + 1,) [TeV]`` and effective area ``(n,) [cm2]``. Raises `DataError`."""
    response = read_fits(path).get("SPECRESP")
    area = response.floats("SPECRESP", "cm2", "cm2")
    if not np.isfinite(area).all() or (area < 0).any():
        response.fail("column SPECRESP has values that are negative or not finite, expected an area")
    return _edges(response, "ENERG_LO", "ENERG_HI", "keV"), area


def read_rmf(path: Path) -> tuple[Array, Array, Array]:
    """True-energy edges [TeV], channel edges [TeV] and ``matrix : (n_energy_true, n_channels)``. Raises `DataError`."""
    file = read_fits(path)
    matrix = file.find("MATRIX") or file.find("SPECRESP MATRIX") or file.get("MATRIX")
    edges_true = _edges(matrix, "ENERG_LO", "ENERG_HI", "keV")
    edges = _edges(file.get("EBOUNDS"), "E_MIN", "E_MAX", "keV")
    number = next((n for n in range(1, 10) if matrix.header.text(f"TTYPE{n}").upper() == "F_CHAN"), 4)
    if matrix.header.get(f"TLMIN{number}", 0) != 0:
        log.warning("%s: TLMIN%d says that channels count from 1; F_CHAN is read as counting from 0", path, number)
    return edges_true, edges, _expand(matrix, len(edges_true) - 1, len(edges) - 1)


def _expand(extension: Extension, n_true: int, n_channels: int) -> Array:
    """The dense matrix from its groups of channels."""
    if "DETCHANS" in extension.header and extension.integer("DETCHANS") != n_channels:
        extension.fail(f"DETCHANS is {extension.integer('DETCHANS')}, EBOUNDS has {n_channels} channels")
    groups = extension.floats("N_GRP").astype(np.intp)
    firsts, sizes = extension.heap_column("F_CHAN"), extension.heap_column("N_CHAN")
    values = extension.heap_column("MATRIX")
    matrix = np.zeros((n_true, n_channels))
    for row, n_groups in enumerate(groups.tolist()):
        begin = 0
        first, size = firsts[row].tolist(), sizes[row].tolist()
        if n_groups > min(len(first), len(size)):
            extension.fail(f"row {row}: N_GRP is {n_groups}, F_CHAN and N_CHAN hold {min(len(first), len(size))}")
        for channel, count in zip(first[:n_groups], size[:n_groups], strict=True):
            if channel < 0 or count < 0 or channel + count > n_channels or begin + count > len(values[row]):
                extension.fail(
                    f"row {row}: {count} values from channel {channel} on do not fit {n_channels} channels",
                    "F_CHAN counts from 0; a matrix that counts from 1 has to be shifted",
                )
            matrix[row, channel : channel + count] = values[row][begin : begin + count]
            begin += count
    if not np.isfinite(matrix).all():
        extension.fail("column MATRIX has values that are not finite")
    return matrix


def pha_tables(
    *, counts: Array, backscal: Array, good: BoolArray, edges: Array, exposure: float, name: str, files: dict[str, str],
    background: bool = False, region: Table | None = None, gti: Table | None = None,
) -> list[Table]:  # fmt: skip
    """The tables of a PHA file, or of a background file. ``files``: cards ANCRFILE, BACKFILE, RESPFILE."""
    n_channels = len(counts)
    header = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": "BKG" if background else "TOTAL", "HDUCLAS3": "COUNT", "HDUCLAS4": "TYPE:1", "HDUVERS": "1.2.1",
        "POISSERR": True, "CHANTYPE": "PHA", "DETCHANS": n_channels, "GROUPING": 0, "AREASCAL": 1, "CORRFILE": "",
        "CORRSCAL": "", "EXPOSURE": float(exposure), "OBS_ID": name, **files,
    }  # fmt: skip
    whole = np.array_equal(counts, np.round(counts)) and bool((np.abs(counts) < 2**31).all())
    columns = (
        Column("CHANNEL", np.arange(n_channels, dtype=np.int16)),
        Column("COUNTS", counts.astype(np.int32) if whole else counts),
        Column("QUALITY", ~good),
        Column("BACKSCAL", backscal.astype(np.float64)),
    )
    regions = [Table("REGION", region.columns, region.header)] if region is not None else []
    gtis = [Table("GTI", gti.columns, gti.header)] if gti is not None else []
    return [Table("SPECTRUM", columns, header), _bounds_table(edges), *regions, *gtis]


def arf_tables(edges_true: Array, area: Array) -> list[Table]:
    """The table of an ARF. ``area : (n_energy_true,) [cm2]``."""
    header = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "SPECRESP", "HDUVERS": "1.1.0",
    }  # fmt: skip
    columns = (
        Column("ENERG_LO", edges_true[:-1], "TeV"),
        Column("ENERG_HI", edges_true[1:], "TeV"),
        Column("SPECRESP", area, "cm2"),
    )
    return [Table("SPECRESP", columns, header)]


def rmf_tables(edges_true: Array, edges: Array, matrix: Array) -> list[Table]:
    """The tables of an RMF; zeros are compressed into groups, energies and values are float32 as usual."""
    firsts: list[NDArray[Any]] = []
    sizes: list[NDArray[Any]] = []
    values: list[NDArray[Any]] = []
    for row in matrix.astype(np.float32):
        steps = np.flatnonzero(np.diff(np.concatenate(([0], row != 0, [0]))))
        begin, end = steps[::2], steps[1::2]
        firsts.append(begin.astype(np.int16))
        sizes.append((end - begin).astype(np.int16))
        values.append(row[row != 0])
    n_groups = np.array([len(first) for first in firsts], dtype=np.int16)
    header = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "CHANTYPE": "PHA", "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE", "HDUCLAS2": "RSP_MATRIX", "HDUVERS": "1.3.0", "DETCHANS": len(edges) - 1,
        "NUMGRP": int(n_groups.sum()), "NUMELT": int((matrix.astype(np.float32) != 0).sum()), "TLMIN4": 0,
    }  # fmt: skip
    columns = (
        Column("ENERG_LO", edges_true[:-1].astype(np.float32), "TeV"),
        Column("ENERG_HI", edges_true[1:].astype(np.float32), "TeV"),
        Column("N_GRP", n_groups),
        Column("F_CHAN", firsts),
        Column("N_CHAN", sizes),
        Column("MATRIX", values),
    )
    return [Table("MATRIX", columns, header), _bounds_table(edges)]


def _bounds_table(edges: Array) -> Table:
    header = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "CHANTYPE": "PHA", "DETCHANS": len(edges) - 1,
        "HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "EBOUNDS", "HDUVERS": "1.2.0",
    }  # fmt: skip
    columns = (
        Column("CHANNEL", np.arange(len(edges) - 1, dtype=np.int16)),
        Column("E_MIN", edges[:-1], "TeV"),
        Column("E_MAX", edges[1:], "TeV"),
    )
    return Table("EBOUNDS", columns, header)
