"""Flux points as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import copysign, sqrt
from typing import Literal

from gm.arrays import Array
from gm.estimators.norm import NormEstimate
from gm.estimators.upper_limits import LimitMethod
from gm.models import SkyModel

PointStatus = Literal["ok", "upper_limit", "no_data", "failed"]


@dataclass(frozen=True)
class PointDataset:
    """What one dataset holds in the band: edges of its bins there [TeV], counts, and counts predicted at the best norm.

    ``counts``, ``predicted`` and ``excess`` (predicted counts of the source) are None for flux points.
    """

    e_min: float
    e_max: float
    counts: float | None
    predicted: float | None
    excess: float | None


@dataclass(frozen=True)
class ReferenceFlux:
    """The reference spectrum in one band.

    dnde at ``e_ref`` [cm-2 s-1 TeV-1], flux [cm-2 s-1], eflux [erg cm-2 s-1], e2dnde [erg cm-2 s-1].
    """

    dnde: float
    flux: float
    eflux: float
    e2dnde: float


@dataclass(frozen=True)
class FittedValue:
    """A number with its symmetric error, None where it has none."""

    name: str
    value: float
    error: float | None
    unit: str


@dataclass(frozen=True)
class FluxPoint:
    """One band: edges and geometric mean [TeV], the verdict and its reason, the norm, and the datasets in it.

    Where the spectrum was fitted too the norm is that of the flux alone: ``spectrum`` has its ``dnde`` at ``e_ref`` and
    ``eflux``, ``parameters`` what else was free of it.
    """

    e_min: float
    e_max: float
    status: PointStatus
    reason: str | None
    reference: ReferenceFlux
    estimate: NormEstimate | None = None
    datasets: dict[str, PointDataset] = field(default_factory=dict)
    spectrum: dict[str, FittedValue] = field(default_factory=dict)
    parameters: tuple[FittedValue, ...] = ()

    @property
    def e_ref(self) -> float:
        return sqrt(self.e_min * self.e_max)

    @property
    def sqrt_ts(self) -> float | None:
        """Significance with the sign of the norm."""
        return None if self.estimate is None else copysign(sqrt(max(self.estimate.ts, 0.0)), self.estimate.norm)


@dataclass(frozen=True, eq=False)
class FluxPoints:
    """A spectral energy distribution of one component, relative to the ``reference_model`` of the global model."""

    source: str
    reference_model: SkyModel
    points: tuple[FluxPoint, ...]
    norm_scan: Array
    sigma: float
    sigma_ul: float
    sigma_sensitivity: float
    reoptimize: bool
    datasets: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    ul: LimitMethod = LimitMethod.LIKELIHOOD

    @property
    def success(self) -> bool:
        """No band has failed; bands without data or with an upper limit are no failure."""
        return not any(point.status == "failed" for point in self.points)
