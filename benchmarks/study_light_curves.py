#!/usr/bin/env python
"""How often a constant source seems to vary: probabilities of light curves by chi-square and by likelihood ratio.

python benchmarks/study_light_curves.py [--n 1000]

Light curves of ten On/Off runs on a constant source: so many expected counts of the source in each run, and a tenth of
ten off counts as background. A probability of a test that holds is uniform: 5 % of the light curves are below 0.05.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from alternate import table, write_results
from scipy import stats

from gm.datasets import Datasets, SpectrumDatasetOnOff
from gm.estimators import LightCurve, LightCurveEstimator
from gm.estimators.variability import Fluxes, chi2_probability, constancy
from gm.maps.axes import EnergyAxis
from gm.models import Models, PowerLawSpectralModel, SkyModel

RUNS, OFF, ACCEPTANCE_OFF = 10, 10.0, 10.0
LEVELS = (1.0, 3.0, 10.0, 30.0, 100.0)
MODELS = Models(
    [SkyModel(name="source", spectral_model=PowerLawSpectralModel(index=2, amplitude="1e-11 cm-2 s-1 TeV-1"))]
)
FLUX = 1e-11 * (1.0 - 0.1)  # between 1 and 10 TeV


def draw(level: float, random: np.random.Generator) -> Datasets:
    """Runs of one bin of energy, without good times: each is an observation."""
    axis = EnergyAxis(np.array([1.0, 10.0]))
    true = EnergyAxis(np.array([1.0, 10.0]), "energy_true")
    return Datasets(
        SpectrumDatasetOnOff(
            name=f"run-{k}",
            energy=axis,
            energy_true=true,
            counts=random.poisson([level + OFF / ACCEPTANCE_OFF]).astype(float),
            counts_off=random.poisson([OFF]).astype(float),
            acceptance=np.ones(1),
            acceptance_off=np.full(1, ACCEPTANCE_OFF),
            exposure=np.array([level / FLUX]),
        )
        for k in range(RUNS)
    )


def by_likelihood(curve: LightCurve) -> float:
    """The probability of the likelihood ratio."""
    whole = curve.constant.points[0].estimate
    each = [row.points[0].estimate.stat for row in curve.rows if row.points and row.points[0].estimate]
    assert whole is not None
    return chi2_probability(whole.stat - sum(each), len(each) - 1)


def by_chi2(curve: LightCurve) -> float:
    """The probability of the chi-square of a constant, with the error on the side that faces it."""
    estimates = [row.points[0].estimate for row in curve.rows if row.points]
    known = [one for one in estimates if one is not None and one.norm_err is not None]
    error = np.array([one.norm_err for one in known], dtype=float)
    errn = np.array([one.norm_err if one.norm_errn is None else one.norm_errn for one in known], dtype=float)
    errp = np.array([one.norm_err if one.norm_errp is None else one.norm_errp for one in known], dtype=float)
    norm = np.array([one.norm for one in known])
    test = constancy(Fluxes(norm, errn, errp, error, np.arange(norm.size, dtype=float)))
    assert test is not None
    return test.probability


def row(level: float, method: str, probabilities: list[float]) -> dict[str, Any]:
    values = np.array(probabilities)
    return {
        "counts": level,
        "method": method,
        "n": len(probabilities),
        "below 0.01": float(np.mean(values < 0.01)),
        "below 0.05": float(np.mean(values < 0.05)),
        "below 0.32": float(np.mean(values < 0.32)),
        "uniform": float(stats.kstest(values, "uniform").pvalue),
    }


def main() -> None:
    """Simulate, write ``results/study_light_curves.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    n = parser.parse_args().n
    estimator, rows = LightCurveEstimator(source="source", energy_edges=[1.0, 10.0], norm_scan=()), []
    for level in LEVELS:
        random = np.random.default_rng(int(10 * level))
        curves = [estimator.run(draw(level, random), MODELS) for _ in range(n)]
        rows.append(row(level, "likelihood ratio", [by_likelihood(curve) for curve in curves]))
        rows.append(row(level, "chi2", [by_chi2(curve) for curve in curves]))
    head = list(rows[0])
    cells = [[f"{one[key]:.3g}" if isinstance(one[key], float) else str(one[key]) for key in head] for one in rows]
    text = (
        "# Light curves of a constant source\n\n"
        "Fraction of light curves of ten runs whose probability is below a value, by expected counts of the source in "
        "a run, and the probability of a Kolmogorov-Smirnov test that all are uniform.\n\n" + table(head, cells)
    )
    write_results("study_light_curves", {"rows": rows}, text)


if __name__ == "__main__":
    main()
