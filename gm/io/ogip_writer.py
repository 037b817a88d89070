"""OGIP spectra written: PHA and background files, effective area (ARF) and redistribution matrix (RMF).

Files that sherpa, 3ML, elisa, jaxspec and Gammapy open: energies in keV, 16-bit QUALITY, channels from 0 with TLMIN,
and BACKSCAL as a card where it is one number. Source: OGIP memos 92-007 and CAL/GEN/92-002.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, distinct
from gm.io.tables import CardValue, Column, Table
from gm.units import factor

BAD = 5  # QUALITY of a channel that the user calls bad


def pha_tables(
    *, counts: Array, backscal: Array, good: BoolArray, edges: Array, exposure: float, name: str, files: dict[str, str],
    background: bool = False, region: Table | None = None, gti: Table | None = None, as_cards: bool = False,
) -> list[Table]:  # fmt: skip
    """The tables of a PHA file, or of a background file. ``files``: cards ANCRFILE, BACKFILE, RESPFILE.

    ``as_cards``: where BACKSCAL is one number it has no column; elisa wants that, and Gammapy the column.

    counts, backscal, good : (n_bins,); edges : (n_bins + 1,) [TeV]
    """
    n_channels = len(counts)
    header: dict[str, CardValue] = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": "BKG" if background else "TOTAL", "HDUCLAS3": "COUNT", "HDUCLAS4": "TYPE:I", "HDUVERS": "1.2.1",
        "POISSERR": True, "CHANTYPE": "PHA", "DETCHANS": n_channels, "GROUPING": 0, "SYS_ERR": 0, "AREASCAL": 1.0,
        "CORRFILE": "none", "CORRSCAL": 1.0, "EXPOSURE": float(exposure), "OBS_ID": name,
        "ANCRFILE": "none", "BACKFILE": "none", "RESPFILE": "none", **files,
    }  # fmt: skip
    scales = distinct(backscal[good] if good.any() and as_cards else backscal)  # channels that are bad do not count
    if scales.size == 1:
        header["BACKSCAL"] = float(scales[0])
    whole = np.array_equal(counts, np.round(counts)) and bool((np.abs(counts) < 2**31).all())
    columns = [
        Column("CHANNEL", np.arange(n_channels, dtype=np.int16)),
        Column("COUNTS", counts.astype(np.int32) if whole else counts),
        Column("QUALITY", np.where(good, 0, BAD).astype(np.int16)),
    ]
    if not (as_cards and scales.size == 1):
        columns.append(Column("BACKSCAL", backscal.astype(np.float64)))
    regions = [Table("REGION", region.columns, region.header)] if region is not None else []
    gtis = [Table("GTI", gti.columns, gti.header)] if gti is not None else []
    return [Table("SPECTRUM", tuple(columns), header), _bounds_table(edges), *regions, *gtis]


def arf_tables(edges_true: Array, area: Array) -> list[Table]:
    """The table of an ARF. ``area : (n_energy_true,) [cm2]``."""
    header = {
        "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", "HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "SPECRESP", "HDUVERS": "1.1.0",
    }  # fmt: skip
    columns = (
        *_bounds("ENERG_LO", "ENERG_HI", edges_true),
        Column("SPECRESP", area, "cm2"),
    )
    return [Table("SPECRESP", columns, header)]


def rmf_tables(edges_true: Array, edges: Array, matrix: Array) -> list[Table]:
    """The tables of an RMF; zeros are compressed into groups, values are float32 as usual.

    edges_true : (n_true + 1,) [TeV]; edges : (n_energy + 1,) [TeV]; matrix : (n_true, n_energy)
    """
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
        *_bounds("ENERG_LO", "ENERG_HI", edges_true),
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
        *_bounds("E_MIN", "E_MAX", edges),
    )
    return Table("EBOUNDS", columns, header)


def _bounds(lower: str, upper: str, edges: Array) -> tuple[Column, Column]:
    """Lower and upper edges [keV] of energies in TeV; numbers that were read from keV are the same again."""
    scale = factor("keV", "TeV")
    kev = edges / scale
    for near in (np.nextafter(kev, 0.0), np.nextafter(kev, np.inf)):
        kev = np.where(near * scale == edges, near, kev)
    return Column(lower, kev[:-1], "keV"), Column(upper, kev[1:], "keV")
