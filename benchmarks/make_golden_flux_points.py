#!/usr/bin/env python
"""Write the flux points that Gammapy finds on the 1-D reference data, as numbers for gm's own tests.

    $GM_PEER_PYTHON benchmarks/make_golden_flux_points.py [--output FILE] [--case NAME ...]

Needs an environment with Gammapy (``benchmarks/requirements-peer.txt``), not gm. Gammapy takes only datasets whose
energy axes are aligned, so the instruments of the joint Crab are done one by one.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import warnings
from pathlib import Path
from typing import Any

import astropy.units as u
import gammapy
import numpy as np
from astropy.table import Table
from cases import BEST_JOINT_CRAB, HESS_EDGES, JOINT_EDGES, ROOT, Case
from gammapy.datasets import Datasets
from gammapy.estimators import FluxPointsEstimator
from gammapy.modeling import Fit
from gammapy.modeling.models import Models, PowerLawSpectralModel, SkyModel
from gammapy_side import read

warnings.simplefilter("ignore")

HESS = {"folder": "hess-crab-1d", "models": "models_start.yaml", "edges": HESS_EDGES}
JOINT = {"folder": "joint-crab", "models": "models_start_lp.yaml", "edges": JOINT_EDGES}
#: case -> reference folder, start models, edges in TeV, dataset name prefix, options
CASES: dict[str, dict[str, Any]] = {
    "hess-1d-pl": HESS,
    "hess-1d-pl-reoptimize": HESS | {"extra": True, "reoptimize": True},
    "hess-1d-pl-extra-fixed": HESS | {"extra": True},
    "hess-1d-lp": HESS | {"models": "models_start_lp.yaml", "edges": (1.0, 3.0, 10.0)},
    "joint-crab-hess": JOINT | {"prefix": "hess"},
    "joint-crab-magic": JOINT | {"prefix": "magic"},
    "joint-crab-veritas": JOINT | {"prefix": "veritas"},
    "joint-crab-fermi": JOINT | {"prefix": "fermi"},
    "joint-crab-fact": JOINT | {"prefix": "fact"},
}


def extra_component(names: list[str]) -> SkyModel:
    """A second, softer source that only the last two datasets see, with a free amplitude."""
    spectrum = PowerLawSpectralModel(index=3.0, amplitude="5e-12 cm-2 s-1 TeV-1", reference="1 TeV")
    spectrum.index.frozen = True
    return SkyModel(spectral_model=spectrum, name="extra", datasets_names=names[2:])


def prepare(case: dict[str, Any]) -> tuple[Datasets, Models]:
    """Datasets with fit ranges, and start models."""
    chosen = Case(case["folder"], case["models"])
    datasets = read(str(chosen.datasets_file), chosen.ranges, case.get("prefix", ""))
    models = Models.read(chosen.models_file)
    if case.get("extra"):
        models.append(extra_component(datasets.names))
    datasets.models = models
    return datasets, models


def start(case: dict[str, Any], datasets: Datasets, models: Models) -> None:
    """The joint Crab keeps the best fit of all instruments together; the H.E.S.S. cases are fitted first."""
    if case["folder"] == "joint-crab":
        for name, value in BEST_JOINT_CRAB.items():
            models["crab"].parameters[name].value = value
    else:
        Fit().run(datasets)


def rounded(value: Any) -> Any:
    """Plain lists with ``null`` for numbers that do not exist, 10 significant digits."""
    array = np.asarray(value)
    if array.ndim:
        return [rounded(item) for item in array]
    if array.dtype.kind in "bi":
        return array.item()
    number = float(array)
    return float(f"{number:.10g}") if np.isfinite(number) else None


#: column -> the unit that gm writes
UNITS = {
    "e_ref": "TeV", "e_min": "TeV", "e_max": "TeV",
    "dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "erg cm-2 s-1", "e2dnde": "erg cm-2 s-1",
}  # fmt: skip


def converted(table: Table, name: str, row: int) -> Any:
    """One cell in the unit that gm writes."""
    unit = UNITS.get(name.removeprefix("ref_"))
    return table[name].quantity[row].to_value(unit) if unit else table[name][row]


def flux_points(case: dict[str, Any]) -> dict[str, Any]:
    """One case: the models as used, the energy edges asked for, the rows, the seconds that Gammapy took."""
    datasets, models = prepare(case)
    start(case, datasets, models)
    reoptimize = case.get("reoptimize", False)
    # scipy's confidence, the default, loses the other parameters when it refits them: MINOS there
    fit = Fit(confidence_opts={"backend": "minuit" if reoptimize else "scipy"})
    skipped = {"datasets", "is_ul", "sqrt_ts"} | ({"norm_sensitivity"} if reoptimize else set())
    estimator = FluxPointsEstimator(
        fit=fit,
        energy_edges=np.array(case["edges"]) * u.TeV,
        source="crab",
        selection_optional="all",
        reoptimize=reoptimize,
    )
    begin = time.perf_counter()
    points = estimator.run(datasets)
    seconds = time.perf_counter() - begin
    tables = {kind: points.to_table(sed_type=kind) for kind in ("likelihood", "dnde", "flux", "eflux", "e2dnde")}
    rows = []
    for i in range(len(tables["likelihood"])):
        table = tables["likelihood"]
        names = [name for name in table.colnames if name not in skipped]
        row = {name: rounded(converted(table, name, i)) for name in names}
        row |= {kind: rounded(converted(tables[kind], kind, i)) for kind in UNITS if kind in tables}
        rows.append(row)
    return {
        "folder": case["folder"],
        "dataset_names": list(datasets.names),
        "dataset_energy_ranges": Case(case["folder"], case["models"]).ranges,
        "edges": rounded(case["edges"]),
        "reoptimize": reoptimize,
        "models": models.to_dict()["components"],
        "statistic": float(datasets.stat_sum()),
        "rows": rows,
        "seconds": round(seconds, 2),
    }


def as_text(document: dict[str, Any]) -> str:
    """JSON with each list of numbers on one line."""
    text = json.dumps(document, indent=1)
    return re.sub(r"\[[^][{}\"]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def main() -> None:
    """Run every case, or those named, and write one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "tests/estimators/golden_flux_points.json")
    parser.add_argument("--case", nargs="*", choices=list(CASES), default=list(CASES))
    args = parser.parse_args()
    out: dict[str, Any] = {"source": f"Gammapy {gammapy.__version__}", "cases": {}}
    if args.output.exists():
        out["cases"] = json.loads(args.output.read_text())["cases"]
    for name in args.case:
        out["cases"][name] = flux_points(CASES[name])
        print(name, out["cases"][name]["seconds"], "s", flush=True)
        args.output.write_text(as_text(out))


if __name__ == "__main__":
    main()
