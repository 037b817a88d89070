"""Flux points as a table of differential fluxes, whatever type of SED the file holds.

A SED type stores multiples of a reference spectrum f: ``Q = norm ref_Q`` with ``ref_dnde = f(e_ref)``,
``ref_e2dnde = e_ref^2 f(e_ref)``, ``ref_flux = ∫ f dE`` and ``ref_eflux = ∫ E f dE``. For ``likelihood`` tables f is
their own ``ref_dnde``; for the others it is ``1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1``. A row without ``e_ref`` is at the
geometric mean of its edges. Errors of ``n_sigma`` are divided by it. Source: gamma-astro-data-formats, flux points;
Gammapy 2.1, ``FluxMaps``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets.sed_covariance import covariance_of, squared
from gm.datasets.sed_errors import one_sided
from gm.datasets.sed_limits import card_number, limits_of
from gm.datasets.sed_profiles import baselines, rises, usable
from gm.datasets.sed_units import scale_of, taken_for_usual, with_units
from gm.errors import DataError
from gm.io.sed_table import COVARIANCE
from gm.io.tables import CardValue, Column, Table
from gm.units import UnitError, factor

DNDE, FLUX, EFLUX = "cm-2 s-1 TeV-1", "cm-2 s-1", "erg cm-2 s-1"
REQUIRED = {
    "dnde": ("e_ref", "dnde"),
    "e2dnde": ("e_ref", "e2dnde"),
    "flux": ("e_min", "e_max", "flux"),
    "eflux": ("e_min", "e_max", "eflux"),
    "likelihood": ("e_ref", "ref_dnde", "norm"),
}
UNITS = {"dnde": DNDE, "e2dnde": EFLUX, "flux": FLUX, "eflux": EFLUX, "likelihood": ""}
AMPLITUDE, INDEX = 1e-12, 2.0
_ERRORS = ("_err", "_errn", "_errp")


@dataclass(frozen=True, eq=False, kw_only=True)
class SedTable:
    """Flux points in order.

    energy, e_min, e_max : (n,) [TeV], the edges NaN where a point has none; dnde, dnde_err, dnde_errn, dnde_errp,
    dnde_ul, dnde_ref : (n,) [cm-2 s-1 TeV-1], NaN where absent; is_ul : (n,); stat, stat_null, ts, sqrt_ts : (n,) or
    None; norm_scan, stat_scan : (n, n_norm) or None, with the norm in multiples of ``dnde_ref``; covariance : of dnde,
    (n, n) [(cm-2 s-1 TeV-1)^2], of one sigma, NaN where absent, or None; n_sigma_ul : what the upper limits mean;
    meta : the table's header; remarks : what reading took for granted.
    """

    energy: Array
    dnde: Array
    dnde_err: Array
    dnde_errn: Array
    dnde_errp: Array
    dnde_ul: Array
    dnde_ref: Array
    is_ul: BoolArray
    e_min: Array | None = None
    e_max: Array | None = None
    ts: Array | None = None
    sqrt_ts: Array | None = None
    stat: Array | None = None
    stat_null: Array | None = None
    norm_scan: Array | None = None
    stat_scan: Array | None = None
    ref_flux: Array | None = None
    ref_eflux: Array | None = None
    covariance: Array | None = None
    sed_type: str = "dnde"
    n_sigma_ul: float | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def n_points(self) -> int:
        return len(self.energy)

    def take(self, rows: BoolArray | IntArray) -> SedTable:
        """Some of the points, as a mask (n,) or as positions in the order wanted."""
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        taken: dict[str, Any] = {name: c[rows] for name, c in columns.items() if isinstance(c, np.ndarray)}
        if self.covariance is not None:
            taken["covariance"] = self.covariance[rows][:, rows]
        return replace(self, **taken)

    def error(self) -> Array:
        """Symmetric error ``(n,)``: ``dnde_err``, else the mean of `errors`."""
        low, high = self.errors()
        return np.where(np.isnan(self.dnde_err), 0.5 * (low + high), self.dnde_err)

    def errors(self) -> tuple[Array, Array]:
        """Errors downwards and upwards, each ``(n,)``: the asymmetric ones, else ``dnde_err``, else the other one."""
        low = np.where(np.isnan(self.dnde_errn), self.dnde_err, self.dnde_errn)
        high = np.where(np.isnan(self.dnde_errp), self.dnde_err, self.dnde_errp)
        return np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)

    def has_profile(self) -> BoolArray:
        """``(n,)``: points whose profile has three values or more, all of them finite, at norms that increase."""
        if self.stat_scan is None or self.norm_scan is None:
            return np.zeros(self.n_points, dtype=np.bool_)
        return usable(self.norm_scan, self.stat_scan)

    def profile(self) -> Array | None:
        """-2 ln L above its minimum along ``norm_scan``, ``(n, n_norm)``; None without a scan."""
        if self.stat_scan is None or self.norm_scan is None:
            return None
        return np.abs(self.stat_scan - baselines(self.norm_scan, self.stat_scan, self.stat)[:, None])


def sed_from_table(table: Table) -> SedTable:
    """Flux points from a table as read. Raises `DataError`."""
    table = _modern(with_units(table))
    if table.find("time_min") is not None or table.find("x_min") is not None:
        raise DataError("the table is a light curve or a profile, expected flux points with one row per energy")
    sed_type = _sed_type(table)
    energy, e_min, e_max = _energies(table)
    to_dnde, reference = _reference(table, sed_type, energy, e_min, e_max)
    quantity = "norm" if sed_type == "likelihood" else sed_type
    fluxes = {
        suffix: _optional(table, quantity + suffix, UNITS[sed_type], len(energy)) * to_dnde
        for suffix in ("", "_err", "_errn", "_errp", "_ul")
    }
    fluxes |= {suffix: fluxes[suffix] / n_sigma_of(table) for suffix in ("_err", "_errn", "_errp")}
    sides, undefined = one_sided({f"{quantity}{end}": fluxes[end] for end in ("_errn", "_errp")})
    fluxes |= {name.removeprefix(quantity): values for name, values in sides.items()}
    unsaid = taken_for_usual(table, {"e_ref": "TeV", "e_min": "TeV", quantity: UNITS[sed_type], "ref_dnde": DNDE})
    succeeded = table.flags("success")
    if succeeded is not None:
        fluxes |= {suffix: np.where(succeeded, fluxes[suffix], np.nan) for suffix in ("", "_err")}
    ts, sqrt_ts = (_plain(table, name) for name in ("ts", "sqrt_ts"))
    is_ul, unflagged = limits_of(table, quantity, fluxes, ts, sqrt_ts)
    norm_scan, stat_scan = _scans(table)
    return SedTable(
        energy=energy,
        e_min=e_min,
        e_max=e_max,
        dnde=fluxes[""],
        dnde_err=fluxes["_err"],
        dnde_errn=fluxes["_errn"],
        dnde_errp=fluxes["_errp"],
        dnde_ul=fluxes["_ul"],
        dnde_ref=reference,
        is_ul=is_ul,
        ts=ts,
        sqrt_ts=sqrt_ts,
        stat=_plain(table, "stat"),
        stat_null=_plain(table, "stat_null"),
        norm_scan=norm_scan,
        stat_scan=stat_scan,
        ref_flux=_optional(table, "ref_flux", FLUX, len(energy)) if table.find("ref_flux") else None,
        ref_eflux=_optional(table, "ref_eflux", EFLUX, len(energy)) if table.find("ref_eflux") else None,
        covariance=covariance_of(table, quantity, UNITS[sed_type], to_dnde),
        sed_type=sed_type,
        n_sigma_ul=_n_sigma_ul(table),
        meta=dict(table.header),
        remarks=(*unsaid, *undefined, *unflagged),
    )


def _scans(table: Table) -> tuple[Array | None, Array | None]:
    """Norms and -2 ln L of the profiles, (n_rows, n) each, where the table has both. Raises `DataError`."""
    stat, norm = (_scan(table, name) if table.find(name) else None for name in ("stat_scan", "norm_scan"))
    if norm is None or stat is None:
        return None, None
    if stat.shape != norm.shape:
        raise DataError(f"norm_scan has {norm.shape[1]} values in a row, the scan of the likelihood {stat.shape[1]}")
    return norm, stat


def n_sigma_of(table: Table) -> float:
    """How many sigma the errors are: the header's ``n_sigma``, else one."""
    number = card_number(table.card("n_sigma"))
    if table.card("n_sigma") is not None and (number is None or not 0 < number < np.inf):
        raise DataError(f"n_sigma is {str(table.card('n_sigma'))[:40]!r}, expected a number above 0")
    return number or 1.0


