#!/usr/bin/env python
"""gm against the reference numbers of every 1-D case: statistics, best parameters, errors.

    python benchmarks/compare_references.py

Needs the reference data, not Gammapy: its numbers are those that were stored with the data, or, for the minima and
errors of the counts cases, those of ``tests/fit/golden_joint_crab.json`` (numerical Hessian on Gammapy's statistic).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from alternate import table, write_results
from cases import CASES, DATA, ROOT
from gm_side import read

from gm.datasets import Datasets
from gm.fit import Fit, FitResult
from gm.models import Models

HEADER = [
    "case", "statistic at start: reference", "gm - reference", "best statistic: reference", "gm - reference",
    "largest shift in sigma", "errors, gm / reference", "status",
]  # fmt: skip


def row(name: str, result: FitResult, start: float | None, reference: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; ``reference`` has statistic, and value and error per parameter name."""
    free = {p.name.split(".")[-1]: p for p in result.parameters if not p.frozen}
    shifts, ratios = [], []
    for parameter, (value, error) in reference["parameters"].items():
        shifts.append(abs(free[parameter].value - value) / error)
        ratios.append((free[parameter].error or np.nan) / error)
    return {
        "case": name,
        "start": start,
        "start_difference": None if start is None else result.statistic_start - start,
        "best": reference["statistic"],
        "best_difference": result.statistic - reference["statistic"],
        "shift_sigma": max(shifts),
        "error_ratio": [min(ratios), max(ratios)],
        "status": result.status,
    }


def counts_case(name: str, golden: dict[str, Any]) -> dict[str, Any]:
    """A case of counts spectra, from its start models."""
    case = CASES[name]
    datasets = read(str(case.datasets_file), case.ranges)
    result = Fit(datasets).run(Models.read(case.models_file))
    values = zip(golden["values"], golden["errors"], strict=True)
    reference = {"statistic": golden["statistic"], "parameters": dict(zip(golden["parameters"], values, strict=True))}
    return row(name, result, golden["statistic_start"], reference)


def flux_points_case(name: str, expected: dict[str, Any]) -> dict[str, Any]:
    """One instrument's flux points: ``hess_lp_chi2`` is data, model and statistic."""
    data, model, statistic = name.split("_")
    folder = DATA / "reference/flux-points"
    (dataset,) = Datasets.read(folder / "datasets.yaml").select(data)
    models = start_models(model)
    # the stored masks are those of chi2, without upper limits; the reference was made without them
    result = Fit(Datasets([dataset.with_(stat_type=statistic, mask_safe=None, mask_fit=None)])).run(models)
    free = {n: (p["value"], p["error"]) for n, p in expected["parameters"].items() if not p["frozen"]}
    return row(f"flux points {name}", result, None, {"statistic": expected["statistic"], "parameters": free})


def joint_flux_points(expected: dict[str, Any]) -> dict[str, Any]:
    """All flux points together; the reference stores no errors, so gm's own stand in for the shift."""
    folder = DATA / "reference/flux-points"
    result = Fit(Datasets.read(folder / "datasets.yaml")).run(Models.read(folder / "models_start.yaml"))
    errors = {p.name: p.error for p in result.parameters}
    free = {
        n.split(".")[-1]: (p["value"], errors[n]) for n, p in expected["fit"]["parameters"].items() if not p["frozen"]
    }
    reference = {"statistic": expected["fit"]["statistic"], "parameters": free}
    return row("flux points, three instruments", result, expected["statistic_start"], reference)


def start_models(kind: str) -> Models:
    """Power law or log parabola near the Crab."""
    from gm import LogParabolaSpectralModel, PowerLawSpectralModel, SkyModel

    spectrum = (
        PowerLawSpectralModel(index=2.5, amplitude="3e-11 cm-2 s-1 TeV-1", reference="1 TeV")
        if kind == "pl"
        else LogParabolaSpectralModel(amplitude="3e-11 cm-2 s-1 TeV-1", alpha=2.3, beta=0.1, reference="1 TeV")
    )
    return Models([SkyModel(spectral_model=spectrum, name="crab")])


def cells(row: dict[str, Any]) -> list[str]:
    """One line as text."""
    start = ["", ""] if row["start"] is None else [f"{row['start']:.6f}", f"{row['start_difference']:+.1e}"]
    best = [f"{row['best']:.6f}", f"{row['best_difference']:+.1e}", f"{row['shift_sigma']:.4f}"]
    return [row["case"], *start, *best, "{:.4f} ... {:.4f}".format(*row["error_ratio"]), row["status"]]


def main() -> None:
    """Fit every case, write ``results/references.*``."""
    golden = json.loads((ROOT / "tests/fit/golden_joint_crab.json").read_text())["cases"]
    rows = [counts_case(name, golden[name]) for name in CASES if name in golden]
    folder = DATA / "reference/flux-points"
    rows.append(joint_flux_points(json.loads((folder / "expected.json").read_text())))
    single = json.loads((folder / "expected_single.json").read_text())
    rows += [flux_points_case(name, expected) for name, expected in single.items()]
    text = "# gm on the 1-D reference cases\n\nDifferences in -2 ln L; negative is better.\n\n"
    text += table(HEADER, [cells(row) for row in rows])
    write_results("references", {"cases": rows}, text)


if __name__ == "__main__":
    main()
