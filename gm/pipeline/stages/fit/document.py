"""What ``fit.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.fit import FitResult, FittedComponent, FittedParameter
from gm.likelihood import DatasetSummary
from gm.matrices import BorderedCovariance
from gm.models.links import Link
from gm.pipeline.results import finite
from gm.pipeline.stages.fit import TABLES
from gm.pipeline.stages.fit.spectra import FittedSpectrum, RangeFlux

SCHEMA = "gm/fit/1"
_WHOLE = 500  # free parameters up to which the whole matrix is written


def fit_document(
    result: FitResult, name: str, spectra: Mapping[str, FittedSpectrum], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/fit/1`` document of a fit; numbers that do not exist are None."""
    deviances = [None] * len(result.datasets) if result.by_energy is None else result.by_energy.deviances()
    models = result.models
    links = {models.addresses().short[models.addresses().resolve(link.parameter)]: link for link in models.links}
    return {
        "schema": SCHEMA,
        "name": name,
        "status": result.status,
        "message": result.message,
        "warnings": list(result.warnings),
        "start": {"statistic": finite(result.statistic_start)},
        "statistic": {
            "total": finite(result.statistic),
            "datasets": {summary.name: finite(summary.statistic) for summary in result.datasets},
            "priors": finite(result.statistic_priors),
            "bins": result.n_bins,
            "free_parameters": result.n_free,
        },
        "parameters": [_parameter(parameter, links.get(parameter.name)) for parameter in result.parameters],
        "covariance": _covariance(result),
        "minimizer": {
            "name": result.minimizer.name,
            "edm": finite(result.minimizer.edm),
            "value_calls": result.minimizer.value_calls,
            "gradient_calls": result.minimizer.gradient_calls,
            "steps": result.minimizer.steps,
        },
        "datasets": [_dataset(*row) for row in zip(result.datasets, deviances, strict=True)],
        "components": [_component(one, spectra.get(one.name)) for one in result.components],
        "contours": [
            {
                "parameters": list(contour.parameters),
                "delta_statistic": contour.delta_statistic,
                "points": [[float(x), float(y)] for x, y in contour.points],
                **({"reason": contour.reason} if contour.reason else {}),
            }
            for contour in result.contours
        ],
        **({} if result.by_energy is None else {"tables": TABLES}),
        "inputs": dict(inputs),
    }


def _parameter(parameter: FittedParameter, link: Link | None) -> dict[str, Any]:
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
    if link is not None:
        row["link"] = {"equals": link.equals, "scale": link.scale, "offset": link.offset}
    if parameter.minos is not None:
        row["minos"] = {"lower": finite(parameter.minos[0]), "upper": finite(parameter.minos[1])}
        if parameter.minos_reason:
            row["minos"]["reason"] = parameter.minos_reason
    return row


def _covariance(result: FitResult) -> dict[str, Any] | None:
    """The matrix; of more than 500 parameters, most of which are datasets' own, what these share, and for each own one
    its variance and its covariance with these."""
    if result.covariance is None:
        return None
    names, covariance = result.covariance
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


def _dataset(summary: DatasetSummary, deviance: tuple[float, int] | None) -> dict[str, Any]:
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
    return row


def _count(value: float | None) -> int | float | None:
    """Counts are whole numbers, except where they were expected ones to begin with."""
    number = finite(value)
    return int(number) if number is not None and number.is_integer() else number


def _component(component: FittedComponent, spectrum: FittedSpectrum | None) -> dict[str, Any]:
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
