"""Light curves as Gammapy's table of them: a row for each bin of time, with the bands of energy in its cells.

Of SED type ``flux``, which a table says alone: of norms Gammapy takes the spectrum between the energies of its points,
of which a light curve has one or a few. Norms and their references are there too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.io.ecsv import write_ecsv
from gm.io.fits_writer import write_fits
from gm.io.sed_table import HDU
from gm.io.tables import CardValue, Column, Table

_UNITS = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "erg cm-2 s-1", "e2dnde": "erg cm-2 s-1"}
_ERRORS = ("", "_err", "_errn", "_errp", "_ul")
_CLOCK: dict[str, CardValue] = {"MJDREFI": 0, "MJDREFF": 0.0, "TIMESYS": "tt", "TIMEUNIT": "d"}


def write_light_curve_table(document: Mapping[str, Any], file: Path) -> None:
    """Write the table in the format that the file's name asks for. Raises `DataError`."""
    table = light_curve_table(document)
    if file.suffix == ".ecsv":
        write_ecsv(file, table)
    else:
        write_fits(file, [table, _good_time(table)])


def light_curve_table(document: Mapping[str, Any]) -> Table:
    """Columns of (n_times, n_bands), times in MJD; a number that does not exist is NaN."""
    points, n_bands = document["points"], len(document["variability"])
    n_times = len(points) // n_bands

    def cells(name: str) -> NDArray[np.float64]:
        values = [np.nan if point.get(name) is None else point[name] for point in points]
        return np.array(values, dtype=np.float64).reshape(n_times, n_bands)

    def scans(name: str) -> NDArray[np.float64]:
        n = max((len(point[name]) for point in points if point.get(name)), default=0)
        nothing = [None] * n
        values = [[np.nan if v is None else v for v in (point.get(name) or nothing)] for point in points]
        return np.array(values, dtype=np.float64).reshape(n_times, n_bands, n)

    def flags(*statuses: str) -> NDArray[np.bool_]:
        return np.array([p["status"] in statuses for p in points], dtype=np.bool_).reshape(n_times, n_bands)

    columns = [
        *(Column(name, cells(name)[:, 0]) for name in ("time_min", "time_max")),
        *(Column(name, cells(name), "TeV") for name in ("e_ref", "e_min", "e_max")),
        *(Column(f"ref_{name}", cells(f"ref_{name}"), unit) for name, unit in _UNITS.items()),
        *(Column(f"flux{suffix}", cells(f"flux{suffix}"), _UNITS["flux"]) for suffix in _ERRORS),
        *(Column(f"norm{suffix}", cells(f"norm{suffix}")) for suffix in _ERRORS),
        *(Column(name, cells(name)) for name in ("ts", "sqrt_ts", "stat", "stat_null")),
        Column("norm_scan", scans("norm_scan")),
        Column("stat_scan", scans("stat_scan")),
        Column("counts", _counts(points).reshape(n_times, n_bands, -1)),
        Column("is_ul", flags("upper_limit", "no_data", "failed")),
        Column("success", flags("ok", "upper_limit")),
        Column("livetime", cells("livetime")[:, 0], "s"),
    ]
    confidence = document["confidence"]
    return Table(
        HDU,
        tuple(columns),
        {
            "SED_TYPE": "flux",
            "UL_CONF": round(1 - 2 * NormalDist().cdf(-confidence["sigma_ul"]), 7),
            "n_sigma": confidence["sigma"],
            **_CLOCK,
        },
    )


def _counts(points: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """(n_points, n_datasets), NaN for datasets that are not in a point."""
    names = dict.fromkeys(name for point in points for name in point["datasets"])
    rows = [[point["datasets"].get(name, {}).get("counts") for name in names] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), -1)


def _good_time(table: Table) -> Table:
    """The bins of time, as the GTI that Gammapy wants beside them."""
    columns = (Column("START", table.array("time_min"), "d"), Column("STOP", table.array("time_max"), "d"))
    return Table("GTI", columns, _CLOCK)
