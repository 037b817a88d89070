"""The flux-points stage: the estimator's result as a document, and as FITS and ECSV tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError
from gm.estimators import FluxPoint, FluxPoints, FluxPointsEstimator
from gm.models import Models
from gm.pipeline.analysis.settings import FluxPointsSettings
from gm.pipeline.results import FLUX_POINTS_SCHEMA, finite, write_document
from gm.pipeline.stages.sed import write_tables

if TYPE_CHECKING:
    from gm.pipeline.session import Session

_SUFFIXES = ("", "_err", "_errn", "_errp", "_ul")


def run_flux_points(
    session: Session,
    key: str,
    settings: FluxPointsSettings,
    start: Path | None,
    files: Sequence[Path],
    inputs: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, float]]:
    """Estimate and write ``files``, the document and then its tables, as the results of the stage ``key``.

    ``start``: the best-fit models; None for the models of the config.
    """
    models = session.models() if start is None else Models.read(start)
    datasets = session.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"flux points {settings.name}: no dataset is left")
    estimator = FluxPointsEstimator(
        source=settings.source,
        energy_edges=settings.energy_edges,
        reoptimize=settings.reoptimize,
        sigma=settings.sigma,
        sigma_ul=settings.sigma_ul,
        conventions=session.analysis.settings.conventions,
    )
    n_bins, began, done = len(settings.energy_edges) - 1, time.perf_counter(), 0

    def progress(band: str, _share: float) -> None:
        nonlocal done
        session.reporter.progress(settings.name, done, n_bins, band)
        done += 1

    points = estimator.run(datasets, models, progress)
    seconds = time.perf_counter() - began
    document = flux_points_document(points, settings.name, inputs)
    session.begin(key, files)
    write_tables(points, files[1:])
    write_document(files[0], document)
    session.reporter.step("flux_points", document["message"], seconds)
    return document, {**session.seconds, "flux_points": seconds}


def flux_points_document(points: FluxPoints, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ``gm/flux-points/1`` document; numbers that do not exist are None."""
    statuses = [point.status for point in points.points]
    failed = statuses.count("failed")
    counted = [(statuses.count(kind), kind.replace("_", " ")) for kind in ("ok", "upper_limit", "no_data", "failed")]
    return {
        "schema": FLUX_POINTS_SCHEMA,
        "name": name,
        "source": points.source,
        "status": "ok" if not failed else "failed" if failed == len(statuses) else "incomplete",
        "message": f"{len(statuses)} bins: " + ", ".join(f"{number} {kind}" for number, kind in counted if number),
        "warnings": list(points.warnings),
        "reference_model": Models([points.reference_model]).to_dict()["components"][0]["spectral"],
        "confidence": {"sigma": points.sigma, "sigma_ul": points.sigma_ul},
        "reoptimize": points.reoptimize,
        "datasets": list(points.datasets),
        "points": [_point(point, points) for point in points.points],
        "inputs": dict(inputs),
    }


def _point(point: FluxPoint, points: FluxPoints) -> dict[str, Any]:
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
        "norm_scan": points.norm_scan.tolist() if estimate is not None else None,
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
