#!/usr/bin/env python
"""gm against the reference numbers of every map case: predicted counts, statistics, best parameters, errors.

    python benchmarks/compare_maps.py [CASE ...]

Needs the reference data, not Gammapy. Errors are compared with the numerical Hessians stored beside the data, where
there are any. A best statistic below the reference's is the better minimum.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from alternate import table, write_results
from cases import Case

from gm.datasets import Datasets
from gm.fit import Fit, FitResult
from gm.likelihood import JointLikelihood
from gm.models import Models

#: name -> start models and expected numbers, both in the reference folder, and the key of its numerical errors
CASES = {
    "Fermi 3FHL Crab": (Case("fermi-3fhl-crab", "models_start.yaml"), "expected.json", "start"),
    "Fermi 3FHL Crab, free position": (
        Case("fermi-3fhl-crab", "models_start_pos.yaml"),
        "expected_free_position.json",
        "free_position",
    ),
    "Fermi 3FHL Galactic centre": (Case("fermi-3fhl-gc", "models_start.yaml"), "expected.json", "start"),
    "CTA-1DC, 3 pointings": (Case("cta1dc-gc-joint", "models_start.yaml"), "expected.json", "start"),
    "CTA-1DC, 3 pointings, diffuse": (
        Case("cta1dc-gc-joint", "models_start_diffuse.yaml"),
        "expected_diffuse.json",
        "",
    ),
    "CTA-1DC, stacked": (Case("cta1dc-gc-stacked", "models_start.yaml"), "expected.json", "start"),
    "H.E.S.S. MSH 15-52, 19 runs": (Case("hess-msh1552-runs", "models.yaml"), "expected.json", "start"),
    "H.E.S.S. MSH 15-52, stacked": (Case("hess-msh1552-stacked", "models_start.yaml"), "expected.json", "start"),
    "HAWC Crab, 5 datasets": (Case("hawc-crab", "models_start.yaml"), "expected.json", "start"),
}
HEADER = [
    "case", "largest relative difference of counts", "statistic at start: reference", "gm - reference",
    "best statistic: reference", "gm - reference", "largest shift in sigma", "errors, gm / numerical", "status",
]  # fmt: skip


def compare(name: str) -> dict[str, Any]:
    """One line of the table."""
    case, file, key = CASES[name]
    folder = case.models_file.parent
    expected = json.loads((folder / file).read_text())
    datasets, models = Datasets.read(case.datasets_file), Models.read(case.models_file)
    likelihood = JointLikelihood(datasets, models)
    summaries = likelihood.summarize(likelihood.layout.start)
    result = Fit(datasets).run(models)
    numerical = folder / "errors_numeric.json"
    errors = json.loads(numerical.read_text()).get(key, {}) if numerical.exists() else {}
    reference = expected["fit"]
    free = {p.name: p for p in result.parameters if not p.frozen}
    shifts = [abs(p.value - reference["parameters"][n]["value"]) / p.error for n, p in free.items() if p.error]
    ratios = [free[n].error / error for n, error in errors.items() if free[n].error]
    return {
        "case": name,
        "counts_difference": counts_difference(summaries, expected["datasets_start"]),
        "start": expected["statistic_start"],
        "start_difference": result.statistic_start - expected["statistic_start"],
        "best": reference["statistic"],
        "best_difference": result.statistic - reference["statistic"],
        "shift_sigma": max(shifts),
        "error_ratio": [min(ratios), max(ratios)] if ratios else None,
        "status": verdict(result, reference["success"]),
    }


def counts_difference(summaries: list[Any], expected: dict[str, Any]) -> float:
    """Largest relative difference of predicted counts, over datasets and their components."""
    differences = []
    for summary in summaries:
        there = expected[summary.name]
        differences.append(abs(summary.predicted / there["predicted"] - 1))
        differences += [abs(summary.components[n] / counts - 1) for n, counts in there["components"].items() if counts]
    return max(differences)


def verdict(result: FitResult, reference_succeeded: bool) -> str:
    return result.status.replace("_", " ") + ("" if reference_succeeded else " (the reference's fit failed)")


def cells(row: dict[str, Any]) -> list[str]:
    """One line as text."""
    start = [f"{row['start']:.6f}", f"{row['start_difference']:+.1e}"]
    best = [f"{row['best']:.6f}", f"{row['best_difference']:+.1e}", f"{row['shift_sigma']:.4f}"]
    ratio = "" if row["error_ratio"] is None else "{:.3f} ... {:.3f}".format(*row["error_ratio"])
    return [row["case"], f"{row['counts_difference']:.0e}", *start, *best, ratio, row["status"]]


def main() -> None:
    """Fit every case, or those named, and write ``results/maps_references.*``."""
    rows = [compare(name) for name in [case for case in CASES if case in sys.argv[1:]] or CASES]
    text = "# gm on the map reference cases\n\nDifferences in -2 ln L; negative is better.\n\n"
    text += table(HEADER, [cells(row) for row in rows])
    write_results("maps_references", {"cases": rows}, text)


if __name__ == "__main__":
    main()
