"""Gammapy's side of the benchmarks; runs with the Python of ``requirements-peer.txt``. See ``alternate.py``."""

from __future__ import annotations

import time
import warnings
from typing import Any

import astropy.units as u
import gammapy
import numpy as np
import yaml
from alternate import kept, serve
from cases import BEST_JOINT_CRAB, CASES, CUBES
from gammapy.datasets import Datasets
from gammapy.estimators import ExcessMapEstimator, FluxPointsEstimator, LightCurveEstimator, TSMapEstimator
from gammapy.modeling import Fit
from gammapy.modeling.models import Models

warnings.simplefilter("ignore")


def read(datasets_file: str, ranges: dict[str, Any], prefix: str = "") -> Datasets:
    """Datasets with the names of the YAML, which On/Off datasets ignore, and with fit ranges in TeV by prefix."""
    with open(datasets_file) as file:
        entries = yaml.safe_load(file)["datasets"]
    datasets = Datasets.read(datasets_file)
    for dataset, entry in zip(datasets, entries, strict=True):
        dataset._name = entry["name"]
    for dataset in datasets:
        for start, (low, high) in ranges.items():
            if dataset.name.startswith(start):
                dataset.mask_fit = dataset.counts.geom.energy_mask(low * u.TeV, high * u.TeV)
    return Datasets([dataset for dataset in datasets if dataset.name.startswith(prefix)])


def statistic(n: int) -> dict[str, Any]:
    """The statistic at ``n`` slightly different points, after a first evaluation."""
    datasets, models = kept["datasets"], Models.read(kept["models_file"])
    datasets.models = models
    value = float(datasets.stat_sum())
    amplitude = next(p for p in models.parameters if p.name == "amplitude")
    start, first = time.perf_counter(), amplitude.value
    for i in range(n):
        amplitude.value = first * (1 + 1e-7 * (i + 1))
        datasets.stat_sum()
    return {"seconds": {"statistic": (time.perf_counter() - start) / n}, "value": value}


def values(points: list[dict[str, float]]) -> dict[str, Any]:
    """The statistic at each point, given by the addresses of its parameters; models are set at the first."""
    datasets, models, found = kept["datasets"], Models.read(kept["models_file"]), []
    for point in points:
        for address, value in point.items():
            component, _, name = address.rpartition(".")
            models[component].parameters[name].value = value
        if not found:
            datasets.models = models
        found.append(float(datasets.stat_sum()))
    return {"values": found}


def fit() -> dict[str, Any]:
    """Best fit and covariance from the start models, after a first evaluation of the statistic.

    ``fit`` is what ``Fit.run`` does: MIGRAD, whose own matrix becomes the covariance. ``fit_hesse``: MIGRAD, HESSE.
    """
    datasets = kept["datasets"]
    models = Models.read(kept["models_file"])
    datasets.models = models
    datasets.stat_sum()
    begin = time.perf_counter()
    migrad = Fit()
    result = migrad.optimize(datasets)
    middle = time.perf_counter()
    migrad.covariance(datasets, result)
    end = time.perf_counter()
    Fit().covariance(datasets)
    hesse = time.perf_counter() - end
    return {
        "seconds": {"fit": end - begin, "fit_hesse": middle - begin + hesse},
        "statistic": float(result.total_stat),
        "success": bool(result.success),
    }


def flux_points(
    case: str, edges: list[float], prefix: str = "", optional: str | None = "all", source: str = "crab"
) -> dict[str, Any]:
    """Flux points of one group of datasets whose axes are aligned; the joint Crab starts from its joint best fit."""
    chosen = CUBES[case][0] if case in CUBES else CASES[case]
    datasets = read(str(chosen.datasets_file), chosen.ranges, prefix)
    models = Models.read(chosen.models_file)
    datasets.models = models
    if chosen.folder == "joint-crab":
        for name, value in BEST_JOINT_CRAB.items():
            models["crab"].parameters[name].value = value
    else:
        Fit().run(datasets)
    estimator = FluxPointsEstimator(energy_edges=np.array(edges) * u.TeV, source=source, selection_optional=optional)
    begin = time.perf_counter()
    try:
        points = estimator.run(datasets)
    except Exception as error:
        crash = f"{type(error).__name__}: {error}".splitlines()[0]
        return {"seconds": {"flux_points": time.perf_counter() - begin}, "crash": crash}
    seconds = time.perf_counter() - begin
    return {"seconds": {"flux_points": seconds}, "points": len(points.to_table(sed_type="likelihood"))}


