"""What ``light_curves/NAME.yaml`` holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isclose
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.estimators import FluxPoint, LightCurve
from gm.estimators.light_curve import LightCurveRow
from gm.estimators.point_rows import point_row
from gm.estimators.result import FittedValue
from gm.estimators.time_bins import utc
from gm.estimators.variability import (
    Fluxes,
    Pace,
    chi2_probability,
    constancy,
    excess_variance,
    fastest,
)
from gm.models import Models
from gm.pipeline.results import finite
from gm.pipeline.stages.light_curves.settings import LightCurveSettings
from gm.units import TEV_IN_ERG

SCHEMA = "gm/light-curve/1"
Points = list[dict[str, Any]]
_ENDS = ("", "_err", "_errn", "_errp", "_ul")
_FEW = "fewer than two time bins have a flux with errors"


def light_curve_document(
    curve: LightCurve, points: Points, settings: LightCurveSettings, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/light-curve/1`` document; numbers that do not exist are None."""
    estimator = curve.estimator
    n_bands = len(settings.energy_edges) - 1
    statuses = [point["status"] for point in points]
    failed = statuses.count("failed")
    counted = [(statuses.count(kind), kind.replace("_", " ")) for kind in ("ok", "upper_limit", "no_data", "failed")]
    bins = f"{len(curve.rows)} bins of time" + (f" and {n_bands} of energy" if n_bands > 1 else "")
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "source": settings.source,
        "status": "ok" if not failed else "failed" if failed == len(statuses) else "incomplete",
        "message": f"{bins}: " + ", ".join(f"{number} {kind}" for number, kind in counted if number),
        "warnings": [*curve.warnings, *_other_energies(curve, points)],
        "reference_model": Models([curve.constant.reference_model]).to_dict()["components"][0]["spectral"],
        "confidence": {"sigma": estimator.sigma, "sigma_ul": estimator.sigma_ul},
        "free": list(settings.free),
        "reoptimize": settings.reoptimize,
        "joint": settings.joint,
        "systematic": settings.systematic,
        "time_scale": "tt",
        "outside": list(curve.outside),
        "empty_bins": curve.n_empty,
        "points": points,
        **_joint(curve),
        "variability": [_variability(curve, points[band::n_bands], band, settings) for band in range(n_bands)],
        "inputs": dict(inputs),
    }


def _other_energies(curve: LightCurve, points: Points) -> list[str]:
    """Datasets that do not reach over the whole band: their fluxes are those of fewer energies."""
    n_bands, told = len(curve.constant.points), []
    for k, point in enumerate(points):
        whole = curve.constant.points[k % n_bands]
        if point.get("flux") is None:
            continue
        edges = [(point["e_min"], whole.e_min), (point["e_max"], whole.e_max)]
        if not all(isclose(own, other, rel_tol=1e-6) for own, other in edges):
            told.append(f"{', '.join(point['datasets'])} ({point['e_min']:.4g} - {point['e_max']:.4g} TeV)")
    if not told:
        return []
    shown = ", ".join(dict.fromkeys(told[:8])) + (f" and {len(told) - 8} more" if len(told) > 8 else "")
    return [f"fluxes of some bins are between other energies, where their datasets end: {shown}; their norms compare"]


def rows_of(curve: LightCurve, kept: Points) -> Points:
    """All points, time after time, each with all bands of energy; those not measured now are ``kept`` ones."""
    n_bands = len(curve.constant.points)
    found: Points = []
    for k, row in enumerate(curve.rows):
        if row.points is None:
            found += kept[k * n_bands : (k + 1) * n_bands]
        else:
            times = _times(row)
            found += [{**times, **_row(point, curve)} for point in row.points]
    return found


def _row(point: FluxPoint, curve: LightCurve) -> dict[str, Any]:
    """As of flux points; where the spectrum was fitted too its own numbers, with symmetric errors alone."""
    row = point_row(point, curve.constant.norm_scan)
    for name, one in point.spectrum.items():
        row |= {name: finite(one.value), f"{name}_err": finite(one.error)}
        row |= {f"{name}{side}": None for side in ("_errn", "_errp", "_ul")}
    if "dnde" in point.spectrum:
        factor = point.e_ref**2 * TEV_IN_ERG
        row |= {f"e2dnde{end}": None if row[f"dnde{end}"] is None else row[f"dnde{end}"] * factor for end in _ENDS}
    if point.parameters:
        row["parameters"] = [_value(one) for one in point.parameters]
    return row


def _times(row: LightCurveRow) -> dict[str, Any]:
    start, stop = row.bin.start, row.bin.stop
    return {
        "time_min": start,
        "time_max": stop,
        "time_min_utc": None if start is None else utc(start),
        "time_max_utc": None if stop is None else utc(stop),
        "livetime": finite(row.livetime),
    }


