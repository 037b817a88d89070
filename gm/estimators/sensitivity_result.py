"""Sensitivities as values, documents and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from gm.estimators.point_rows import reference_model
from gm.estimators.result import FLUX_UNITS, ReferenceFlux
from gm.estimators.told import Told, number, numbers
from gm.io.tables import Column, Table
from gm.models import Models, SkyModel
from gm.values import finite

Criterion = Literal["significance", "min_counts", "background_systematic"]
_UNITS = {name: FLUX_UNITS[name] for name in ("dnde", "e2dnde", "flux", "eflux")}
_NUMBERS = ("norm", "excess", "background", "significance", "probability")
_ENERGIES = ("e_ref", "e_min", "e_max")
_TEXTS = ("criterion", "status", "reason")


@dataclass(frozen=True)
class Criteria:
    """What a sensitivity asks for: see `SensitivityEstimator`."""

    sigma: float
    probability: float
    min_counts: float
    background_systematic: float


@dataclass(frozen=True)
class SensitivityBand:
    """One band, or all energies above one; None for a number that does not exist, and ``reason`` says why.

    e_min, e_max : of the bins that enter [TeV]
    norm : on the reference spectrum: the largest of ``norms``, that each criterion asks for; criterion : which one
    excess, background : expected counts of the source with this norm, and of all else; on maps, under the source
    significance : that the source as the model has it is expected to have; probability : to find it (`detection`)
    reference : the spectrum of norm 1
    """

    e_min: float
    e_max: float
    status: Literal["ok", "no_data", "failed"]
    reason: str | None
    reference: ReferenceFlux | None = None
    norm: float | None = None
    criterion: Criterion | None = None
    norms: dict[str, float] = field(default_factory=dict)
    excess: float | None = None
    background: float | None = None
    significance: float | None = None
    probability: float | None = None

    @property
    def e_ref(self) -> float:
        return sqrt(self.e_min * self.e_max)


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Told):
    """By band; and ``integral``, above the lower edge of each band up to the last."""

    source: str
    reference_model: SkyModel
    bands: tuple[SensitivityBand, ...]
    integral: tuple[SensitivityBand, ...]
    datasets: tuple[str, ...]
    criteria: Criteria
    warnings: tuple[str, ...] = ()

    told_as: ClassVar[str] = "sensitivity"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        statuses = Counter[str](band.status for band in self.bands)
        n, failed = len(self.bands), statuses["failed"]
        kinds = (kind for kind in ("ok", "no_data", "failed") if statuses[kind])
        told = ", ".join(f"{statuses[kind]} {kind.replace('_', ' ')}" for kind in kinds)
        return {
            "schema": "gm/sensitivity/1",
            "name": name or f"{self.source}-sensitivity",
            "source": self.source,
            "status": "ok" if not failed else "failed" if failed == n else "incomplete",
            "message": f"{n} bins: {told}",
            "warnings": list(self.warnings),
            "reference_model": Models([self.reference_model]).to_dict()["components"][0]["spectral"],
            "criteria": asdict(self.criteria),
            "datasets": list(self.datasets),
            "bands": [_row(band) for band in self.bands],
            "integral": [_row(band) for band in self.integral],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """References of bands are known where their norms are."""
        return cls(
            source=data["source"],
            reference_model=reference_model(data["source"], data["reference_model"], directory),
            bands=tuple(map(_band_from, data["bands"])),
            integral=tuple(map(_band_from, data["integral"])),
            datasets=tuple(data["datasets"]),
            criteria=Criteria(**data["criteria"]),
            warnings=tuple(data["warnings"]),
        )

    def table(self) -> Table:
        """The bands, columns as Gammapy's estimator has them and more; what does not exist is NaN."""
        bands = self.bands
        columns = [
            *(Column(name, np.array([getattr(band, name) for band in bands]), "TeV") for name in _ENERGIES),
            *(Column(name, numbers([_flux(band, name) for band in bands]), unit) for name, unit in _UNITS.items()),
            *(Column(name, numbers([getattr(band, name) for band in bands])) for name in _NUMBERS),
            *(Column(name, np.array([getattr(band, name) or "" for band in bands], dtype=str)) for name in _TEXTS),
        ]
        return Table("SENSITIVITY", tuple(columns), {"source": self.source})

    def told(self) -> str:
        known = sum(band.status == "ok" for band in self.bands)
        return f"{self.source!r}, {len(self.bands)} bands, {known} of them known"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The bands."""
        for band in self.bands:
            known = None if band.reference is None or band.norm is None else band.norm * band.reference.dnde
            numbers = {"dnde": known, "excess": band.excess, "background": band.background}
            row = {"e_min": band.e_min, "e_max": band.e_max, **numbers, "decided_by": band.criterion}
            yield {**row, "status": band.status, "reason": band.reason}


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


def _band_from(row: Mapping[str, Any]) -> SensitivityBand:
    norm = row["norm"]
    reference = ReferenceFlux(**{name: number(row[name]) / norm for name in _UNITS}) if norm else None
    return SensitivityBand(
        e_min=row["e_min"],
        e_max=row["e_max"],
        status=row["status"],
        reason=row["reason"],
        reference=reference,
        criterion=row["criterion"],
        norms=dict(row["norms"]),
        **{name: row[name] for name in _NUMBERS},
    )
