#!/usr/bin/env python
"""Write best fits, covariances, MINOS errors and contours of the 1-D counts cases, on Gammapy's statistic.

    $GM_PEER_PYTHON benchmarks/make_golden_joint_crab.py [--output tests/fit/golden_joint_crab.json]

Gammapy computes the statistic; iminuit is driven directly, with a tolerance 100 times tighter than Gammapy's own, so
that the numbers are those of the statistic and not of where a minimiser stopped. The covariance is from a numerical
Hessian (central differences in steps of 0.02 and 0.04 sigma, extrapolated), because HESSE's is good to about 1 % only.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import gammapy
import numpy as np
from cases import CASES, ROOT
from gammapy.modeling.models import Models
from gammapy_side import read
from iminuit import Minuit
from make_golden_flux_points import as_text, rounded

warnings.simplefilter("ignore")

#: case -> the pair of parameters whose contour is drawn
CONTOURS = {
    "joint-crab-lp": ("amplitude", "alpha"),
    "joint-crab-pl": ("index", "amplitude"),
    "joint-crab-ecpl": ("index", "lambda_"),
    "hess-crab-1d-pl": ("index", "amplitude"),
    "hess-crab-1d-lp": ("alpha", "beta"),
}


def hessian(statistic: Any, best: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Second derivatives at the best fit, (n, n), by Richardson-extrapolated central differences."""

    def differences(step: float) -> np.ndarray:
        h = step * sigma
        unit = np.diag(h)
        out = np.empty((len(h), len(h)))
        for i in range(len(h)):
            for j in range(len(h)):
                a, b = unit[i], unit[j]
                corners = (best + a + b, best + a - b, best - a + b, best - a - b)
                pp, pm, mp, mm = (statistic(*point) for point in corners)
                out[i, j] = (pp - pm - mp + mm) / (4 * h[i] * h[j])
        return out

    return (4 * differences(0.02) - differences(0.04)) / 3


def run(name: str) -> dict[str, Any]:
    """Fit one case, from the start models as they are, and describe the minimum."""
    case = CASES[name]
    datasets = read(str(case.datasets_file), case.ranges)
    datasets.models = models = Models.read(case.models_file)
    start = float(datasets.stat_sum())
    parameters = [p for p in models.parameters if not p.frozen]
    scale = np.array([p.value for p in parameters])

    def statistic(*factors: float) -> float:
        for parameter, factor, unit in zip(parameters, factors, scale, strict=True):
            parameter.value = factor * unit
        return float(datasets.stat_sum())

    names = [p.name for p in parameters]
    minuit = Minuit(statistic, *np.ones(len(names)), name=names)
    minuit.errordef, minuit.strategy, minuit.tol = 1.0, 2, 1e-3
    minuit.migrad()
    minuit.hesse()
    best, sigma, hesse = np.array(minuit.values), np.array(minuit.errors), np.array(minuit.covariance)
    curvature = hessian(statistic, best, sigma)
    covariance = 2 * np.linalg.inv(curvature)
    steps = np.diag(0.01 * sigma)
    gradient = np.array([statistic(*(best + h)) - statistic(*(best - h)) for h in steps]) / (0.02 * sigma)
    best = best - np.linalg.solve(curvature, gradient)  # one Newton step: MIGRAD stops some 1e-7 above the minimum
    minuit.values = best
    minuit.minos()
    jacobian = np.outer(scale, scale)
    x, y = CONTOURS[name]
    points = minuit.mncontour(x, y, cl=0.3934693402873666, size=20)  # 2 (ln L_max - ln L) = 1
    factors = dict(zip(names, scale, strict=True))
    return {
        "folder": case.folder,
        "start_models": case.models,
        "statistic_start": start,
        "statistic": statistic(*best),
        "parameters": names,
        "units": [str(p.unit) for p in parameters],
        "values": rounded(best * scale),
        "errors": rounded(np.sqrt(np.diag(covariance)) * scale),
        "errors_hesse": rounded(np.sqrt(np.diag(hesse)) * scale),
        "covariance": rounded(covariance * jacobian),
        "minos": {
            name: {side: rounded(getattr(minuit.merrors[name], side) * factors[name]) for side in ("lower", "upper")}
            for name in names
        },
        "contour": {"x": x, "y": y, "delta_statistic": 1.0, "points": rounded(points * [factors[x], factors[y]])},
    }


def main() -> None:
    """Run every case and write one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "tests/fit/golden_joint_crab.json")
    args = parser.parse_args()
    out: dict[str, Any] = {"source": f"Gammapy {gammapy.__version__} statistic, iminuit", "cases": {}}
    for name in CONTOURS:
        out["cases"][name] = run(name)
        print(name, out["cases"][name]["statistic"], out["cases"][name]["minos"], flush=True)
    args.output.write_text(as_text(out))


if __name__ == "__main__":
    main()
