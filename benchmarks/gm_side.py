"""gm's side of the benchmarks. See ``alternate.py``."""

from __future__ import annotations

import time
from typing import Any

from alternate import kept, serve
from cases import BEST_JOINT_CRAB, CASES, CUBES

import gm
from gm.datasets import Datasets
from gm.estimators import FluxPointsEstimator, LightCurveEstimator, ProfileEstimator
from gm.estimators.sky.excess_map import ExcessMapEstimator
from gm.estimators.sky.ts_map import TSMapEstimator
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models


def read(datasets_file: str, ranges: dict[str, Any], prefix: str = "") -> Datasets:
    """Datasets, with fit ranges in TeV by prefix."""
    chosen = []
    for dataset in Datasets.read(datasets_file):
        for start, (low, high) in ranges.items():
            if dataset.name.startswith(start):
                dataset = dataset.with_(mask_fit=dataset.energy.mask(low, high))
        if dataset.name.startswith(prefix):
            chosen.append(dataset)
    return Datasets(chosen)


def statistic(n: int) -> dict[str, Any]:
    """The statistic, alone and with its gradient, at ``n`` different points; compiling is timed too."""
    begin = time.perf_counter()
    likelihood = JointLikelihood(kept["datasets"], Models.read(kept["models_file"]))
    compiled = time.perf_counter()
    vector = likelihood.layout.start
    value = likelihood.value(vector)
    steps = [vector * (1 + 1e-7 * (i + 1)) for i in range(n)]
    start = time.perf_counter()
    for step in steps:
        likelihood.value(step)
    middle = time.perf_counter()
    for step in steps:
        likelihood.value_and_gradient(step)
    end = time.perf_counter()
    return {
        "seconds": {"compile": compiled - begin, "statistic": (middle - start) / n, "gradient": (end - middle) / n},
        "value": float(value),
    }


def fit() -> dict[str, Any]:
    """Best fit and covariance from the start models, compilation of the likelihood included."""
    models = Models.read(kept["models_file"])
    begin = time.perf_counter()
    result = Fit(kept["datasets"]).run(models)
    seconds = time.perf_counter() - begin
    return {
        "seconds": {"fit": seconds},
        "statistic": result.statistic,
        "status": result.status,
        "parameters": [
            {"name": p.name, "value": p.value, "error": p.error, "unit": p.unit}
            for p in result.parameters
            if not p.frozen
        ],
        "statistic_start": result.statistic_start,
    }


def flux_points(case: str, edges: list[float], prefix: str = "", source: str = "crab") -> dict[str, Any]:
    """Flux points with errors, limits and profiles, all datasets together; starts where Gammapy's side does."""
    chosen = CUBES[case][0] if case in CUBES else CASES[case]
    datasets = read(str(chosen.datasets_file), chosen.ranges, prefix)
    models = Models.read(chosen.models_file)
    if chosen.folder == "joint-crab":
        models = models.with_parameters({f"crab.{name}": {"value": v} for name, v in BEST_JOINT_CRAB.items()})
    else:
        models = Fit(datasets).run(models).models
    begin = time.perf_counter()
    points = FluxPointsEstimator(source=source, energy_edges=edges).run(datasets, models)
    seconds = time.perf_counter() - begin
    return {
        "seconds": {"flux_points": seconds},
        "points": len(points.points),
        "status": [p.status for p in points.points],
    }


def profile(parameter: str, values: list[float]) -> dict[str, Any]:
    """The profile of a parameter at values around the best fit, which it starts from; compiling is timed too.

    Seconds are those of the processor."""
    best = Fit(kept["datasets"]).run(Models.read(kept["models_file"])).models
    estimator = ProfileEstimator(parameters=parameter, values=values, levels=())
    begin = time.process_time()
    found = estimator.run(kept["datasets"], best)
    seconds = time.process_time() - begin
    return {"seconds": {"profile": seconds}, "rises": [row.stat - found.stat for row in found.rows]}


def light_curve(edges: list[float], source: str) -> dict[str, Any]:
    """One bin for each dataset, with errors, limits, profiles, sensitivity. Seconds are those of the processor."""
    models = Models.read(kept["models_file"])
    begin = time.process_time()
    curve = LightCurveEstimator(source=source, energy_edges=edges).run(kept["datasets"], models)
    seconds = time.process_time() - begin
    points = [(row.bin.start, point) for row in curve.rows for point in row.points]
    names = {"flux": "norm", "flux_err": "norm_err", "flux_errn": "norm_errn", "flux_errp": "norm_errp",
             "flux_ul": "norm_ul"}  # fmt: skip
    columns = {
        name: [getattr(point.estimate, norm) * point.reference.flux for _, point in points]
        for name, norm in names.items()
    }
    columns |= {"time_min": [start for start, _ in points], "ts": [point.estimate.ts for _, point in points]}
    return {"seconds": {"light_curve": seconds}, **columns}


def read_models() -> Models:
    """With their templates, which Gammapy reads with the models and gm when they are first used."""
    models = Models.read(kept["models_file"])
    for component in models.sources():
        if component.spatial_model is not None:
            component.spatial_model.position(component.spatial_model.values())
    return models


def ts_map(width: float, summed: bool, intervals: bool, without: str) -> dict[str, Any]:
    """A point source fitted at every pixel, beside the start models but for one. Seconds are those of the processor."""
    models = read_models().without(without)
    estimator = TSMapEstimator(kernel_width=width, sum_over_energy=summed, intervals=intervals)
    begin = time.process_time()
    maps = estimator.run(kept["datasets"], models)
    seconds = time.process_time() - begin
    return {"seconds": {"ts_map": seconds}, **{name: maps[name][0].tolist() for name in ("ts", "norm", "norm_err")}}


def excess_map(radius: float, intervals: bool) -> dict[str, Any]:
    """Counts in circles against the start models, in one band. Seconds are those of the processor."""
    models = read_models()
    estimator = ExcessMapEstimator(correlation_radius=radius, intervals=intervals)
    begin = time.process_time()
    maps = estimator.run(kept["datasets"], models)
    seconds = time.process_time() - begin
    return {"seconds": {"excess_map": seconds}, "sqrt_ts": maps["sqrt_ts"][0].tolist()}


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"gm": gm.__version__}


if __name__ == "__main__":
    serve(read, statistic, fit, flux_points, light_curve, profile, ts_map, excess_map, versions)
