"""What ``sensitivity/NAME.yaml`` and ``NAME.ecsv`` hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm.estimators.sensitivity import Sensitivity, SensitivityBand
from gm.io.ecsv import write_ecsv
from gm.io.tables import Column, Table
from gm.models import Models
from gm.pipeline.results import finite
from gm.pipeline.stages.sensitivity.settings import SensitivitySettings

_UNITS = {"dnde": "cm-2 s-1 TeV-1", "e2dnde": "erg cm-2 s-1", "flux": "cm-2 s-1", "eflux": "erg cm-2 s-1"}
_NUMBERS = ("norm", "excess", "background", "significance", "probability")
_ENERGIES = ("e_ref", "e_min", "e_max")
_TEXTS = ("criterion", "status", "reason")


def sensitivity_document(
    sensitivity: Sensitivity, settings: SensitivitySettings, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/sensitivity/1`` document; numbers that do not exist are None."""
    statuses = Counter(band.status for band in sensitivity.bands)
    n, failed = len(sensitivity.bands), statuses["failed"]
    told = ", ".join(
        f"{statuses[kind]} {kind.replace('_', ' ')}" for kind in ("ok", "no_data", "failed") if statuses[kind]
    )
    return {
        "schema": "gm/sensitivity/1",
        "name": settings.name,
        "source": sensitivity.source,
        "status": "ok" if not failed else "failed" if failed == n else "incomplete",
        "message": f"{n} bins: {told}",
        "warnings": list(sensitivity.warnings),
        "reference_model": Models([sensitivity.reference_model]).to_dict()["components"][0]["spectral"],
        "criteria": {
            "sigma": settings.sigma,
            "probability": settings.probability,
            "min_counts": settings.min_counts,
            "background_systematic": settings.background_systematic,
        },
        "datasets": list(sensitivity.datasets),
        "bands": [_row(band) for band in sensitivity.bands],
        "integral": [_row(band) for band in sensitivity.integral],
        "inputs": dict(inputs),
    }  # fmt: skip


def _row(band: SensitivityBand) -> dict[str, Any]:
    fluxes = ((name, _flux(band, name), unit) for name, unit in _UNITS.items())
    return {
        "e_min": band.e_min,
        "e_max": band.e_max,
        "e_ref": band.e_ref,
        "energy_unit": "TeV",
        "status": band.status,
        "reason": band.reason,
        "criterion": band.criterion,
        **{key: cell for name, flux, unit in fluxes for key, cell in ((name, flux), (f"{name}_unit", unit))},
        **{name: finite(getattr(band, name)) for name in _NUMBERS},
        "norms": {name: finite(value) for name, value in band.norms.items()},
    }  # fmt: skip


def _flux(band: SensitivityBand, name: str) -> float | None:
    if band.reference is None or band.norm is None:
        return None
    return finite(band.norm * getattr(band.reference, name))


def write_table(file: Path, sensitivity: Sensitivity) -> None:
    """The bands as ECSV, columns as Gammapy's estimator has them and more; what does not exist is NaN.

    Raises `DataError`.
    """
    bands = sensitivity.bands

    def numbers(values: list[float | None]) -> Any:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    columns = [
        *(Column(name, np.array([getattr(band, name) for band in bands]), "TeV") for name in _ENERGIES),
        *(Column(name, numbers([_flux(band, name) for band in bands]), unit) for name, unit in _UNITS.items()),
        *(Column(name, numbers([getattr(band, name) for band in bands])) for name in _NUMBERS),
        *(Column(name, np.array([getattr(band, name) or "" for band in bands], dtype=str)) for name in _TEXTS),
    ]  # fmt: skip
    write_ecsv(file, Table("SENSITIVITY", tuple(columns), {"source": sensitivity.source}))