def _variability(curve: LightCurve, points: Points, band: int, settings: LightCurveSettings) -> dict[str, Any]:
    """Of one band: against a constant, excess variance, fastest change. Fluxes are norms times that of reference."""
    fluxes, whole = _fluxes(points, settings.sigma), curve.constant.points[band]
    few = fluxes.n < 2
    row: dict[str, Any] = {
        "e_min": whole.e_min,
        "e_max": whole.e_max,
        "bins": fluxes.n,
        "reason": _FEW if few else None,
    }
    test = None if few else constancy(fluxes, settings.systematic, _covariance(curve, points))
    row["chi2"] = (
        None
        if test is None
        else {
            "value": finite(test.value),
            "degrees_of_freedom": test.dof,
            "probability": finite(test.probability),
            "norm": finite(test.constant),
            "flux": finite(test.constant * whole.reference.flux),
        }
    )
    is_refitted = settings.reoptimize or bool(settings.free)
    row["likelihood_ratio"] = _likelihood_ratio(curve, points, band, is_refitted)
    excess = None if few else excess_variance(fluxes, settings.systematic)
    row["excess_variance"] = (
        None
        if excess is None
        else {
            "fvar": finite(excess.value),
            "fvar_err": finite(excess.error),
            "squared": finite(excess.squared),
            "squared_err": finite(excess.squared_err),
            "reason": None if excess.value is not None else "their variance is no larger than their mean squared error",
        }
    )
    row["doubling_time"] = _pace(fastest(fluxes, rising=True), "rises")
    row["halving_time"] = _pace(fastest(fluxes, rising=False), "falls")
    return row


def _fluxes(points: Iterable[Mapping[str, Any]], sigma: float) -> Fluxes:
    """Norms of the points that have errors, these as one standard deviation; upper limits count as measured."""
    rows = [point for point in points if _has_error(point)]
    sides = {
        side: np.array([row[side] if row[side] is not None else row["norm_err"] for row in rows], dtype=float)
        for side in ("norm_errn", "norm_errp")
    }
    return Fluxes(
        np.array([row["norm"] for row in rows], dtype=float),
        sides["norm_errn"] / sigma,
        sides["norm_errp"] / sigma,
        np.array([row["norm_err"] for row in rows], dtype=float) / sigma,
        np.array([_middle(row) for row in rows], dtype=float),
    )


def _middle(row: Mapping[str, Any]) -> float:
    low, high = row["time_min"], row["time_max"]
    return float("nan") if low is None or high is None else 0.5 * (low + high)


def _likelihood_ratio(curve: LightCurve, points: Points, band: int, is_refitted: bool) -> dict[str, Any]:
    """-2 ln L of one norm for all bins minus that of one for each: chi-square, one degree of freedom less than bins."""
    nothing = {"value": None, "degrees_of_freedom": None, "probability": None}
    whole = curve.constant.points[band].estimate
    stats = [point["stat"] for point in points if point.get("stat") is not None]
    if is_refitted:
        return {**nothing, "reason": "other parameters are fitted again in every bin"}
    with_data = sum(bool(row.bin.datasets) for row in curve.rows)
    if whole is None or len(stats) < max(with_data, 2):
        return {**nothing, "reason": _FEW if len(stats) < 2 else "not all bins with data have a flux"}
    value = whole.stat - sum(stats) if curve.joint_stat is None else curve.joint_stat[1] - curve.joint_stat[0]
    return {
        "value": finite(value),
        "degrees_of_freedom": len(stats) - 1,
        "probability": finite(chi2_probability(value, len(stats) - 1)),
        "reason": None,
    }


def _joint(curve: LightCurve) -> dict[str, Any]:
    """What a joint fit has for all bins together."""
    if curve.covariance is None or curve.joint_stat is None:
        return {"statistic": None, "covariance": None, "parameters": []}
    return {
        "statistic": {"total": finite(curve.joint_stat[0]), "constant": finite(curve.joint_stat[1])},
        "covariance": [[finite(value) for value in row] for row in curve.covariance.tolist()],
        "parameters": [_value(one) for one in curve.parameters],
    }


def _covariance(curve: LightCurve, points: Points) -> Array | None:
    """Of the norms that have errors, where they were fitted together."""
    if curve.covariance is None:
        return None
    known = [k for k, point in enumerate(points) if _has_error(point)]
    return curve.covariance[np.ix_(known, known)]


def _has_error(point: Mapping[str, Any]) -> bool:
    return point.get("norm") is not None and point.get("norm_err") is not None


def _value(one: FittedValue) -> dict[str, Any]:
    return {"name": one.name, "value": finite(one.value), "error": finite(one.error), "unit": one.unit}


def _pace(pace: Pace | None, does: str) -> dict[str, Any]:
    """In days."""
    if pace is None:
        nothing = dict.fromkeys(("days", "error", "time_min", "time_max"))
        return {**nothing, "reason": f"the flux {does} between no neighbouring bins, or is not above 0 there"}
    return {"days": pace.time, "error": pace.error, "time_min": pace.start, "time_max": pace.stop, "reason": None}
