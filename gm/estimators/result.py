"""Flux points as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

from gm.arrays import Array
from gm.estimators.norm import NormEstimate

PointStatus = Literal["ok", "upper_limit", "no_data", "failed"]
FLUX_UNITS = {"dnde": "cm-2 s-1 TeV-1", "e2dnde": "erg cm-2 s-1", "flux": "cm-2 s-1", "eflux": "erg cm-2 s-1"}
"""The quantities that a norm stands for, with their units."""


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

    asked : the edges that were asked for [TeV], which those of bins are near to
    intrinsic : the reference without the absorption on the way, where points are told without it too
    center : the energy of a published point, where edges are not known or not around it; norm_scan : (n_norm,) of its
    own profile, where that is not at the norms of all
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
    asked: tuple[float, float] | None = None
    intrinsic: ReferenceFlux | None = None
    center: float | None = None
    norm_scan: Array | None = None

    @property
    def e_ref(self) -> float:
        return sqrt(self.e_min * self.e_max) if self.center is None else self.center

    @property
    def sqrt_ts(self) -> float | None:
        """Significance with the sign of the norm; negative, as Gammapy has it, where that is not known."""
        if self.estimate is None:
            return None
        size = sqrt(max(self.estimate.ts, 0.0))
        return size if self.estimate.norm > 0 or size == 0 else -size

    @property
    def transmission(self) -> float | None:
        """The part of the photons at ``e_ref`` that absorption leaves, where points are told without it."""
        if self.intrinsic is None or not self.intrinsic.dnde > 0:
            return None
        return self.reference.dnde / self.intrinsic.dnde
