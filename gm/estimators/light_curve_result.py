"""A light curve as a value and a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isclose, isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from gm.arrays import Array
from gm.estimators.light_curve_rows import (
    LightCurveRow,
    measured_row,
    rows_from,
    times_row,
    value_from,
    value_row,
)
from gm.estimators.light_curve_table import write_light_curve_table
from gm.estimators.point_rows import first_scan, matrix_from, point_row
from gm.estimators.points import FluxPoints
from gm.estimators.result import FittedValue
from gm.estimators.time_bins import TimeBin
from gm.estimators.told import Told, number
from gm.estimators.variability import (
    Excess,
    Fluxes,
    Pace,
    chi2_probability,
    constancy,
    excess_variance,
    fastest,
)
from gm.io.files import refuse_existing
from gm.models import Models
from gm.values import finite

Points = list[dict[str, Any]]
_FEW = "fewer than two time bins have a flux with errors"
_STATUSES = ("ok", "upper_limit", "no_data", "failed")


@dataclass(frozen=True, eq=False, repr=False)
class LightCurve(Told):
    """A light curve relative to the reference model of the flux points of all bins together, ``constant``.

    constant : one point for each band of energy, with the norm that fits all bins best
    covariance : (n_rows, n_rows) of the norms of a joint fit, NaN for bins without data; parameters : what else it
    found; joint_stat : its -2 ln L, and that of the same fit with one flux
    systematic : a relative error of every flux, which is no variability
    outside : datasets in no bin; n_empty : bins of equal width without datasets, which are no rows
    """

    rows: tuple[LightCurveRow, ...]
    constant: FluxPoints
    free: tuple[str, ...] = ()
    joint: bool = False
    outside: tuple[str, ...] = ()
    n_empty: int = 0
    warnings: tuple[str, ...] = ()
    covariance: Array | None = None
    parameters: tuple[FittedValue, ...] = ()
    joint_stat: tuple[float, float] | None = None
    systematic: float = 0.0

    told_as: ClassVar[str] = "light-curve"

    def to_dict(
        self,
        name: str = "",
        inputs: Mapping[str, Any] | None = None,
        kept: Points | None = None,
    ) -> dict[str, Any]:
        """The ``gm/light-curve/1`` document; numbers that do not exist are None.

        kept : points of bins that were not measured now, of all bins
        """
        points, n_bands = self._points(kept or []), len(self.constant.points)
        statuses = Counter(point["status"] for point in points)
        failed = statuses["failed"]
        counted = ", ".join(f"{statuses[kind]} {kind.replace('_', ' ')}" for kind in _STATUSES if statuses[kind])
        bins = f"{len(self.rows)} bins of time" + (f" and {n_bands} of energy" if n_bands > 1 else "")
        return {
            "schema": "gm/light-curve/1",
            "name": name or f"{self.constant.source}-lc",
            "source": self.constant.source,
            "status": "ok" if not failed else "failed" if failed == len(points) else "incomplete",
            "message": f"{bins}: {counted}",
            "warnings": list(dict.fromkeys([*self.warnings, *_other_energies(self, points)])),
            "reference_model": Models([self.constant.reference_model]).to_dict()["components"][0]["spectral"],
            "confidence": {"sigma": self.constant.sigma, "sigma_ul": self.constant.sigma_ul},
            "free": list(self.free),
            "reoptimize": self.constant.reoptimize,
            "joint": self.joint,
            "systematic": self.systematic,
            "time_scale": "tt",
            "outside": list(self.outside),
            "empty_bins": self.n_empty,
            "points": points,
            "constant": self._constant(),
            **_joint(self),
            "variability": [_variability(self, points[k::n_bands], k) for k in range(n_bands)],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        own = ("source", "reference_model", "confidence", "reoptimize")
        constant = FluxPoints.from_dict({**{key: data[key] for key in own}, "points": data["constant"]}, directory)
        scan, free, joint = first_scan(data["points"]), tuple(data["free"]), data["statistic"]
        constant, n_bands = replace(constant, norm_scan=scan), len(constant.points)
        fitted = bool(free) or data["joint"]
        return cls(
            rows=tuple(rows_from(data["points"], n_bands, scan, constant.source, with_spectrum=fitted)),
            constant=constant,
            free=free,
            joint=data["joint"],
            outside=tuple(data["outside"]),
            n_empty=data["empty_bins"],
            warnings=tuple(data["warnings"]),
            covariance=None if data["covariance"] is None else matrix_from(data["covariance"]),
            parameters=tuple(map(value_from, data["parameters"])),
            joint_stat=None if joint is None else (number(joint["total"]), number(joint["constant"])),
            systematic=data["systematic"],
        )

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the document (``.yaml``) or the table that Gammapy reads (``.fits``, ``.ecsv``). Raises `DataError`."""
        path = Path(path)
        if path.suffix not in (".fits", ".gz", ".ecsv"):
            super().write(path, overwrite)
            return
        refuse_existing([path], overwrite)
        write_light_curve_table(self.to_dict(), path)

    def _points(self, kept: Points) -> Points:
        """All points, time after time, each with all bands of energy; those not measured now are ``kept`` ones."""
        n_bands, found = len(self.constant.points), Points()
        for k, row in enumerate(self.rows):
            if row.points is None:
                found += kept[k * n_bands : (k + 1) * n_bands]
            else:
                times = times_row(row)
                found += [{**times, **measured_row(point, self.constant.norm_scan)} for point in row.points]
        return found

    def _constant(self) -> Points:
        """The points of all bins together."""
        starts = [row.bin.start for row in self.rows if row.bin.start is not None]
        stops = [row.bin.stop for row in self.rows if row.bin.stop is not None]
        times = [row.livetime for row in self.rows if row.livetime is not None]
        whole = TimeBin(min(starts, default=None), max(stops, default=None))
        livetime = sum(times) if len(times) == len(self.rows) else None
        row = times_row(LightCurveRow(whole, livetime, self.constant.points))
        return [{**row, **point_row(point, self.constant.norm_scan)} for point in self.constant.points]

    def told(self) -> str:
        statuses = Counter(point.status for row in self.rows for point in row.points or ())
        counted = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in statuses.items())
        return f"{self.constant.source!r}, {len(self.rows)} bins of time: {counted}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """A row for each bin of time and band of energy."""
        for row in self.rows:
            for point in row.points or ():
                flux, norm = point.reference.flux, point.estimate
                parts = {} if norm is None else {"": norm.norm, "_err": norm.norm_err, "_ul": norm.norm_ul}
                fluxes = {f"flux{end}": None if part is None else part * flux for end, part in parts.items()}
                when = {"time_min": row.bin.start, "time_max": row.bin.stop, "e_min": point.e_min, "e_max": point.e_max}
                yield {**when, **fluxes, "status": point.status, "reason": point.reason}


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


def _variability(curve: LightCurve, points: Points, band: int) -> dict[str, Any]:
    """Of one band: against a constant, excess variance, fastest change. Fluxes are norms times that of reference."""
    fluxes, whole = _fluxes(points, curve.constant.sigma), curve.constant.points[band]
    few = fluxes.n < 2
    row: dict[str, Any] = {
        "e_min": whole.e_min,
        "e_max": whole.e_max,
        "bins": fluxes.n,
        "reason": _FEW if few else None,
    }
    test = None if few else constancy(fluxes, curve.systematic, _covariance(curve, points))
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
    is_refitted = curve.constant.reoptimize or bool(curve.free)
    row["likelihood_ratio"] = _likelihood_ratio(curve, points, band, is_refitted)
    excess = None if few else excess_variance(fluxes, curve.systematic)
    row["excess_variance"] = (
        None
        if excess is None
        else {
            "fvar": finite(excess.value),
            "fvar_err": finite(excess.error),
            "squared": finite(excess.squared),
            "squared_err": finite(excess.squared_err),
            "reason": _why_no_excess(excess),
        }
    )
    row["doubling_time"] = _pace(fastest(fluxes, rising=True), "rises")
    row["halving_time"] = _pace(fastest(fluxes, rising=False), "falls")
    return row


def _why_no_excess(excess: Excess) -> str | None:
    if excess.value is not None:
        return None
    if not isfinite(excess.squared):
        return "their mean is 0"
    return "their variance is no larger than their mean squared error"


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
    """-2 ln L of one norm for all bins minus that of one for each: chi-square, one degree of freedom less than bins.

    Of single fits by their TS: without the source bins add up to the whole, and constants such as priors cancel.
    """
    nothing = {"value": None, "degrees_of_freedom": None, "probability": None}
    whole = curve.constant.points[band].estimate
    known = [point["ts"] for point in points if point.get("ts") is not None]
    if is_refitted:
        return {**nothing, "reason": "other parameters are fitted again in every bin"}
    with_data = sum(point["status"] != "no_data" for point in points)
    if whole is None or len(known) < max(with_data, 2):
        return {**nothing, "reason": _FEW if len(known) < 2 else "not all bins with data have a flux"}
    value = sum(known) - whole.ts if curve.joint_stat is None else curve.joint_stat[1] - curve.joint_stat[0]
    return {
        "value": finite(value),
        "degrees_of_freedom": len(known) - 1,
        "probability": finite(chi2_probability(value, len(known) - 1)),
        "reason": None,
    }


def _joint(curve: LightCurve) -> dict[str, Any]:
    """What a joint fit has for all bins together."""
    if curve.covariance is None or curve.joint_stat is None:
        return {"statistic": None, "covariance": None, "parameters": []}
    return {
        "statistic": {"total": finite(curve.joint_stat[0]), "constant": finite(curve.joint_stat[1])},
        "covariance": [[finite(value) for value in row] for row in curve.covariance.tolist()],
        "parameters": [value_row(one) for one in curve.parameters],
    }


def _covariance(curve: LightCurve, points: Points) -> Array | None:
    """Of the norms that have errors, where they were fitted together."""
    if curve.covariance is None:
        return None
    known = [k for k, point in enumerate(points) if _has_error(point)]
    return curve.covariance[np.ix_(known, known)]


def _has_error(point: Mapping[str, Any]) -> bool:
    return point.get("norm") is not None and point.get("norm_err") is not None


def _pace(pace: Pace | None, does: str) -> dict[str, Any]:
    """In days."""
    if pace is None:
        nothing = dict.fromkeys(("days", "error", "time_min", "time_max"))
        return {**nothing, "reason": f"the flux {does} between no neighbouring bins, or is not above 0 there"}
    return {"days": pace.time, "error": pace.error, "time_min": pace.start, "time_max": pace.stop, "reason": None}
