"""The rows of ``fit.yaml``, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.datasets.left_out import LeftOut
from gm.fit.parts import Contour, FittedComponent, FittedParameter
from gm.fit.spectra import FittedSpectrum, RangeFlux
from gm.likelihood import DatasetSummary
from gm.matrices import BorderedCovariance, Covariance
from gm.models.links import Link
from gm.models.prior import Prior
from gm.values import finite

SCHEMA = "gm/fit/1"
_WHOLE = 500  # free parameters up to which the whole matrix is written


def parameter_row(parameter: FittedParameter, link: Link | None, prior: Prior | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": parameter.name,
        "value": finite(parameter.value),  # a template without a position is at the centre of its map
        "error": finite(parameter.error),
        "unit": parameter.unit,
        "frozen": parameter.frozen,
        "min": finite(parameter.min),
        "max": finite(parameter.max),
    }
    if parameter.error_reason:
        row["error_reason"] = parameter.error_reason
    if parameter.rise_at_2_sigma is not None:
        row["shape"] = {"at_2_sigma": parameter.rise_at_2_sigma}
    if parameter.at_limit is not None:
        row["at_limit"] = {"lower": "min", "upper": "max"}[parameter.at_limit]
    if prior is not None:
        row["prior"] = prior.row()
    if link is not None:
        row["link"] = {"equals": link.equals, "scale": link.scale, "offset": link.offset}
    if parameter.minos is not None:
        row["minos"] = {"lower": finite(parameter.minos[0]), "upper": finite(parameter.minos[1])}
        if parameter.minos_reason:
            row["minos"]["reason"] = parameter.minos_reason
    return row


def covariance_rows(names: Sequence[str], covariance: Covariance) -> dict[str, Any]:
    """The matrix; of more than 500 parameters, most of which are datasets' own, what these share, and for each own one
    its variance and its covariance with these."""
    if len(names) <= _WHOLE or not isinstance(covariance, BorderedCovariance):
        return {"parameters": list(names), "matrix": _numbers(np.asarray(covariance))}
    shared, own = covariance.shared_positions(), covariance.own_positions()
    border = _numbers(covariance[own[:, None], shared])
    variances = covariance.diagonal()[own].tolist()
    return {
        "parameters": [names[k] for k in shared],
        "matrix": _numbers(covariance[shared[:, None], shared]),
        "own": [
            {"parameter": names[k], "variance": finite(variance), "covariance": row}
            for k, variance, row in zip(own.tolist(), variances, border, strict=True)
        ],
    }


def _numbers(matrix: Array) -> list[list[float | None]]:
    return [[finite(value) for value in row] for row in matrix.tolist()]


def dataset_row(summary: DatasetSummary, deviance: tuple[float, int] | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": summary.name,
        "type": summary.type,
        "bins": summary.bins,
        "counts": _count(summary.counts),
        "predicted": finite(summary.predicted),
        "background": finite(summary.background),
        "statistic": finite(summary.statistic),
    }
    if deviance is not None and deviance[1]:
        row["goodness"] = {"deviance": finite(deviance[0]), "energies": deviance[1]}
    if summary.left_out:
        row["left_out"] = [
            {"reason": part.reason, "bins": part.bins, "counts": _count(part.counts)} for part in summary.left_out
        ]
    if summary.missing_responses:
        row["missing_responses"] = list(summary.missing_responses)
    if summary.is_correlated:
        row["correlated"] = True
    return row


def _count(value: float | None) -> int | float | None:
    """Counts are whole numbers, except where they were expected ones to begin with."""
    number = finite(value)
    return int(number) if number is not None and number.is_integer() else number


def component_row(component: FittedComponent, spectrum: FittedSpectrum | None) -> dict[str, Any]:
    return {
        "name": component.name,
        "ts": finite(component.ts),
        **({"ts_reason": component.ts_reason} if component.ts_reason else {}),
        "degrees_of_freedom": component.degrees_of_freedom,
        "predicted": {name: finite(value) for name, value in component.predicted.items()},
        "decorrelation_energy": finite(component.decorrelation_energy),
        **({} if spectrum is None else {"fluxes": [_flux(flux) for flux in spectrum.fluxes]}),
    }


def _flux(flux: RangeFlux) -> dict[str, Any]:
    return {
        "e_min": flux.e_min,
        "e_max": flux.e_max,
        "energy_unit": "TeV",
        "flux": finite(flux.flux),
        "flux_err": finite(flux.flux_err),
        "flux_unit": "cm-2 s-1",
        "eflux": finite(flux.eflux),
        "eflux_err": finite(flux.eflux_err),
        "eflux_unit": "erg cm-2 s-1",
    }


def contour_row(contour: Contour) -> dict[str, Any]:
    return {
        "parameters": list(contour.parameters),
        "delta_statistic": contour.delta_statistic,
        "points": [[float(x), float(y)] for x, y in contour.points],
        **({"reason": contour.reason} if contour.reason else {}),
    }


# And back


def parameter_from(row: Mapping[str, Any]) -> FittedParameter:
    """What a row of a parameter says."""
    minos, side = row.get("minos"), row.get("at_limit")
    return FittedParameter(
        name=row["name"],
        value=_number(row["value"]),
        error=row["error"],
        unit=row["unit"],
        frozen=row["frozen"],
        min=row["min"],
        max=row["max"],
        at_limit=None if side is None else "lower" if side == "min" else "upper",
        link=row["link"]["equals"] if "link" in row else None,
        minos=None if minos is None else (minos["lower"], minos["upper"]),
        error_reason=row.get("error_reason", ""),
        minos_reason="" if minos is None else minos.get("reason", ""),
        rise_at_2_sigma=row["shape"]["at_2_sigma"] if "shape" in row else None,
    )


def covariance_from(data: Mapping[str, Any]) -> tuple[tuple[str, ...], Covariance]:
    """Names and matrix; own parameters of one dataset are not known to vary together but through the shared ones."""
    names, shared = data["parameters"], _matrix(data["matrix"])
    own = data.get("own")
    if own is None:
        return tuple(names), shared
    border = _matrix([row["covariance"] for row in own]).reshape(len(own), len(names))
    carry = np.concatenate([np.eye(len(names)), np.linalg.solve(shared, border.T).T if len(names) else border])
    variances = np.array([_number(row["variance"]) for row in own])
    rest = variances - np.einsum("ij,ij->i", carry[len(names) :], border)
    group = np.concatenate([np.full(len(names), -1), np.arange(len(own))])
    covariance = BorderedCovariance(shared, carry, rest[:, None, None], group, np.zeros_like(group))
    return (*names, *(row["parameter"] for row in own)), covariance


def _matrix(rows: Sequence[Sequence[float | None]]) -> Array:
    return np.array(rows, dtype=np.float64)


def dataset_from(row: Mapping[str, Any]) -> DatasetSummary:
    """What a row of a dataset says."""
    return DatasetSummary(
        name=row["name"],
        type=row["type"],
        bins=row["bins"],
        statistic=_number(row["statistic"]),
        counts=row["counts"],
        predicted=row["predicted"],
        background=row["background"],
        left_out=tuple(LeftOut(part["reason"], part["bins"], part["counts"]) for part in row.get("left_out", ())),
        missing_responses=tuple(row.get("missing_responses", ())),
        is_correlated=row.get("correlated", False),
    )


def component_from(row: Mapping[str, Any], kind: str) -> FittedComponent:
    """What a row of a component of that type says."""
    return FittedComponent(
        name=row["name"],
        type=kind,
        predicted={name: _number(value) for name, value in row["predicted"].items()},
        degrees_of_freedom=row["degrees_of_freedom"],
        ts=row["ts"],
        ts_reason=row.get("ts_reason", ""),
        shape=row["decorrelation_energy"],
    )


def contour_from(row: Mapping[str, Any]) -> Contour:
    """What a row of a contour says."""
    points = _matrix(row["points"]).reshape(-1, 2)
    first, second = row["parameters"]
    return Contour((first, second), row["delta_statistic"], points, row.get("reason", ""))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
