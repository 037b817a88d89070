#!/usr/bin/env python
"""How often 95 % upper limits on a flux hold, and whether toys of the README's example have standard normal pulls.

    python benchmarks/study_coverage.py limits --n 4000     # a source of 0.5 ... 100 expected counts
    python benchmarks/study_coverage.py pulls --n 3000      # gm init crab; gm toys

Both are simulations; the same numbers every time. The results are kept in ``benchmarks/results/coverage_*``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from alternate import table, write_results
from cases import ROOT

sys.path.insert(0, str(ROOT))

from gm.config_schemas.reader import read_document
from gm.datasets import Dataset, Datasets
from gm.estimators import FluxPointsEstimator
from gm.estimators.toy_studies import Share
from gm.estimators.toys import Truth
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.samples import on_off, power_law, spectrum

COUNTS = (0.5, 1.0, 3.0, 10.0, 100.0)
LEVEL = 0.95
METHODS: Mapping[str, Mapping[str, Any]] = {
    method: {"sigma_ul": NormalDist().inv_cdf(LEVEL), "ul": method} for method in ("likelihood", "bounded", "cls")
}
"""Arguments of a `FluxPointsEstimator`."""


def scaled(dataset: Dataset, expected: float) -> Dataset:
    """The dataset with an exposure such that so many counts of the source are expected."""
    models = Models([power_law("crab")])
    likelihood = JointLikelihood(Datasets([dataset]), models)
    [summary] = likelihood.summarize(likelihood.layout.start)
    total = summary.components["crab"]
    return dataset.with_(exposure=dataset.exposure * (expected / total))  # type: ignore[attr-defined]


def limits(n: int) -> None:
    """A table of coverage per method, statistic and expected counts."""
    models, rows = Models([power_law("crab")]), []
    for kind, dataset in (("known background, Cash", spectrum()), ("On/Off, W", on_off())):
        for expected in COUNTS:
            truth = Truth(Datasets([scaled(dataset, expected)]), models)
            found: dict[str, list[float | None]] = {name: [] for name in METHODS}
            for number in range(n):
                drawn, _ = truth.draw(1, number)
                for name, options in METHODS.items():
                    estimator = FluxPointsEstimator(
                        source="crab", energy_edges=(0.5, 20.0), norm_scan=(1.0,), **options
                    )
                    [point] = estimator.run(drawn, models).points
                    found[name].append(None if point.estimate is None else point.estimate.norm_ul)
            for name, norms in found.items():
                there = np.array([norm for norm in norms if norm is not None])
                share = Share.of(there >= 1.0, LEVEL)
                assert share.value is not None
                assert share.error is not None
                row = {
                    "data": kind, "source counts": expected, "method": name, "n": n, "without limit": n - there.size,
                    "coverage": share.value, "error": share.error, "median limit": float(np.median(there)),
                }  # fmt: skip
                rows.append(row)
                print(row, flush=True)
    shown = [
        [
            row["data"], f"{row['source counts']:g}", row["method"], f"{100 * row['coverage']:.1f}",
            f"{100 * row['error']:.1f}", f"{row['median limit'] * row['source counts']:.1f}", str(row["without limit"]),
        ]
        for row in rows
    ]  # fmt: skip
    head = ["data", "source counts", "method", "coverage %", "error %", "median limit (counts)", "without limit"]
    text = f"{n} toys each; upper limits at {100 * LEVEL:.0f} %, one-sided.\n\n{table(head, shown)}"
    write_results("coverage_limits", {"n": n, "level": LEVEL, "rows": rows}, text)


def pulls(n: int) -> None:
    """``gm toys`` on the example of the README, as a user runs it."""
    with tempfile.TemporaryDirectory() as folder:
        gm = [sys.executable, "-m", "gm"]
        subprocess.run([*gm, "init", f"{folder}/crab"], check=True)
        config = f"{folder}/crab/config.yaml"
        subprocess.run([*gm, "toys", config, "--n", str(n), "-s", "fit.contours=[]"], check=True)
        shown = subprocess.run(
            [*gm, "show", f"{folder}/crab/results/toys/toys.yaml"], check=True, capture_output=True, text=True
        ).stdout
        document = dict(read_document(Path(folder) / "crab/results/toys/toys.yaml").data)
    document.pop("inputs")
    write_results("coverage_pulls", document, f"`gm toys crab/config.yaml --n {n}`:\n\n```\n{shown.rstrip()}\n```")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["limits", "pulls"])
    parser.add_argument("--n", type=int, default=4000)
    arguments = parser.parse_args()
    {"limits": limits, "pulls": pulls}[arguments.what](arguments.n)


if __name__ == "__main__":
    main()
