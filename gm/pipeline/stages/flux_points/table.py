"""Flux points as the standard SED table, of type ``likelihood``: norms on a reference spectrum, with profiles.

Source: gamma-astro-data-formats, flux points; columns and header cards as Gammapy 2.1 reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np

from gm.arrays import Array
from gm.estimators import FluxPoint, FluxPoints
from gm.io.sed_table import write_sed
from gm.io.tables import CardValue, Column

_REFERENCES = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "erg cm-2 s-1", "e2dnde": "erg cm-2 s-1"}
_NORMS = ("norm", "norm_err", "norm_errp", "norm_errn", "norm_ul", "norm_sensitivity", "ts", "stat", "stat_null")


def write_tables(points: FluxPoints, files: Iterable[Path]) -> None:
    """Write the table to each file, in the format that its name asks for. Raises `DataError`."""
    columns, meta = sed_table(points)
    for file in files:
        write_sed(file, columns, meta)


def sed_table(points: FluxPoints) -> tuple[list[Column], dict[str, CardValue]]:
    """Columns and header; a number that does not exist is NaN.

    Bins of several datasets overlap, and a band without data may lie inside the bins of another: readers that make an
    axis of the edges get no rows without data then, and where that is not enough no edges, but rows in order of e_ref.
    """
    rows: Sequence[FluxPoint] = points.points
    if not _make_axis(rows):
        rows = [row for row in rows if row.status != "no_data"]
    edges = [Column(name, np.array([getattr(row, name) for row in rows]), "TeV") for name in ("e_min", "e_max")]
    if not _make_axis(rows):
        rows, edges = sorted(rows, key=lambda row: row.e_ref), []

    def numbers(name: str) -> Array:
        values = [getattr(row.estimate, name, None) for row in rows]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    scans = [np.full(len(points.norm_scan), np.nan) if r.estimate is None else r.estimate.stat_scan for r in rows]
    counts = np.array(
        [
            [_or_nan(row.datasets[name].counts if name in row.datasets else None) for name in points.datasets]
            for row in rows
        ]
    )
    columns = [
        Column("e_ref", np.array([row.e_ref for row in rows]), "TeV"),
        *edges,
        *(Column(f"ref_{q}", np.array([getattr(row.reference, q) for row in rows]), u) for q, u in _REFERENCES.items()),
        *(Column(name, numbers(name), "") for name in _NORMS),
        Column("sqrt_ts", np.array([_or_nan(row.sqrt_ts) for row in rows]), ""),
        Column("norm_scan", np.tile(points.norm_scan, (len(rows), 1)), ""),
        Column("stat_scan", np.array(scans).reshape(len(rows), -1), ""),
        Column("counts", np.nan_to_num(counts), ""),
        Column("is_ul", np.array([row.status != "ok" for row in rows], dtype=np.bool_), ""),
        Column("success", np.array([row.status in ("ok", "upper_limit") for row in rows], dtype=np.bool_), ""),
    ]
    meta: dict[str, CardValue] = {
        "SED_TYPE": "likelihood",
        "UL_CONF": round(1 - 2 * NormalDist().cdf(-points.sigma_ul), 7),
        "n_sigma": points.sigma,
    }
    return columns, meta


def _make_axis(rows: Sequence[FluxPoint]) -> bool:
    """Whether the lower edges and the last upper edge increase."""
    edges = [row.e_min for row in rows] + [row.e_max for row in rows[-1:]]
    return all(low < high for low, high in pairwise(edges))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
