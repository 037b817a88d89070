#!/usr/bin/env python
"""Many runs fitted together: On/Off spectra with one model, and spectra of which each has an own norm and tilt.

    python benchmarks/bench_own_parameters.py [--runs 100 1000 10000] [--rounds 1]

gm simulates the runs. Reading and the fit with its covariance are timed in Python, `gm fit` as a command. With
`--folder DIR` the runs stay there, and are not simulated again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from alternate import table, write_results

GM = [sys.executable, "-c", "from gm.cli import main; main(prog_name='gm')"]
SOURCE = """\
components:
  - name: crab
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - {name: index, value: 2.3}
        - {name: amplitude, value: 3.5e-11, unit: cm-2 s-1 TeV-1}
        - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""
BACKGROUND = """\
  - type: FoVBackgroundModel
    datasets_names: [{name}]
    spectral:
      type: PowerLawNormSpectralModel
      parameters:
        - {{name: tilt, value: 0.0, frozen: false}}
        - {{name: norm, value: 1.0}}
        - {{name: reference, value: 1.0, unit: TeV, frozen: true}}
"""
SIMULATION = """\
version: 1
output: data
models: truth.yaml
simulate:
  seed: 1
  datasets:
    - name: run
      copies: {runs}
      type: {type}
      response: {{instrument: iact, background_scale: {scale}}}
      livetime: 28 min
      energy: {{min: 0.5 TeV, max: 20 TeV, per_decade: 5}}
"""
FIT = "version: 1\nname: fit\noutput: results\ndatasets: data/datasets.yaml\nmodels: models.yaml\nfit: {}\n"
KINDS = {"one model": ("SpectrumDatasetOnOff", 1), "own norms and tilts": ("SpectrumDataset", 100)}


def prepare(folder: Path, kind: str, runs: int) -> None:
    """Simulate the runs, and lay the models and the config of their fit beside."""
    dataset, scale = KINDS[kind]
    (folder / "truth.yaml").write_text(SOURCE)
    (folder / "simulate.yaml").write_text(SIMULATION.format(runs=runs, type=dataset, scale=scale))
    (folder / "config.yaml").write_text(FIT)
    subprocess.run([*GM, "simulate", "-q", "simulate.yaml"], cwd=folder, check=True)
    lines = (folder / "data" / "datasets.yaml").read_text().splitlines()
    names = [line.split("name: ")[1].split(",")[0] for line in lines if "name: " in line]
    assert len(names) == runs
    own = "" if kind == "one model" else "".join(BACKGROUND.format(name=name) for name in names)
    (folder / "models.yaml").write_text(SOURCE + own)


def used() -> float:
    """Seconds of the processor, of this process and of those that it has started."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def measure(folder: Path) -> dict[str, Any]:
    """In this process: the steps of a fit [s of the processor], and the peak of its memory."""
    os.chdir(folder)
    from gm import Datasets, Fit, Models

    start = used()
    datasets = Datasets.read("data/datasets.yaml")
    read = used()
    models = Models.read("models.yaml")
    built = used()
    result = Fit(datasets).run(models)
    done = used()
    return {
        "read": read - start,
        "models": built - read,
        "fit": done - built,
        "status": result.status,
        "free": result.n_free,
        "steps": result.minimizer.steps,
        "statistic": result.statistic,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def command(folder: Path) -> dict[str, float]:
    """`gm fit` as a whole: seconds of the processor, of all its processes, and the peak of its memory."""
    code = (
        "import json, resource, subprocess, sys\n"
        f"subprocess.run({GM!r} + ['fit', '-q', '--force', 'config.yaml'], check=True, stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'cpu': used.ru_utime + used.ru_stime, 'peak': used.ru_maxrss / 1024}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True)
    return {str(key): float(value) for key, value in json.loads(done.stdout).items()}


def of_kind(kind: str, runs: int, rounds: int, folder: Path) -> dict[str, Any]:
    """The lowest of some rounds, each in a process of its own; runs that are there are taken as they are."""
    if not (folder / "config.yaml").exists():
        folder.mkdir(parents=True)
        prepare(folder, kind, runs)
    ask = [sys.executable, __file__, "--measure", str(folder)]
    found = [json.loads(subprocess.run(ask, check=True, capture_output=True).stdout) for _ in range(rounds)]
    commands = [command(folder) for _ in range(rounds)]
    size = sum(file.stat().st_size for file in (folder / "results" / "fit").iterdir()) / 1024**2
    best = {key: min(one[key] for one in found) for key in ("read", "models", "fit", "peak")}
    told = {key: found[0][key] for key in ("status", "free", "steps", "statistic")}
    whole = {f"gm fit, {key}": min(one[key] for one in commands) for key in ("cpu", "peak")}
    return {"kind": kind, "runs": runs, **told, **best, **whole, "results_MiB": size, "load": os.getloadavg()[0]}


def exponents(rows: list[dict[str, Any]], kind: str) -> dict[str, float]:
    """How times grow with the number of runs, between the two largest of these."""
    few, many = [row for row in rows if row["kind"] == kind][-2:]
    ratio = np.log(many["runs"] / few["runs"])
    return {key: float(np.log(many[key] / few[key]) / ratio) for key in ("read", "fit", "gm fit, cpu")}


def write(rows: list[dict[str, Any]]) -> None:
    """``results/own_parameters.*``."""
    columns = ["runs", "", "free", "read", "fit", "fit / read", "`gm fit`", "its memory", "results", "load"]
    lines = [
        [
            f"{row['runs']:,}",
            row["kind"],
            f"{row['free']:,}",
            f"{row['read']:.2f} s",
            f"{row['fit']:.2f} s",
            f"{row['fit'] / row['read']:.2f}",
            f"{row['gm fit, cpu']:.1f} s",
            f"{row['gm fit, peak']:.0f} MiB",
            f"{row['results_MiB']:.1f} MiB",
            f"{row['load']:.0f}",
        ]
        for row in rows
    ]
    text = (
        "# Many runs, one fit\n\nSeconds of the processor; the fit has its covariance. Load: programs in want of the "
    )
    text += f"{os.cpu_count()} processors, which touches these seconds by what caches hold.\n\n" + table(columns, lines)
    kinds = [kind for kind in KINDS if len({row["runs"] for row in rows if row["kind"] == kind}) > 1]
    growth = {kind: exponents(rows, kind) for kind in kinds}
    for kind, found in growth.items():
        powers = ", ".join(f"{key} {value:.2f}" for key, value in found.items())
        text += f"\n{kind}: times grow with the number of runs to the power of: {powers}.\n"
    write_results("own_parameters", {"cores": os.cpu_count(), "rows": rows, "exponents": growth}, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the simulated runs stay")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for kind in KINDS:
            for runs in args.runs:
                folder = (args.folder or Path(temporary)) / f"{kind.replace(' ', '-')}-{runs}"
                rows.append(of_kind(kind, runs, args.rounds, folder))
                print(rows[-1], file=sys.stderr, flush=True)
    write(rows)


if __name__ == "__main__":
    main()
