"""Flux points from SED tables: norms on a reference spectrum, whatever type the table is of.

The reference is what the table tells (``ref_dnde``, ``ref_flux``, ``ref_eflux``), else a spectrum that is given, else
``1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1``; a flux between energies becomes one at an energy, and back, along it. Source:
gamma-astro-data-formats, flux points; Gammapy 2.1, ``FluxPoints.from_table``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.conventions import Conventions
from gm.datasets.sed import AMPLITUDE, INDEX, SedTable, n_sigma_of, sed_from_table
from gm.errors import UsageError
from gm.estimators.norm import NormEstimate
from gm.estimators.reference import Reference
from gm.estimators.result import FluxPoint, PointStatus, ReferenceFlux
from gm.io.sed_table import COVARIANCE
from gm.io.tables import Table
from gm.models import SkyModel, SpectralModel
from gm.models.spectral.power_laws import PowerLawSpectralModel
from gm.models.spectral.tables import TemplateSpectralModel
from gm.units import TEV_IN_ERG

_ENDS = ("", "_err", "_errn", "_errp", "_ul")
_KNOWN = (
    *("e_ref", "e_min", "e_max", "ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde", "is_ul", "success"),
    *("ts", "sqrt_ts", "stat", "stat_null", "norm_scan", "stat_scan", "loglike", "loglike_null", "dloglike_scan"),
)


def points_from_table(table: Table, source: str, model: SpectralModel | None) -> dict[str, Any]:
    """The fields of `FluxPoints` of a table; ``model`` : what its fluxes refer to. Raises `DataError`."""
    sed = sed_from_table(table)
    told = sed.sed_type == "likelihood" or (model is None and table.find("ref_dnde") is not None)
    if sed.sed_type == "likelihood" and model is not None:
        raise UsageError("the table tells its own reference spectrum, as all of type likelihood do")
    model = model or (_as_told(sed) if told else PowerLawSpectralModel(index=INDEX, amplitude=AMPLITUDE))
    component = SkyModel(spectral_model=model, name=source)
    references = _told_references(sed) if told else _references(sed, component)
    norms = {end: _norms(sed, references, end) for end in _ENDS}
    sigma = n_sigma_of(table)
    norms |= {end: norms[end] * sigma for end in ("_err", "_errn", "_errp")}
    scan, succeeded = np.empty(0) if sed.norm_scan is None else sed.norm_scan[0], table.flags("success")
    rows = [
        _point(sed, k, one, {f"norm{end}": float(values[k]) for end, values in norms.items()}, scan, succeeded)
        for k, one in enumerate(references)
    ]
    return {
        "source": source,
        "reference_model": component,
        "points": tuple(rows),
        "norm_scan": scan,
        "sigma": sigma,
        "sigma_ul": 2.0 if sed.n_sigma_ul is None else sed.n_sigma_ul,
        "warnings": tuple(_remarks(sed, table)),
        "covariance": None if sed.covariance is None else _of_norms(sed, references),
    }


def _as_told(sed: SedTable) -> SpectralModel:
    """The spectrum through the references of all points, which is what Gammapy makes of them too."""
    known = np.isfinite(sed.dnde_ref) & (sed.dnde_ref > 0)
    return TemplateSpectralModel(sed.energy[known], sed.dnde_ref[known])


def _told_references(sed: SedTable) -> list[ReferenceFlux]:
    """Those of the table; NaN where it tells none."""
    missing = np.full(sed.n_points, np.nan)
    flux, eflux = (missing if one is None else one for one in (sed.ref_flux, sed.ref_eflux))
    e2dnde = sed.dnde_ref * sed.energy**2 * TEV_IN_ERG
    columns = sed.dnde_ref, flux, eflux, e2dnde
    return [ReferenceFlux(*row) for row in np.transpose(columns).tolist()]


def _references(sed: SedTable, component: SkyModel) -> list[ReferenceFlux]:
    """Those of a spectrum, at the energies and between the edges of the points."""
    values = np.array([parameter.value for parameter in component.parameters])
    reference = Reference(component, values, Conventions.GAMMAPY)
    dnde = reference.dnde(sed.energy)
    found = ReferenceFlux(np.nan, np.nan, np.nan, np.nan)
    rows = [found] * sed.n_points
    if sed.e_min is not None and sed.e_max is not None:
        known = np.flatnonzero(np.isfinite(sed.e_min) & np.isfinite(sed.e_max))
        bands = reference.fluxes(np.stack([sed.e_min[known], sed.e_max[known]], axis=1)) if known.size else []
        for k, band in zip(known.tolist(), bands, strict=True):
            rows[k] = band
    at = zip(rows, dnde.tolist(), (dnde * sed.energy**2 * TEV_IN_ERG).tolist(), strict=True)
    return [ReferenceFlux(f, row.flux, row.eflux, e2f) for row, f, e2f in at]


def _norms(sed: SedTable, references: Sequence[ReferenceFlux], end: str) -> Array:
    """Norms, (n,): the quantity that is stored over its reference. Errors are those of one sigma."""
    values = getattr(sed, f"dnde{end}")
    if sed.sed_type not in ("flux", "eflux"):
        return np.asarray(values / np.array([one.dnde for one in references]))
    assert sed.e_min is not None
    assert sed.e_max is not None
    between = 1 / sed.e_min - 1 / sed.e_max if sed.sed_type == "flux" else np.log(sed.e_max / sed.e_min) * TEV_IN_ERG
    stored = values * sed.energy**INDEX * between  # `SedTable` has them at e_ref, along a power law of its own
    return np.asarray(stored / np.array([getattr(one, sed.sed_type) for one in references]))


def _of_norms(sed: SedTable, references: Sequence[ReferenceFlux]) -> Array:
    """The covariance of norms, (n, n)."""
    assert sed.covariance is not None
    scale = _norms(replace(sed, dnde=np.ones(sed.n_points)), references, "")
    return np.asarray(sed.covariance * np.outer(scale, scale))


def _point(
    sed: SedTable,
    k: int,
    reference: ReferenceFlux,
    norms: Mapping[str, float],
    scan: Array,
    succeeded: BoolArray | None,
) -> FluxPoint:
    """Point ``k``, with the verdict that the table has on it."""
    known = {name: value if np.isfinite(value) else None for name, value in norms.items()}
    norm, limit = known.pop("norm"), known["norm_ul"]
    status, reason = _verdict(norm, limit, bool(sed.is_ul[k]), succeeded is None or bool(succeeded[k]))
    stat, stat_null, ts = (_at(column, k) for column in (sed.stat, sed.stat_null, _ts(sed)))
    estimate = None
    if norm is not None or limit is not None:
        estimate = NormEstimate(
            norm=np.nan if norm is None else norm,
            norm_err=known["norm_err"],
            norm_errn=known["norm_errn"],
            norm_errp=known["norm_errp"],
            norm_ul=limit,
            stat=stat,
            stat_null=stat_null,
            stat_scan=np.empty(0) if sed.stat_scan is None else sed.stat_scan[k],
            told_ts=None if np.isfinite(stat_null - stat) else ts,
        )
    own = None if sed.norm_scan is None or np.array_equal(sed.norm_scan[k], scan, equal_nan=True) else sed.norm_scan[k]
    edges = _at(sed.e_min, k), _at(sed.e_max, k)
    center = float(sed.energy[k])
    return FluxPoint(*edges, status, reason, reference, estimate, center=center, norm_scan=own)


def _verdict(norm: float | None, limit: float | None, is_ul: bool, succeeded: bool) -> tuple[PointStatus, str | None]:
    if not succeeded:
        return "failed", "the table says that it did not succeed"
    if limit is not None and (is_ul or norm is None):
        return "upper_limit", "an upper limit in the table"
    if norm is None:
        return "no_data", "no flux in the table"
    return ("upper_limit", "an upper limit in the table, without its value") if is_ul else ("ok", None)


def _ts(sed: SedTable) -> Array | None:
    """The test statistic; of its root without the sign."""
    return sed.ts if sed.ts is not None or sed.sqrt_ts is None else sed.sqrt_ts**2


def _at(column: Array | None, k: int) -> float:
    return float("nan") if column is None else float(column[k])


def _remarks(sed: SedTable, table: Table) -> Iterator[str]:
    """What a reader should know."""
    quantity = "norm" if sed.sed_type == "likelihood" else sed.sed_type
    known = {*_KNOWN, *(f"{quantity}{end}" for end in _ENDS)}
    other = [name for name in table.names if name.lower() not in known and not name.lower().endswith(COVARIANCE)]
    if other:
        yield f"columns of the table that are not taken over: {', '.join(other)}"
    if sed.n_sigma_ul is None and np.isfinite(sed.dnde_ul).any():
        yield "the table does not say how far its upper limits go: two standard deviations are assumed"
