"""Flux points as the standard SED table: norms on a reference spectrum, or one of the fluxes that they stand for.

A norm times the reference in a band is the flux, and so are errors and limits: ``dnde = norm f(e_ref)``, ``e2dnde =
e_ref^2 dnde``, ``flux = norm ∫ f dE``, ``eflux = norm ∫ E f dE``. References are in every type, so that each can
be made of any other. Source: gamma-astro-data-formats, flux points; columns and header cards as Gammapy 2.1 reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gm.arrays import Array
from gm.datasets.sed import limit_cards
from gm.datasets.sed_covariance import squared
from gm.errors import UsageError, suggest
from gm.estimators.result import FLUX_UNITS, FluxPoint, ReferenceFlux
from gm.io.sed_table import COVARIANCE
from gm.io.tables import CardValue, Column

SED_TYPES = ("likelihood", "dnde", "e2dnde", "flux", "eflux")
_REFERENCES = ("dnde", "flux", "eflux", "e2dnde")
_ENDS = ("", "_err", "_errp", "_errn", "_ul", "_sensitivity")
_ALWAYS = ("", "_err", "_errp", "_errn", "_ul")


def check_sed_type(sed_type: str) -> None:
    """Raises `UsageError` for a word that is none."""
    if sed_type not in SED_TYPES:
        raise UsageError(f"'{sed_type}' is no type of SED; {suggest(sed_type, SED_TYPES, 'types')}")


def rows_of_an_axis(points: Sequence[FluxPoint]) -> tuple[Sequence[FluxPoint], bool]:
    """The points as readers want them that make an axis of the edges, and whether the edges can be told.

    Bins of several datasets overlap, and a band without data may lie inside the bins of another: such readers get no
    rows without data then, and where that is not enough no edges, but rows in order of e_ref.
    """
    rows = points if _make_axis(points) else [row for row in points if row.status != "no_data"]
    return (rows, True) if _make_axis(rows) else (sorted(rows, key=lambda row: row.e_ref), False)


def sed_columns(
    rows: Sequence[FluxPoint], norm_scan: Array, datasets: Sequence[str], sed_type: str, *, with_edges: bool = True
) -> list[Column]:
    """Columns of ``rows`` as a table of one type; a number that does not exist is NaN.

    norm_scan : (n_norm,) of all profiles; datasets : whose counts are told. Raises `UsageError` for another type.
    """
    check_sed_type(sed_type)
    edges = [Column(name, np.array([getattr(row, name) for row in rows]), "TeV") for name in ("e_min", "e_max")]
    columns = [
        Column("e_ref", np.array([row.e_ref for row in rows]), "TeV"),
        *(edges if with_edges else ()),
        *(Column(f"ref_{q}", _of_reference(rows, q), FLUX_UNITS[q]) for q in _REFERENCES),
        *_quantity(rows, sed_type, [row.reference for row in rows]),
        *_deabsorbed(rows, sed_type),
        *(Column(name, _of_estimate(rows, name)) for name in ("ts", "stat", "stat_null")),
        Column("sqrt_ts", np.array([_or_nan(row.sqrt_ts) for row in rows])),
        *_profiles(rows, norm_scan),
    ]
    if datasets:
        counts = [[_or_nan(_counts(row, name)) for name in datasets] for row in rows]
        columns.append(Column("counts", np.nan_to_num(np.array(counts).reshape(len(rows), -1))))
    return [
        *columns,
        Column("is_ul", np.array([row.status != "ok" for row in rows], dtype=np.bool_)),
        Column("success", np.array([row.status in ("ok", "upper_limit") for row in rows], dtype=np.bool_)),
    ]


def covariance_column(
    points: Sequence[FluxPoint], rows: Sequence[FluxPoint], covariance: Array, sed_type: str
) -> Column:
    """That of the quantity of one type in ``rows``, from that of the norms of all ``points``, (n, n); of one sigma."""
    places = {id(point): k for k, point in enumerate(points)}
    order = np.array([places[id(row)] for row in rows], dtype=np.intp)
    among = covariance[np.ix_(order, order)]
    if sed_type == "likelihood":
        return Column(f"norm{COVARIANCE}", among)
    scale = _of_reference(rows, sed_type)
    return Column(f"{sed_type}{COVARIANCE}", among * np.outer(scale, scale), squared(FLUX_UNITS[sed_type]))


def sed_header(sed_type: str, sigma: float, sigma_ul: float) -> dict[str, CardValue]:
    """What the table is, and how far its errors and limits go."""
    confidence, *own = limit_cards(sigma_ul).items()
    return dict([("SED_TYPE", sed_type), confidence, ("n_sigma", sigma), *own])


def _quantity(
    rows: Sequence[FluxPoint], sed_type: str, references: Sequence[ReferenceFlux | None], suffix: str = ""
) -> list[Column]:
    """The quantity of one type with its errors and limits."""
    name, unit, scale = "norm", "", np.ones(len(rows))
    if sed_type != "likelihood":
        name, unit = sed_type, FLUX_UNITS[sed_type]
        scale = np.array([np.nan if one is None else getattr(one, sed_type) for one in references])
    found = [(end, scale * _of_estimate(rows, f"norm{end}")) for end in _ENDS]
    return [
        Column(f"{name}{suffix}{end}", values, unit)
        for end, values in found
        if end in _ALWAYS or np.isfinite(values).any()
    ]


def _deabsorbed(rows: Sequence[FluxPoint], sed_type: str) -> list[Column]:
    """What arrives without absorption on the way, where that was asked for: fluxes, with norms as they are."""
    intrinsic = [row.intrinsic for row in rows]
    if not any(intrinsic):
        return []
    transmission = Column("transmission", np.array([_or_nan(row.transmission) for row in rows]))
    name = "dnde" if sed_type == "likelihood" else sed_type
    return [transmission, *_quantity(rows, name, intrinsic, "_deabsorbed")]


def _profiles(rows: Sequence[FluxPoint], norm_scan: Array) -> list[Column]:
    scans = [norm_scan if row.norm_scan is None else row.norm_scan for row in rows]
    size = max((scan.size for scan in scans), default=0)
    if not size:
        return []
    values = [_filled(None if row.estimate is None else row.estimate.stat_scan, size) for row in rows]
    norms = [_filled(scan if scan.size else None, size) for scan in scans]
    return [Column("norm_scan", np.array(norms)), Column("stat_scan", np.array(values))]


def _filled(values: Array | None, size: int) -> Array:
    """Of ``size``; NaN where there is none."""
    return values if values is not None and values.size == size else np.full(size, np.nan)


def _of_reference(rows: Sequence[FluxPoint], name: str) -> Array:
    return np.array([getattr(row.reference, name) for row in rows], dtype=np.float64)


def _of_estimate(rows: Sequence[FluxPoint], name: str) -> Array:
    return np.array([_or_nan(getattr(row.estimate, name, None)) for row in rows], dtype=np.float64)


def _counts(row: FluxPoint, name: str) -> float | None:
    return row.datasets[name].counts if name in row.datasets else None


def _make_axis(rows: Sequence[FluxPoint]) -> bool:
    """Whether the lower edges and the last upper edge increase."""
    edges = [row.e_min for row in rows] + [row.e_max for row in rows[-1:]]
    return all(low < high for low, high in pairwise(edges))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
