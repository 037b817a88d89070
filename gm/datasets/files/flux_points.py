"""Flux points in FITS and ECSV tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.sed import sed_columns, sed_from_table
from gm.errors import DataError
from gm.io.fits_writer import write_fits
from gm.io.sed_table import read_sed, sed_extensions, write_sed
from gm.io.tables import Column


def read_flux_points(path: Path, name: str, stat_type: str = "chi2") -> FluxPointsDataset:
    """Flux points from a FITS or ECSV table, with or without the columns mask_fit and mask_safe. Raises `DataError`."""
    table = read_sed(path)
    try:
        return FluxPointsDataset(
            name=name,
            points=sed_from_table(table),
            mask_safe=table.flags("mask_safe"),
            mask_fit=table.flags("mask_fit"),
            stat_type=stat_type,
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_flux_points(dataset: FluxPointsDataset, path: Path) -> None:
    """Write the table with its masks, as Gammapy's FluxPointsDataset reads it. Raises `DataError`."""
    columns, meta = sed_columns(dataset.points)
    n_points = dataset.points.n_points
    safe = np.ones(n_points, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
    wanted = safe if dataset.mask_fit is None else dataset.mask_fit
    columns += [Column("mask_fit", wanted.reshape(-1, 1, 1)), Column("mask_safe", safe.reshape(-1, 1, 1))]
    if path.suffix == ".ecsv":
        write_sed(path, columns, meta, "ecsv")
    else:
        write_fits(path, sed_extensions("", columns, meta))
