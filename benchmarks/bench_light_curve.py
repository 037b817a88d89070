#!/usr/bin/env python
"""Light curves with errors, asymmetric errors, limits and profiles: the Crab nebula, and a flare that is simulated.

    GM_PEER_PYTHON=... python benchmarks/bench_light_curve.py [--runs 24]

The flare: runs of 28 minutes with the responses and off counts of the four H.E.S.S. runs of the references, on a source
with an index of 3.4 whose flux goes up and down by a factor of five. Seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from alternate import Side, both, comparison, machine, table, write_results
from cases import CASES

from gm.datasets import Datasets
from gm.io.tables import Column, Table
from gm.likelihood import JointLikelihood
from gm.models import Models, PowerLawSpectralModel, SkyModel

EDGES = [0.7, 2.0, 20.0]
TARGET = 100


def write_flare(folder: Path, n_runs: int) -> tuple[Path, Path]:
    """Datasets with good times, two nights of ``n_runs`` in all, and the models; returns their documents."""
    random, runs = np.random.default_rng(2155), Datasets.read(CASES["hess-crab-1d-pl"].datasets_file)
    spectrum = PowerLawSpectralModel(index=3.4, amplitude="3e-11 cm-2 s-1 TeV-1", reference="1 TeV")
    models = Models([SkyModel(name="pks", spectral_model=spectrum)])
    likelihood = JointLikelihood(runs, models)
    predicted = likelihood.predicted(likelihood.layout.start)
    drawn = []
    for k in range(n_runs):
        run, signal = runs[k % len(runs)], predicted[k % len(runs)]
        start = 53944.0 + (k // (n_runs // 2)) + 0.02 * (k % (n_runs // 2))
        cards = {"MJDREFI": 51910, "MJDREFF": 0.000742870368412695, "TIMESYS": "tt"}
        seconds = (start - 51910 - cards["MJDREFF"]) * 86400.0
        columns = (Column("START", np.array([seconds]), "s"), Column("STOP", np.array([seconds + 1680.0]), "s"))
        flux = 1.0 + 0.66 * np.sin(2 * np.pi * k / n_runs)
        background = run.counts_off.sum() * run.acceptance / run.acceptance_off / run.counts_off.size
        drawn.append(
            run.with_(
                name=f"run-{k:03d}",
                counts=random.poisson(flux * signal + background).astype(float),
                counts_off=random.poisson(run.counts_off).astype(float),
                gti=Table("GTI", columns, cards),
            )
        )
    Datasets(drawn).write(folder / "datasets.yaml")
    models.write(folder / "models.yaml")
    return folder / "datasets.yaml", folder / "models.yaml"


def compared(gm: Side, gammapy: Side, name: str, source: str, **files: str) -> tuple[dict[str, Any], list[str]]:
    """Timings, and by how much columns differ in errors (times in seconds, TS as a fraction)."""
    for side in (gm, gammapy):
        side.ask("keep", **files, ranges={})
    ours = [gm.ask("light_curve", edges=EDGES, source=source) for _ in range(5)]
    theirs = gammapy.ask("light_curve", edges=EDGES, source=source)
    first, errors = ours[0], np.array(ours[0]["flux_err"])
    fluxes = ("flux", "flux_err", "flux_errn", "flux_errp", "flux_ul")
    apart = [np.nanmax(np.abs(np.subtract(first[key], theirs[key])) / errors) for key in fluxes]
    n_bands = len(EDGES) - 1
    times = np.max(np.abs(np.subtract(first["time_min"][::n_bands], theirs["time_min"]))) * 86400.0
    significance = np.max(np.abs(np.subtract(first["ts"], theirs["ts"])) / np.array(first["ts"]))
    seconds = min(answer["seconds"]["light_curve"] for answer in ours)
    row = {"step": name, "gm": seconds, "gammapy": theirs["seconds"]["light_curve"], "target": TARGET}
    return row, [name, *(f"{value:.1g}" for value in apart), f"{significance:.1g}", f"{times:.1g}"]


def main() -> None:
    """Time both, write ``results/light_curve.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24)
    n_runs = parser.parse_args().runs
    gm, gammapy = both()
    with gm, gammapy, tempfile.TemporaryDirectory() as folder:
        versions = machine((gm, gammapy))
        case = CASES["hess-crab-1d-pl"]
        crab = {"datasets_file": str(case.datasets_file), "models_file": str(case.models_file)}
        datasets, models = write_flare(Path(folder), n_runs)
        flare = {"datasets_file": str(datasets), "models_file": str(models)}
        found = [
            compared(gm, gammapy, "Crab nebula, 4 H.E.S.S. runs, 2 bands", "crab", **crab),
            compared(gm, gammapy, f"flare, {n_runs} H.E.S.S. runs, 2 bands", "pks", **flare),
        ]
    head = ["largest difference", "flux", "error", "lower error", "upper error", "limit", "TS", "time [s]"]
    text = (
        "# Light curves with everything on\n\nSeconds of the processor.\n\n"
        f"{comparison([row for row, _ in found])}\nDifferences of fluxes in their errors, of TS as a fraction:\n\n"
        f"{table(head, [cells for _, cells in found])}"
    )
    rows = [{**row, "differences": cells[1:]} for row, cells in found]
    write_results("light_curve", {"machine": versions, "timings": rows}, text)


if __name__ == "__main__":
    main()
