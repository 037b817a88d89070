#!/usr/bin/env python
"""Why the pulls of toys of the README's example have means that are not quite 0: the background of W, proven.

    python benchmarks/study_pulls.py [--n 4000]        # writes results/study_pulls.*

Toys of the fit of ``gm init``'s example, drawn from one truth and measured in three ways: as they are, with off counts
of a few in a bin; with a hundred times the off region, so that the background is all but known; and with the background
known, under Cash. What W does is also computed without any toy: at the true parameters the expected slope of a
likelihood is 0, but that of one whose background is profiled in each bin is not. Its sum over all numbers of on and off
counts, divided by the second derivatives, is by how much all estimates are shifted (first order).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from alternate import table, write_results
from cases import ROOT
from recorded import FOLDER, Record
from scipy.stats import poisson

sys.path.insert(0, str(ROOT))

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gm.datasets.redrawn import Expectation
from gm.estimators.toys import ToyFit, Truth
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models
from gm.statistics import WStat

MANY = 100.0
LEAST = 1e-12  # of a Poisson distribution: where its sums end


def example() -> tuple[Datasets, Models]:
    """Datasets and best fit of the README's example, as ``gm fit`` leaves them."""
    with tempfile.TemporaryDirectory() as folder:
        gm = [sys.executable, "-m", "gm"]
        subprocess.run([*gm, "init", f"{folder}/crab", "-q"], check=True)
        subprocess.run([*gm, "fit", f"{folder}/crab/config.yaml", "-q", "-s", "fit.contours=[]"], check=True)
        datasets = Datasets.read(f"{folder}/crab/results/datasets.yaml")
        low = {"array": (0.6, 40.0), "lat": (0.01, 1.0)}
        inside = Datasets(one.with_(mask_fit=one.energy.mask(*low[one.name.split("-")[0]])) for one in datasets)
        return inside, Models.read(f"{folder}/crab/results/fit/models.yaml")


def expectations(datasets: Datasets, models: Models) -> list[tuple[Dataset, Array, Expectation]]:
    """Each dataset with the counts of the source and all that is expected."""
    likelihood = JointLikelihood(datasets, models)
    predicted = likelihood.predicted(likelihood.layout.start)
    return [(one, counts, Expectation.of(one, counts)) for one, counts in zip(datasets, predicted, strict=True)]


def with_more_off(one: Dataset, _: Array, __: Expectation) -> Dataset:
    """The same background, measured in a larger region."""
    if not isinstance(one, SpectrumDatasetOnOff):
        return one
    return one.with_(counts_off=one.counts_off * MANY, acceptance_off=one.acceptance_off * MANY)


def with_known_background(one: Dataset, source: Array, expected: Expectation) -> Dataset:
    """The same background, known."""
    if not isinstance(one, SpectrumDatasetOnOff):
        return one
    return SpectrumDataset(
        name=one.name, energy=one.energy, energy_true=one.energy_true, counts=one.counts, exposure=one.exposure,
        edisp=one.edisp, background=expected.on - source, mask_fit=one.mask_fit, mask_safe=one.mask_safe,
    )  # fmt: skip


def slopes(one: SpectrumDatasetOnOff, source: Array, expected: Expectation) -> Array:
    """The expected derivative of W with respect to the counts of the source, in each bin that enters, (n_bins,)."""
    assert expected.off is not None
    found = np.zeros(source.size)
    for k in np.flatnonzero(one.mask):
        on, off = (np.arange(int(poisson.isf(LEAST, mean)) + 2) for mean in (expected.on[k], expected.off[k]))
        n_on, n_off = (part.ravel().astype(float) for part in np.meshgrid(on, off, indexing="ij"))
        weight = poisson.pmf(n_on, expected.on[k]) * poisson.pmf(n_off, expected.off[k])
        statistic = WStat(n_on, n_off, np.full(n_on.size, one.acceptance[k] / one.acceptance_off[k]))
        found[k] = weight @ statistic.value_and_derivative(np.full(n_on.size, source[k]))[1]
    return found


def predicted_shifts(datasets: Datasets, models: Models) -> dict[str, float]:
    """Shifts of the estimates in their errors, to first order: ``-(expected Hessian)^-1 (expected gradient)``."""
    likelihood = JointLikelihood(datasets, models)
    start, names = likelihood.layout.start, likelihood.layout.free_addresses
    parts, steps = expectations(datasets, models), 1e-5 * np.abs(start)
    gradient = np.zeros(start.size)
    for k, step in enumerate(steps):
        low, high = (likelihood.predicted(start + sign * step * (np.arange(start.size) == k)) for sign in (-1, 1))
        for (one, source, expected), below, above in zip(parts, low, high, strict=True):
            if isinstance(one, SpectrumDatasetOnOff):
                gradient[k] += slopes(one, source, expected) @ (above - below) / (2 * step)
    fit = Fit(datasets).run(models)
    assert fit.covariance is not None
    matrix = np.asarray(fit.covariance[1])
    shift = -0.5 * matrix @ gradient  # the covariance is twice the inverse of the Hessian of -2 ln L
    return dict(zip(names, (shift / np.sqrt(np.diag(matrix))).tolist(), strict=True))


def pulls(record: Record, way: str, datasets: Datasets, models: Models, n: int) -> dict[str, tuple[float, float]]:
    """Mean and width of the pulls of each parameter."""
    truth, fit = Truth(datasets, models), ToyFit()
    layout = JointLikelihood(datasets, models).layout
    true = dict(zip(layout.free_addresses, layout.start.tolist(), strict=True))

    def one(number: int) -> dict[str, float]:
        toy = fit.run(truth, 1, number)
        return {name: (toy.values[name] - true[name]) / error for name, error in toy.errors.items() if error}

    found = record.of(way, n, one)
    each = {name: np.array([toy[name] for toy in found if name in toy]) for name in true}
    return {name: (float(values.mean()), float(values.std(ddof=1))) for name, values in each.items()}


def ways() -> Iterator[tuple[str, Datasets, Models]]:
    datasets, models = example()
    parts = expectations(datasets, models)
    yield "as it is", datasets, models
    yield f"{MANY:g} times the off region", Datasets(with_more_off(*part) for part in parts), models
    yield "background known (Cash)", Datasets(with_known_background(*part) for part in parts), models


def main() -> None:
    """Simulate, write ``results/study_pulls.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--record", type=Path, default=FOLDER / "pulls.jsonl", help="where simulations are kept")
    given = parser.parse_args()
    record, rows = Record(given.record), list[dict[str, Any]]()
    for way, datasets, models in ways():
        shifts: Mapping[str, float] = predicted_shifts(datasets, models)
        for name, (mean, width) in pulls(record, way, datasets, models, given.n).items():
            rows.append({"off counts": way, "parameter": name, "n": given.n, "mean": mean, "width": width,
                         "shift by W": shifts[name]})  # fmt: skip
            print(rows[-1], flush=True)
    cells = [
        [row["off counts"], row["parameter"], f"{row['mean']:+.3f} ± {row['width'] / given.n**0.5:.3f}",
         f"{row['shift by W']:+.3f}", f"{row['width']:.3f}"]
        for row in rows
    ]  # fmt: skip
    text = (
        f"# Pulls of the README's example\n\n`python benchmarks/study_pulls.py --n {given.n}`\n\n"
        "Mean and width of (value - truth) / error, and the shift that the slope of W lets expect without toys.\n\n"
        + table(["background", "parameter", "mean", "shift by W", "width"], cells)
    )
    write_results("study_pulls", {"n": given.n, "rows": rows}, text)


if __name__ == "__main__":
    main()