def limit_cards(n_sigma_ul: float) -> dict[str, CardValue]:
    """What tables say of limits: a confidence, which is read to one digit, and the number where that is not enough."""
    own: dict[str, CardValue] = {} if n_sigma_ul == round(n_sigma_ul, 1) else {"n_sig_ul": n_sigma_ul}
    return {"UL_CONF": round(1 - 2 * NormalDist().cdf(-n_sigma_ul), 7), **own}


def _n_sigma_ul(table: Table) -> float | None:
    """What the upper limits mean: ``n_sigma_ul``, or in eight letters ``n_sig_ul``; else from the confidence, which
    may be in percent."""
    for name in ("n_sigma_ul", "n_sig_ul"):
        own = card_number(table.card(name))
        if own is not None and 0 < own < np.inf:
            return own
    confidence = card_number(table.card("UL_CONF"))
    if confidence is not None and 1 < confidence < 100:
        confidence /= 100
    if confidence is None or not 0 < confidence < 1:
        return None
    return round(NormalDist().inv_cdf(0.5 * (1 + confidence)), 1)


def _modern(table: Table) -> Table:
    """The columns of fermipy and of old tables: ln L becomes -2 ln L, and its scan rises from that of the point."""
    more = [
        Column(new, -2.0 * _numbers(table, old, ""))
        for old, new in {"loglike": "stat", "loglike_null": "stat_null"}.items()
        if table.find(old) and not table.find(new)
    ]
    if table.find("dloglike_scan") and table.find("norm_scan") and not table.find("stat_scan"):
        norm, scan = (_scan(table, name) for name in ("norm_scan", "dloglike_scan"))
        stat = next((np.asarray(column.values) for column in more if column.name == "stat"), np.zeros(len(scan)))
        if norm.shape == scan.shape:
            scan = stat[:, None] + 2.0 * rises(norm, scan)
        more.append(Column("stat_scan", scan))
    return Table(table.name, (*table.columns, *more), table.header)


