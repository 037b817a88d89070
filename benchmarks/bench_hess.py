#!/usr/bin/env python
"""H.E.S.S.: a value with gradient and a fit of four spectra, a nebula on a stacked map, and sharp shapes in 19 runs.

GM_PEER_PYTHON=... python benchmarks/bench_hess.py [--rounds 3]

Steps of microseconds are the lowest of several rounds, since whatever else runs on the machine only adds to them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

from alternate import Side, both, comparison, machine, table, write_results
from cases import CASES, MAP_CASES

from gm import models as shapes
from gm.datasets import Datasets
from gm.fit import Fit
from gm.models import Models, SkyModel, SpatialModel

N_EVALUATIONS = 2000
LIMIT = 500  # MiB
PLACE = {"lon_0": "228.547 deg", "lat_0": "-59.174 deg"}
SHARP: dict[str, SpatialModel] = {
    "disk": shapes.DiskSpatialModel(**PLACE, r_0="0.15 deg"),
    "shell": shapes.ShellSpatialModel(**PLACE, radius="0.1 deg", width="0.05 deg"),
    "generalised Gaussian": shapes.GeneralizedGaussianSpatialModel(**PLACE, r_0="0.1 deg", eta="0.5"),
}


def least(side: Side, task: str, step: str, rounds: int, **arguments: Any) -> float:
    """The fewest seconds of a step."""
    return float(min(side.ask(task, **arguments)["seconds"][step] for _ in range(rounds)))


def spectra(gm: Side, gammapy: Side, rounds: int) -> list[dict[str, Any]]:
    """Timings of the four spectra, for a power law and a log parabola."""
    timings = []
    for name in ("hess-crab-1d-pl", "hess-crab-1d-lp"):
        case = CASES[name]
        for side in (gm, gammapy):
            side.ask("keep", datasets_file=str(case.datasets_file), models_file=str(case.models_file), ranges={})
        theirs = least(gammapy, "statistic", "statistic", rounds, n=N_EVALUATIONS // 20)
        for step in ("statistic", "gradient"):
            ours = least(gm, "statistic", step, 5 * rounds, n=N_EVALUATIONS)
            label = "statistic" if step == "statistic" else "statistic with gradient, and without in Gammapy"
            timings.append({"step": f"{label}, {name}", "gm": ours, "gammapy": theirs})
        ours, theirs = least(gm, "fit", "fit", 20 * rounds), least(gammapy, "fit", "fit", rounds)
        timings.append({"step": f"fit with covariance, {name}", "gm": ours, "gammapy": theirs})
    return timings


def stacked(gm: Side, gammapy: Side, rounds: int) -> dict[str, Any]:
    """A Gaussian of free position and size on the stacked map of MSH 15-52."""
    case, _ = MAP_CASES["MSH 15-52, stacked"]
    for side in (gm, gammapy):
        side.ask("keep", datasets_file=str(case.datasets_file), models_file=str(case.models_file), ranges={})
    ours, theirs = least(gm, "fit", "fit", 5 * rounds), least(gammapy, "fit", "fit_hesse", rounds)
    return {"step": "fit with covariance, MSH 15-52 stacked", "gm": ours, "gammapy": theirs, "target": 60}


def sharp(name: str) -> dict[str, Any]:
    """One fit of 19 runs with a shape of free position and size, in this process."""
    case, _ = MAP_CASES["MSH 15-52, 19 runs"]
    datasets, start = Datasets.read(case.datasets_file), Models.read(case.models_file)
    nebula = start["msh1552"]
    shape = nebula.spatial_model if name == "Gaussian" else SHARP[name]
    sky = SkyModel(name="msh1552", spectral_model=nebula.spectral_model, spatial_model=shape)
    begin = time.perf_counter()
    result = Fit(datasets).run(Models([sky, *(component for component in start if component.name != sky.name)]))
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"shape": name, "status": result.status, "seconds": seconds, "peak_MiB": peak}


def main() -> None:
    """Time both, fit each shape in a process of its own, and write ``results/hess.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.shape:
        print(json.dumps(sharp(args.shape)))
        return
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        timings = [*spectra(gm, gammapy, args.rounds), stacked(gm, gammapy, args.rounds)]
    command = [sys.executable, __file__, "--shape"]
    rows = [
        json.loads(subprocess.run([*command, name], check=True, capture_output=True, text=True).stdout)
        for name in ("Gaussian", *SHARP)
    ]
    timings = [{"target": "", **timing} for timing in timings]
    versions["load"] = round(os.getloadavg()[0], 1)
    text = f"# H.E.S.S.: spectra, a stacked map, 19 runs\n\n{__doc__.splitlines()[-1]} "
    text += f"The load was {versions['load']:g} on {versions['cores']} cores.\n\n{comparison(timings)}"
    cells = [[row["shape"], row["status"], f"{row['peak_MiB']:.0f}", f"{row['seconds']:.2g} s"] for row in rows]
    text += f"\nMSH 15-52 in 19 runs; no more than {LIMIT} MiB is wanted, of which the data take 280.\n\n"
    text += table(["shape", "status", "peak memory in MiB", "fit"], cells)
    write_results("hess", {"machine": versions, "timings": timings, "shapes": rows}, text)
    if any(row["peak_MiB"] > LIMIT for row in rows):
        raise SystemExit(f"a fit took more than {LIMIT} MiB")


if __name__ == "__main__":
    main()
