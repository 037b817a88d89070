"""gm's side of the benchmarks. See ``alternate.py``."""

from __future__ import annotations

import resource
import time
from typing import Any

from alternate import serve
from cases import BEST_JOINT_CRAB, CASES

import gm
from gm.datasets import Datasets
from gm.estimators import FluxPointsEstimator
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models

_kept: dict[str, Any] = {}


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


def keep(datasets_file: str, models_file: str, ranges: dict[str, Any]) -> dict[str, Any]:
    """Read datasets for the tasks below."""
    start = time.perf_counter()
    _kept["datasets"] = read(datasets_file, ranges)
    seconds = time.perf_counter() - start
    _kept["models_file"] = models_file
    return {"seconds": {"read": seconds}, "n": len(_kept["datasets"])}


def statistic(n: int) -> dict[str, Any]:
    """The statistic, alone and with its gradient, at ``n`` different points; compiling is timed too."""
    begin = time.perf_counter()
    likelihood = JointLikelihood(_kept["datasets"], Models.read(_kept["models_file"]))
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
    models = Models.read(_kept["models_file"])
    begin = time.perf_counter()
    result = Fit(_kept["datasets"]).run(models)
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
    chosen = CASES[case]
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


def memory() -> dict[str, Any]:
    """Peak memory of this process in MiB."""
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"gm": gm.__version__}


if __name__ == "__main__":
    serve({task.__name__: task for task in (keep, statistic, fit, flux_points, memory, versions)})
