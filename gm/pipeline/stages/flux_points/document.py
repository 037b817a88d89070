"""What ``flux_points/NAME.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from gm.arrays import Array
from gm.estimators import FluxPoint, FluxPoints
from gm.models import Models
from gm.pipeline.results import finite

SCHEMA = "gm/flux-points/1"
_SUFFIXES = ("", "_err", "_errn", "_errp", "_ul")


def flux_points_document(points: FluxPoints, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ``gm/flux-points/1`` document; numbers that do not exist are None."""
    statuses = [point.status for point in points.points]
    failed = statuses.count("failed")
    counted = [(statuses.count(kind), kind.replace("_", " ")) for kind in ("ok", "upper_limit", "no_data", "failed")]
    return {
        "schema": SCHEMA,
        "name": name,
        "source": points.source,
        "status": "ok" if not failed else "failed" if failed == len(statuses) else "incomplete",
        "message": f"{len(statuses)} bins: " + ", ".join(f"{number} {kind}" for number, kind in counted if number),
        "warnings": list(points.warnings),
        "reference_model": Models([points.reference_model]).to_dict()["components"][0]["spectral"],
        "confidence": {"sigma": points.sigma, "sigma_ul": points.sigma_ul},
        "ul": {"method": points.ul.value, "level": round(NormalDist().cdf(points.sigma_ul), 12)},
        "reoptimize": points.reoptimize,
        "datasets": list(points.datasets),
        "points": [point_row(point, points.norm_scan) for point in points.points],
        "inputs": dict(inputs),
    }


def point_row(point: FluxPoint, norm_scan: Array) -> dict[str, Any]:
    """One point; ``norm_scan`` : the norms of its profile."""
    estimate, reference = point.estimate, point.reference
    norms = {suffix: finite(getattr(estimate, f"norm{suffix}", None)) for suffix in _SUFFIXES}
    row: dict[str, Any] = {
        "e_min": point.e_min,
        "e_max": point.e_max,
        "e_ref": point.e_ref,
        "energy_unit": "TeV",
        "status": point.status,
        "reason": point.reason,
        **{f"norm{suffix}": norm for suffix, norm in norms.items()},
        **({"missing": estimate.missing} if estimate is not None and estimate.missing else {}),
        "ts": finite(estimate.ts) if estimate is not None else None,
        "sqrt_ts": finite(point.sqrt_ts),
        **_fluxes("dnde", reference.dnde, norms, "cm-2 s-1 TeV-1"),
        **_fluxes("e2dnde", reference.e2dnde, norms, "erg cm-2 s-1"),
        **_fluxes("flux", reference.flux, norms, "cm-2 s-1"),
        **_fluxes("eflux", reference.eflux, norms, "erg cm-2 s-1"),
        "stat": finite(estimate.stat) if estimate is not None else None,
        "stat_null": finite(estimate.stat_null) if estimate is not None else None,
        "norm_scan": norm_scan.tolist() if estimate is not None else None,
        "stat_scan": [finite(value) for value in estimate.stat_scan.tolist()] if estimate is not None else None,
    }
    row["datasets"] = {
        name: {
            "counts": _count(dataset.counts),
            "predicted": finite(dataset.predicted),
            "excess": finite(dataset.excess),
            "e_min": dataset.e_min,
            "e_max": dataset.e_max,
        }
        for name, dataset in point.datasets.items()
    }
    return row


def _fluxes(name: str, reference: float, norms: Mapping[str, float | None], unit: str) -> dict[str, Any]:
    """One quantity: the norms times its reference value."""
    scaled = {f"{name}{suffix}": None if norm is None else norm * reference for suffix, norm in norms.items()}
    return {**scaled, f"{name}_unit": unit, f"ref_{name}": finite(reference)}


def _count(value: float | None) -> int | float | None:
    return int(value) if value is not None and float(value).is_integer() else value
