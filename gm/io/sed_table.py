"""Tables of flux points (SED tables), FITS, ECSV or CSV. Source: gamma-astro-data-formats, flux points; Gammapy 2.1.

The covariance between points, ``norm_covariance`` or ``dnde_covariance``, is a column of tables here and in ECSV files.
In FITS files it is an image extension of its own, which Gammapy passes over: it takes the table FLUXPOINTS alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gm.errors import DataError
from gm.io.ecsv import is_ecsv, read_csv, read_ecsv, write_ecsv
from gm.io.fits import Extension, read_fits
from gm.io.fits_image import read_image
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue, Column, Image, Table

HDU = "FLUXPOINTS"
COVARIANCE_HDU = "FLUXPOINTS_COVARIANCE"
COVARIANCE = "_covariance"
"""How the name of the column ends, after that of the quantity."""


def read_sed(path: str | Path) -> Table:
    """The table of flux points in a file: HDU FLUXPOINTS, else the first with energies; or ECSV, or CSV.

    Raises `DataError`.
    """
    path = Path(path)
    with contextlib.suppress(OSError), path.open("rb") as file:  # read_ecsv and read_fits say what is wrong
        if is_ecsv(file.read(32)):
            return read_ecsv(path)
    if path.suffix == ".csv":
        return read_csv(path)
    if path.suffix in (".ecsv", ".txt", ".dat"):
        return read_ecsv(path)
    fits = read_fits(path)
    tables = [extension for extension in fits.extensions if extension.is_table]
    extension = fits.find(HDU) or next((table for table in tables if table.find("e_ref") or table.find("e_min")), None)
    extension = extension or next(iter(tables), None)
    if extension is None:
        raise DataError(f"{path}: no table in the file, expected HDU {HDU}")
    covariance = fits.find(COVARIANCE_HDU)
    return extension.table() if covariance is None else _with_covariance(extension.table(), covariance)


def _with_covariance(table: Table, extension: Extension) -> Table:
    quantity, matrix = extension.header.text("QUANTITY", ""), read_image(extension)
    rows = len(table.columns[0].values)
    if matrix.shape != (rows, rows) or matrix.dtype.kind != "f":
        extension.fail(f"is an image of shape {matrix.shape}, expected numbers of {rows} by {rows} points")
    column = Column(quantity + COVARIANCE, matrix, extension.header.text("BUNIT", ""))
    return Table(table.name, (*table.columns, column), table.header)


def sed_extensions(name: str, columns: Sequence[Column], meta: Mapping[str, CardValue]) -> list[Table | Image]:
    """What a FITS file of flux points holds: the table of that ``name``, and the covariance between points."""
    apart = [column for column in columns if column.name.endswith(COVARIANCE)]
    table = Table(name, tuple(column for column in columns if column not in apart), dict(meta))
    images = [Image(COVARIANCE_HDU, np.asarray(column.values), _cards(column)) for column in apart]
    return [table, *images]


def _cards(column: Column) -> dict[str, CardValue]:
    quantity: dict[str, CardValue] = {"QUANTITY": column.name.removesuffix(COVARIANCE)}
    return quantity | ({"BUNIT": column.unit} if column.unit else {})


def write_sed(
    path: str | Path, columns: Sequence[Column], meta: Mapping[str, CardValue], fmt: str | None = None
) -> None:
    """Write flux points. ``fmt``: ``fits`` or ``ecsv``, else what the name says; ``meta``: SED_TYPE, UL_CONF, ...

    The same input gives the same bytes. Raises `DataError` when the file cannot be written.
    """
    fmt = fmt or ("ecsv" if Path(path).suffix == ".ecsv" else "fits")
    if fmt == "ecsv":
        write_ecsv(path, Table(HDU, tuple(columns), dict(meta)))
    elif fmt == "fits":
        write_fits(path, sed_extensions(HDU, columns, meta))
    else:
        raise ValueError(f"format {fmt!r}, expected 'fits' or 'ecsv'")