def _sed_type(table: Table) -> str:
    """What the header says, else the first type whose columns are all there, if one has with errors. Raises
    `DataError`."""
    names = {name.lower() for name in table.names}
    if names.issuperset(("e_min", "e_max")):
        names.add("e_ref")  # their geometric mean
    whole = [kind for kind, required in REQUIRED.items() if names.issuperset(required)]
    guess = next((kind for kind in whole if any(f"{REQUIRED[kind][-1]}{end}" in names for end in _ERRORS)), None)
    guess = guess or next(iter(whole), None)
    sed_type = str(table.card("SED_TYPE") or guess or "").strip().lower()
    if sed_type not in REQUIRED:
        what = f"SED_TYPE is '{sed_type}'" if sed_type else "the columns are of no SED type"
        raise DataError(f"{what}, expected one of {', '.join(REQUIRED)}\n    columns found: {', '.join(table.names)}")
    missing = [name for name in REQUIRED[sed_type] if name not in names]
    if missing:
        found = ", ".join(table.names)
        raise DataError(f"no column {', '.join(missing)}, needed for SED type {sed_type}\n    found: {found}")
    return sed_type


def _energies(table: Table) -> tuple[Array, Array | None, Array | None]:
    """Where the points are, and their edges where there are any [TeV]."""
    energy = _optional(table, "e_ref", "TeV", len(table.columns[0].values))
    e_min = e_max = None
    if table.find("e_min") and table.find("e_max"):
        e_min, e_max = _numbers(table, "e_min", "TeV"), _numbers(table, "e_max", "TeV")
        without = np.isnan(e_min) | np.isnan(e_max)
        if not (without | ((e_min > 0) & (e_min < e_max) & (e_max < np.inf))).all():
            raise DataError("columns e_min and e_max are not energies above 0 with e_min < e_max")
        e_min, e_max = np.where(without, np.nan, e_min), np.where(without, np.nan, e_max)
        energy = np.where(np.isnan(energy), np.sqrt(e_min * e_max), energy)
    if not (np.isfinite(energy).all() and (energy > 0).all()):
        raise DataError("column e_ref has values that are not energies above 0")
    return energy, e_min, e_max


