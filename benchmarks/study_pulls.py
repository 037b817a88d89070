#!/usr/bin/env python
"""Why the pulls of toys of the README's example have means that are not quite 0: the background of W, proven.

    python benchmarks/study_pulls.py [--n 6000] [--seed 2]        # writes results/study_pulls.*

Toys of the fit of ``gm init``'s example, drawn from one truth and measured in four ways: as they are, with off counts
of a few in a bin; with a hundred times the off region, so that the background is all but known; with the background
known, under Cash; and this for 25 times the time, when the bias of the maximum itself is less, which is of one over the
counts. What W does is also computed without any toy, as ``gm toys`` does (`shifts_by_profiling`).
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

sys.path.insert(0, str(ROOT))

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gm.datasets.redrawn import Expectation
from gm.estimators.profiled_bias import shifts_by_profiling
from gm.estimators.toys import ToyFit, Truth
from gm.likelihood import JointLikelihood
from gm.models import Models

MANY, LONGER = 100.0, 25.0


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


def longer(one: Dataset) -> Dataset:
    """Measured for a longer time."""
    assert isinstance(one, SpectrumDataset)
    background = None if one.background is None else one.background * LONGER
    return one.with_(counts=one.counts * LONGER, exposure=one.exposure * LONGER, background=background)


def pulls(
    record: Record, way: str, datasets: Datasets, models: Models, n: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Mean and width of the pulls of each parameter."""
    truth, fit = Truth(datasets, models), ToyFit()
    layout = JointLikelihood(datasets, models).layout
    true = dict(zip(layout.free_addresses, layout.start.tolist(), strict=True))

    def one(number: int) -> dict[str, float]:
        toy = fit.run(truth, seed, number)
        return {name: (toy.values[name] - true[name]) / error for name, error in toy.errors.items() if error}

    found = record.of(f"{way}, seed {seed}", n, one)
    each = {name: np.array([toy[name] for toy in found if name in toy]) for name in true}
    return {name: (float(values.mean()), float(values.std(ddof=1))) for name, values in each.items()}


def ways() -> Iterator[tuple[str, Datasets, Models]]:
    datasets, models = example()
    parts = expectations(datasets, models)
    yield "as it is", datasets, models
    yield f"{MANY:g} times the off region", Datasets(with_more_off(*part) for part in parts), models
    known = Datasets(with_known_background(*part) for part in parts)
    yield "background known (Cash)", known, models
    yield f"background known, {LONGER:g} times the time", Datasets(longer(one) for one in known), models


def main() -> None:
    """Simulate, write ``results/study_pulls.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--record", type=Path, default=FOLDER / "pulls.jsonl", help="where simulations are kept")
    given = parser.parse_args()
    record, rows = Record(given.record), list[dict[str, Any]]()
    for way, datasets, models in ways():
        shifts: Mapping[str, float] = shifts_by_profiling(Truth(datasets, models))
        for name, (mean, width) in pulls(record, way, datasets, models, given.n, given.seed).items():
            rows.append({"off counts": way, "parameter": name, "n": given.n, "mean": mean, "width": width,
                         "shift by W": shifts.get(name, 0.0)})  # fmt: skip
            print(rows[-1], flush=True)
    cells = [
        [row["off counts"], row["parameter"], f"{row['mean']:+.3f} ± {row['width'] / given.n**0.5:.3f}",
         f"{row['shift by W']:+.3f}", f"{row['width']:.3f}"]
        for row in rows
    ]  # fmt: skip
    text = (
        f"# Pulls of the README's example\n\n`python benchmarks/study_pulls.py --n {given.n} --seed {given.seed}`\n\n"
        "Mean and width of (value - truth) / error, and the shift that the slope of W lets expect without toys.\n\n"
        + table(["background", "parameter", "mean", "shift by W", "width"], cells)
    )
    write_results("study_pulls", {"n": given.n, "seed": given.seed, "rows": rows}, text)


if __name__ == "__main__":
    main()
