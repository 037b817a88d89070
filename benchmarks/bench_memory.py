#!/usr/bin/env python
"""Peak memory and time of ``gm fit`` on many unstacked runs of a Cherenkov array, against what ``gm plan`` predicts.

    python benchmarks/bench_memory.py [--runs 100] [--folder DIR]
    python benchmarks/bench_memory.py --extended     # instead, fits of an extended source on 19 runs of H.E.S.S.

Each run has 200 x 200 pixels and 20 energies, a background norm of its own, and the responses of its pointing; a nebula
of free position and extension is in all of them. 100 runs need 2 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from alternate import table, write_results
from cases import ROOT

from gm.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    Parameter,
    PowerLawSpectralModel,
    SkyModel,
)

LIMIT = 4.0  # GB
LIMIT_EXTENDED = 500  # MiB
EXTENDED = (36, 138, 22, 12)  # starts of study_extended.py that took most
POINTINGS = ((83.63, 22.51), (83.63, 21.51), (84.17, 22.01), (83.09, 22.01))

NEBULA = SkyModel(
    name="nebula",
    spectral_model=PowerLawSpectralModel(index=2.3, amplitude="6e-12 cm-2 s-1 TeV-1", reference="1 TeV"),
    spatial_model=GaussianSpatialModel(
        lon_0="83.63 deg", lat_0="22.01 deg", sigma=Parameter("sigma", 0.1, "deg", min=0.02, max=0.5)
    ),
)
CONFIG = """\
version: 1
datasets: runs/datasets.yaml
models: models.yaml
parameters:
  nebula.index: {value: 2.0}
  nebula.amplitude: {value: 1.0e-11}
  nebula.sigma: {value: 0.15}
  nebula.lon_0: {value: 83.7}
fit: {}
"""


def main() -> None:
    """Simulate, plan and fit, each as a process of its own; write ``results/memory.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where to keep the runs; simulated only when they are not there")
    parser.add_argument("--extended", action="store_true", help="two fits of study_extended.py instead")
    args = parser.parse_args()
    if args.extended:
        extended()
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_configs(folder, args.runs)
        simulated = gm("simulate", folder / "simulation.yaml")
        planned = gm("plan", folder / "config.yaml")
        fitted = gm("fit", folder / "config.yaml", "--force")
    plan, fit = planned["document"], fitted["document"]
    bins = sum(row["bins"] for row in plan["datasets"])
    document = {
        "runs": args.runs,
        "bins": bins,
        "counts": sum(row["counts"] for row in plan["datasets"]),
        "free_parameters": fit["statistic"]["free_parameters"],
        "status": fit["status"],
        "predicted_memory": plan["memory"],
        "limit": LIMIT * 1e9,
        **{
            name: {key: step[key] for key in ("memory", "seconds")}
            for name, step in (("simulate", simulated), ("plan", planned), ("fit", fitted))
        },
    }
    rows = [
        [f"`gm {name}`", f"{step['memory'] / 1e9:.2f} GB", f"{step['seconds']:.1f} s"]
        for name, step in (("simulate", simulated), ("plan", planned), ("fit", fitted))
    ]
    text = (
        f"# {args.runs} runs of 200 x 200 pixels and 20 energies, unstacked\n\n"
        f"{bins} bins with {document['counts']:.0f} counts, {document['free_parameters']} free parameters; the fit: "
        f"{fit['status'].replace('_', ' ')}. `gm plan` predicts {plan['memory'] / 1e9:.2f} GB for it; no more than "
        f"{LIMIT:g} GB is wanted.\n\n"
    )
    write_results("memory", document, text + table(["command", "peak memory", "time"], rows))
    if fitted["memory"] > LIMIT * 1e9:
        raise SystemExit(f"the fit took {fitted['memory'] / 1e9:.2f} GB")


def extended() -> None:
    """The two fits, each in a process of its own; write ``results/memory_extended.*``."""
    from study_extended import in_a_process

    lines = [in_a_process(number) for number in EXTENDED]
    header = ["start", "conventions", "shape", "status", "-2 ln L", "peak memory [MiB]", "CPU [s]"]
    keys = "number", "conventions", "shape", "status", "statistic", "memory", "seconds"
    text = (
        "# Fits of an extended source on the 19 runs of MSH 15-52\n\n"
        f"As `study_extended.py` starts them. No more than {LIMIT_EXTENDED} MiB is wanted.\n\n"
    )
    rows = [[str(line.get(key, "")) for key in keys] for line in lines]
    write_results("memory_extended", {"limit": LIMIT_EXTENDED, "fits": lines}, text + table(header, rows))


def write_configs(folder: Path, n_runs: int) -> None:
    """The simulation, the models and the fit of its runs."""
    copies = [n_runs // len(POINTINGS) + (k < n_runs % len(POINTINGS)) for k in range(len(POINTINGS))]
    recipes, names = [], []
    for k, ((lon, lat), n) in enumerate(zip(POINTINGS, copies, strict=True)):
        sky = f"{{center: [{lon}, {lat}], frame: icrs, width: 4 deg, binsz: 0.02 deg, projection: TAN}}"
        energy = "{min: 0.5 TeV, max: 50 TeV, n_bins: 20}"
        recipes.append(
            f"    - {{name: p{k}, copies: {n}, response: iact, livetime: 28 min, geometry: {sky}, energy: {energy}}}"
        )
        names += [f"p{k}-{i:0{len(str(n))}d}" for i in range(1, n + 1)] if n > 1 else [f"p{k}"] * n
    Models([NEBULA, *(FoVBackgroundModel(dataset_name=name) for name in names)]).write(
        folder / "models.yaml", overwrite=True
    )
    simulation = [
        "version: 1",
        "output: runs",
        "models: models.yaml",
        "simulate:",
        "  seed: 20",
        "  datasets:",
        *recipes,
    ]
    (folder / "simulation.yaml").write_text("\n".join([*simulation, ""]))
    (folder / "config.yaml").write_text(CONFIG)


def gm(command: str, config: Path, *options: str) -> dict[str, Any]:
    """Run a command: its document, its seconds, and the peak of its resident memory [bytes]."""
    line = [sys.executable, "-c", PROBE, command, str(config), "--json", "-q", *options]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    start = time.perf_counter()
    done = subprocess.run(line, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - start
    *answer, peak = done.stdout.splitlines()
    return {"document": json.loads("\n".join(answer)), "seconds": seconds, "memory": float(peak) * PEAK_UNIT}


PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
PROBE = """
import resource
from gm.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""

if __name__ == "__main__":
    main()