def _reference(
    table: Table, sed_type: str, energy: Array, e_min: Array | None, e_max: Array | None
) -> tuple[Array, Array]:
    """What multiplies the stored quantity to give dnde, and the dnde that norms refer to, both ``(n,)``."""
    own = _optional(table, "ref_dnde", DNDE, len(energy))
    if sed_type == "likelihood":
        if not ((own > 0) | np.isnan(_numbers(table, "norm", ""))).all():
            raise DataError("column ref_dnde has values that are not above 0")
        return own, own
    default = AMPLITUDE * energy**-INDEX
    reference = np.where(own > 0, own, default)  # fermipy has norms beside fluxes
    if sed_type == "dnde":
        return np.ones_like(energy), reference
    if sed_type == "e2dnde":
        return factor("erg", "TeV") * energy**-2, reference
    assert e_min is not None
    assert e_max is not None
    if sed_type == "flux":
        return default / (AMPLITUDE * (1 / e_min - 1 / e_max)), reference
    return default / (AMPLITUDE * np.log(e_max / e_min) * factor("TeV", "erg")), reference


def _numbers(table: Table, name: str, unit: str) -> Array:
    """A column of one number per row in ``unit``, which is also what a column without unit is taken to be in."""
    values = table.array(name)
    if not values.size:
        raise DataError("the table has no rows")
    if values.dtype.kind not in "iufb" or values.size != len(values):
        raise DataError(f"column {name} is not one number per row")
    try:
        scale = scale_of(table.unit(name) or unit, unit)
    except UnitError as error:
        raise DataError(f"column {name} is in '{table.unit(name)}', expected a unit of '{unit}'") from error
    return values.reshape(-1).astype(np.float64) * scale


def _optional(table: Table, name: str, unit: str, n_points: int) -> Array:
    return _numbers(table, name, unit) if table.find(name) else np.full(n_points, np.nan)


def _plain(table: Table, name: str) -> Array | None:
    return _numbers(table, name, "") if table.find(name) else None


def _scan(table: Table, name: str) -> Array:
    """A column of numbers, several in a row, ``(n, n_norm)``."""
    values = table.array(name)
    if values.dtype.kind not in "iuf" or not values.size:
        raise DataError(f"column {name} has no numbers")
    return values.astype(np.float64).reshape(len(values), -1)


def sed_columns(points: SedTable) -> tuple[list[Column], dict[str, CardValue]]:
    """Columns and header of the points as a ``likelihood`` table where they were one, else as ``dnde``."""
    likelihood = points.sed_type == "likelihood" and points.ref_flux is not None and points.ref_eflux is not None
    quantity, unit = ("norm", "") if likelihood else ("dnde", DNDE)
    scale = points.dnde_ref if likelihood else np.ones_like(points.energy)
    suffixes = ("_err", "_errn", "_errp", "_ul") if likelihood else ("_err", "_errp", "_errn", "_ul")
    values: list[tuple[str, Array | BoolArray | None, str]] = [
        ("e_ref", points.energy, "TeV"),
        ("e_min", points.e_min, "TeV"),
        ("e_max", points.e_max, "TeV"),
    ]
    if likelihood:
        values += [("ref_dnde", points.dnde_ref, DNDE), ("ref_flux", points.ref_flux, FLUX)]
        values += [("ref_eflux", points.ref_eflux, EFLUX)]
    fluxes = [getattr(points, "dnde" + suffix) / scale for suffix in suffixes]
    values += [(quantity, points.dnde / scale, unit)]
    values += [(quantity + s, f, unit) for s, f in zip(suffixes, fluxes, strict=True) if np.isfinite(f).any()]
    values += [(name, getattr(points, name), "") for name in ("ts", "sqrt_ts", "stat", "stat_null", "stat_scan")]
    values += [("is_ul", points.is_ul, ""), ("norm_scan", points.norm_scan, "")]
    if points.covariance is not None:
        values += [(quantity + COVARIANCE, points.covariance / np.outer(scale, scale), squared(unit))]
    meta: dict[str, CardValue] = {"SED_TYPE": "likelihood" if likelihood else "dnde"}
    if points.n_sigma_ul is not None:
        meta |= limit_cards(points.n_sigma_ul)
    return [Column(name, array, unit) for name, array, unit in values if array is not None], meta