def profile(parameter: str, n: int) -> dict[str, Any]:
    """The profile of a parameter, given as component.name, three errors to both sides of the best fit.

    Seconds are those of the processor."""
    datasets, models = kept["datasets"], Models.read(kept["models_file"])
    datasets.models = models
    fit = Fit()
    fit.run(datasets)
    component, _, name = parameter.rpartition(".")
    chosen = models[component].parameters[name]
    chosen.scan_n_values, chosen.scan_n_sigma = n, 3
    best = float(datasets.stat_sum())
    begin = time.process_time()
    found = fit.stat_profile(datasets, chosen, reoptimize=True)
    seconds = time.process_time() - begin
    scan = next(values for key, values in found.items() if key.endswith("_scan") and key != "stat_scan")
    rises = [float(value) - best for value in found["stat_scan"]]
    return {"seconds": {"profile": seconds}, "values": [float(value) for value in scan], "rises": rises}


def light_curve(edges: list[float], source: str) -> dict[str, Any]:
    """One bin for each dataset, everything on. Seconds are those of the processor."""
    datasets = kept["datasets"]
    datasets.models = Models.read(kept["models_file"])
    estimator = LightCurveEstimator(energy_edges=np.array(edges) * u.TeV, source=source, selection_optional="all")
    begin = time.process_time()
    curve = estimator.run(datasets)
    seconds = time.process_time() - begin
    table = curve.to_table(format="lightcurve", sed_type="flux")
    names = ("time_min", "flux", "flux_err", "flux_errn", "flux_errp", "flux_ul", "ts")
    columns = {name: np.asarray(table[name].data, dtype=float).ravel().tolist() for name in names}
    return {"seconds": {"light_curve": seconds}, **columns}


def _image(values: Any) -> list[list[float]]:
    return np.asarray(values[0], dtype=float).tolist()


def ts_map(width: float, summed: bool, intervals: bool, without: str) -> dict[str, Any]:
    """A point source fitted at every pixel, beside the start models but for one. Seconds are those of the processor."""
    datasets = kept["datasets"]
    datasets.models = Models([model for model in Models.read(kept["models_file"]) if model.name != without])
    selection = ["errn-errp", "ul"] if intervals else None
    estimator = TSMapEstimator(kernel_width=width * u.deg, sum_over_energy_groups=summed, selection_optional=selection)
    begin = time.process_time()
    maps = estimator.run(datasets)
    seconds = time.process_time() - begin
    return {"seconds": {"ts_map": seconds}, **{q: _image(getattr(maps, q).data) for q in ("ts", "norm", "norm_err")}}


def excess_map(radius: float, intervals: bool) -> dict[str, Any]:
    """Counts in circles against the start models, in one band. Seconds are those of the processor."""
    datasets = kept["datasets"]
    datasets.models = Models.read(kept["models_file"])
    selection = ["errn-errp", "ul"] if intervals else None
    estimator = ExcessMapEstimator(
        correlation_radius=radius * u.deg, selection_optional=selection, sum_over_energy_groups=True
    )
    begin = time.process_time()
    maps = estimator.run(datasets[0])
    seconds = time.process_time() - begin
    return {"seconds": {"excess_map": seconds}, "sqrt_ts": _image(maps.sqrt_ts.data)}


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"Gammapy": gammapy.__version__}


if __name__ == "__main__":
    serve(read, statistic, values, fit, flux_points, light_curve, profile, ts_map, excess_map, versions)
