"""Tables of flux points (SED tables), FITS or ECSV. Source: gamma-astro-data-formats, flux points; Gammapy 2.1."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gm.errors import DataError
from gm.io.ecsv import is_ecsv, read_ecsv, write_ecsv
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue, Column, Table

HDU = "FLUXPOINTS"


def read_sed(path: str | Path) -> Table:
    """The table of flux points in a file: HDU FLUXPOINTS, else the first with energies; or ECSV. Raises `DataError`."""
    path = Path(path)
    with contextlib.suppress(OSError), path.open("rb") as file:  # read_ecsv and read_fits say what is wrong
        if is_ecsv(file.read(32)):
            return read_ecsv(path)
    if path.suffix in (".ecsv", ".txt", ".csv", ".dat"):
        return read_ecsv(path)
    fits = read_fits(path)
    tables = [extension for extension in fits.extensions if extension.is_table]
    extension = fits.find(HDU) or next((table for table in tables if table.find("e_ref") or table.find("e_min")), None)
    extension = extension or next(iter(tables), None)
    if extension is None:
        raise DataError(f"{path}: no table in the file, expected HDU {HDU}")
    return extension.table()


def write_sed(
    path: str | Path, columns: Sequence[Column], meta: Mapping[str, CardValue], fmt: str | None = None
) -> None:
    """Write flux points. ``fmt``: ``fits`` or ``ecsv``, else what the name says; ``meta``: SED_TYPE, UL_CONF, ...

    The same input gives the same bytes. Raises `DataError` when the file cannot be written.
    """
    fmt = fmt or ("ecsv" if Path(path).suffix == ".ecsv" else "fits")
    table = Table(HDU, tuple(columns), dict(meta))
    if fmt == "ecsv":
        write_ecsv(path, table)
    elif fmt == "fits":
        write_fits(path, [table])
    else:
        raise ValueError(f"format {fmt!r}, expected 'fits' or 'ecsv'")
