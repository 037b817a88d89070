"""Flux points as the rows of a document, ``gm/flux-points/1``, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.estimators.norm import NormEstimate
from gm.estimators.result import FLUX_UNITS, FluxPoint, PointDataset, ReferenceFlux
from gm.models import Models, SkyModel
from gm.values import finite

SUFFIXES = ("", "_err", "_errn", "_errp", "_ul", "_sensitivity")
"""What a norm, and each flux, has beside its value."""


def point_row(point: FluxPoint, norm_scan: Array) -> dict[str, Any]:
    """One point; ``norm_scan`` (n,) : the norms of its profile, where it has none of its own."""
    estimate, own = point.estimate, point.norm_scan
    norms = {suffix: finite(getattr(estimate, f"norm{suffix}", None)) for suffix in SUFFIXES}
    row: dict[str, Any] = {
        "e_min": finite(point.e_min),
        "e_max": finite(point.e_max),
        "e_ref": point.e_ref,
        "energy_unit": "TeV",
        **({} if point.asked is None else {"asked": {"e_min": point.asked[0], "e_max": point.asked[1]}}),
        "status": point.status,
        "reason": point.reason,
        **{f"norm{suffix}": norm for suffix, norm in norms.items()},
        **({"missing": estimate.missing} if estimate is not None and estimate.missing else {}),
        "ts": finite(estimate.ts) if estimate is not None else None,
        "sqrt_ts": finite(point.sqrt_ts),
        **_fluxes(point.reference, norms),
        **({} if point.intrinsic is None else {"deabsorbed": _deabsorbed(point, point.intrinsic, norms)}),
        "stat": finite(estimate.stat) if estimate is not None else None,
        "stat_null": finite(estimate.stat_null) if estimate is not None else None,
        "norm_scan": (norm_scan if own is None else own).tolist() if estimate is not None else None,
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


def _fluxes(reference: ReferenceFlux, norms: Mapping[str, float | None]) -> dict[str, Any]:
    """All quantities: the norms times their reference values."""
    row: dict[str, Any] = {}
    for name, unit in FLUX_UNITS.items():
        one = getattr(reference, name)
        row |= {f"{name}{suffix}": None if norm is None else finite(norm * one) for suffix, norm in norms.items()}
        row |= {f"{name}_unit": unit, f"ref_{name}": finite(one)}
    return row


def _deabsorbed(point: FluxPoint, intrinsic: ReferenceFlux, norms: Mapping[str, float | None]) -> dict[str, Any]:
    return {"transmission": finite(point.transmission), **_fluxes(intrinsic, norms)}


def point_from(row: Mapping[str, Any], norm_scan: Array) -> FluxPoint:
    """The point that a row holds; ``norm_scan`` (n,) : the norms of the profiles of all points, in the document."""
    asked, deabsorbed = row.get("asked"), row.get("deabsorbed")
    own = None if row.get("norm_scan") is None else np.array(row["norm_scan"], dtype=np.float64)
    return FluxPoint(
        e_min=_number(row["e_min"]),
        e_max=_number(row["e_max"]),
        status=row["status"],
        reason=row["reason"],
        reference=_reference(row),
        estimate=_estimate(row),
        datasets={name: _dataset(dataset) for name, dataset in (row.get("datasets") or {}).items()},
        asked=None if asked is None else (asked["e_min"], asked["e_max"]),
        intrinsic=None if deabsorbed is None else _reference(deabsorbed),
        center=row["e_ref"],
        norm_scan=None if own is None or np.array_equal(own, norm_scan) else own,
    )


def _dataset(row: Mapping[str, Any]) -> PointDataset:
    """What a document need not hold is not known."""
    counts = {name: row.get(name) for name in ("counts", "predicted", "excess")}
    return PointDataset(e_min=_number(row.get("e_min")), e_max=_number(row.get("e_max")), **counts)


def first_scan(rows: list[Mapping[str, Any]]) -> Array:
    """The norms of the first profile, (n_norm,); none where no point has one."""
    return np.array(next((row["norm_scan"] for row in rows if row.get("norm_scan")), []), dtype=np.float64)


def _reference(row: Mapping[str, Any]) -> ReferenceFlux:
    return ReferenceFlux(**{name: _number(row.get(f"ref_{name}")) for name in FLUX_UNITS})


def _estimate(row: Mapping[str, Any]) -> NormEstimate | None:
    """None where nothing was measured."""
    if row.get("stat_scan") is None:
        return None
    return NormEstimate(
        norm=_number(row["norm"]),
        **{f"norm{suffix}": row[f"norm{suffix}"] for suffix in SUFFIXES[1:]},
        stat=_number(row.get("stat")),
        stat_null=_number(row.get("stat_null")),
        stat_scan=np.array([_number(value) for value in row["stat_scan"]], dtype=np.float64),
        missing=dict(row.get("missing") or {}),
        told_ts=row.get("ts") if row.get("stat") is None else None,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _count(value: float | None) -> int | float | None:
    return int(value) if value is not None and float(value).is_integer() else value


def matrix_rows(matrix: Array) -> list[list[float | None]]:
    """A matrix (n, n) as rows of a document; None where it has no number."""
    return [[finite(value) for value in row] for row in matrix.tolist()]


def matrix_from(rows: Sequence[Sequence[float | None]]) -> Array:
    """The matrix of such rows, (n, n), NaN where there is no number. Raises `DataError` for one that is not square."""
    if any(len(row) != len(rows) for row in rows):
        raise DataError(f"the covariance is not square: {len(rows)} rows, the first of {len(rows[0])} numbers")
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


def reference_model(source: str, spectrum: Any, directory: Path) -> SkyModel:
    """The component that a document's ``spectrum`` is of; names of files are relative to ``directory``. Raises
    `DataError`."""
    component = {"name": source, "type": "SkyModel", "spectral": spectrum}
    problems: list[str] = []
    models = Models.from_dict({"components": [component]}, lambda *told: problems.append(told[1]), directory)
    if models is None or problems:
        raise DataError(f"the reference model of '{source}': {'; '.join(problems)}")
    return models.sources()[0]
