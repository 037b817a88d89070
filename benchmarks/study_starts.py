#!/usr/bin/env python
"""Fits of a map from poor starts: how many end in the lowest minimum that any start finds, and what they say.

    python benchmarks/study_starts.py run after            # keeps build/study_starts.json; `--sky disk`: a part,
                                                           # `--seed 8`: other starts
    PYTHONPATH=CHECKOUT python benchmarks/study_starts.py run before       # the same starts, another version of gm
    python benchmarks/study_starts.py table                # writes results/study_starts.md

Of five shapes one sky each is simulated, with limits on all parameters and with none; 60 starts are drawn from a seed:
up to several widths off, sizes from a thirtieth of a degree to half of one, fluxes wrong by up to a factor of a
hundred, any index.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from cases import RESULTS, ROOT

sys.path.append(str(Path(__file__).resolve().parent.parent))  # after PYTHONPATH, which may name another version

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import (
    DiskSpatialModel,
    GaussianSpatialModel,
    Models,
    Parameter,
    PointSpatialModel,
    ShellSpatialModel,
    SpatialModel,
)
from tests.map_samples import LAT, LON, background, cube, source

N_STARTS = 60
LIMIT = 60  # seconds of the processor for a fit
REACHED = 2.0  # of -2 ln L above the lowest known
LINES = ROOT / "build" / "study_starts.json"
LIMITS = {
    "lon_0": (LON - 1.5, LON + 1.5),
    "lat_0": (LAT - 1.5, LAT + 1.5),
    "sigma": (0.01, 1.0),
    "r_0": (0.01, 1.0),
    "radius": (0.01, 1.0),
    "width": (0.01, 1.0),
    "e": (0.0, 0.95),
    "index": (0.0, 6.0),
    "amplitude": (0.0, 1e-8),
    "norm": (0.1, 10.0),
}


def shapes() -> dict[str, SpatialModel]:
    """The truth of each sky."""
    at = {"lon_0": f"{LON + 0.054} deg", "lat_0": f"{LAT - 0.05} deg"}
    round_ = {name: Parameter(name, 0.0, unit, frozen=True) for name, unit in (("e", ""), ("phi", "deg"))}
    return {
        "point": PointSpatialModel(**at),
        "gauss": GaussianSpatialModel(**at, sigma="0.25 deg", **round_),
        "elliptical gauss": GaussianSpatialModel(
            **at, sigma="0.4 deg", e=Parameter("e", 0.8), phi=Parameter("phi", 30.0, "deg")
        ),
        "disk": DiskSpatialModel(**at, r_0="0.35 deg"),
        "shell": ShellSpatialModel(**at, radius="0.35 deg", width="0.12 deg"),
    }


def sky(shape: SpatialModel) -> Models:
    return Models(
        [
            source(shape=shape, amplitude="2e-11 TeV-1 s-1 cm-2"),
            background(norm=1.0, tilt=Parameter("tilt", 0.0, frozen=True)),
        ]
    )


def simulated(truth: Models) -> Datasets:
    dataset = cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    return Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])


def far(truth: Models, random: np.random.Generator, *, limited: bool) -> Models:
    """A start far from the truth."""
    drawn = {
        "lon_0": LON + random.normal(0.0, 0.5),
        "lat_0": LAT + random.normal(0.0, 0.5),
        "sigma": np.exp(random.uniform(np.log(0.03), np.log(0.5))),
        "r_0": np.exp(random.uniform(np.log(0.03), np.log(0.5))),
        "radius": np.exp(random.uniform(np.log(0.03), np.log(0.5))),
        "width": np.exp(random.uniform(np.log(0.02), np.log(0.3))),
        "e": random.uniform(0.1, 0.9),
        "phi": random.uniform(0.0, 180.0),
        "index": random.uniform(1.2, 3.5),
        "amplitude": 2e-11 * 10.0 ** random.uniform(-2.0, 2.0),
        "norm": random.uniform(0.3, 2.0),
    }

    def moved(parameter: Parameter) -> Parameter:
        if parameter.frozen or parameter.name not in drawn:
            return parameter
        if not limited or parameter.name not in LIMITS:
            return replace(parameter, value=float(drawn[parameter.name]))
        low, high = LIMITS[parameter.name]
        return replace(parameter, value=float(np.clip(drawn[parameter.name], low, high)), min=low, max=high)

    return Models([component.with_parameters(list(map(moved, component.parameters))) for component in truth])


def stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def attempt(datasets: Datasets, start: Models) -> dict[str, Any]:
    """One fit: how it ended."""
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        result = Fit(datasets).run(start)
        row = {"status": result.status, "statistic": result.statistic, "calls": result.minimizer.value_calls}
        return row if result.success else {**row, "message": result.message}
    except TimeoutError:
        return {"status": "no end"}
    except Exception as error:
        return {"status": "error", "message": f"{type(error).__name__}: {error}"[:100]}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def run(label: str, skies: list[str], seed: int) -> None:
    signal.signal(signal.SIGPROF, stop)
    warnings.simplefilter("ignore")
    for name in skies:
        truth = sky(shapes()[name])
        datasets = simulated(truth)
        for limited in (True, False):
            random = np.random.default_rng([seed, list(shapes()).index(name), limited])
            rows = [attempt(datasets, far(truth, random, limited=limited)) for _ in range(N_STARTS)]
            print(label, name, limited, Counter(row["status"] for row in rows), flush=True)
            kept = json.loads(LINES.read_text("utf-8")) if LINES.exists() else {}
            kept.setdefault(label, {})[f"{name}, {'limits' if limited else 'none'}, {seed}"] = rows
            LINES.parent.mkdir(exist_ok=True)
            LINES.write_text(json.dumps(kept, indent=0) + "\n", "utf-8")


def table() -> None:
    kept = json.loads(LINES.read_text("utf-8"))
    columns = [f"{label}: {what}" for label in kept for what in ("lowest", "higher", "not converged", "broken")]
    lines = [
        "# Poor starts",
        "",
        f"{N_STARTS} far starts of each sky (`benchmarks/study_starts.py`). *Lowest*: converged, or at a limit, within",
        f"{REACHED} of the lowest statistic that any start of any version finds; *higher*: the same above that;",
        "*broken*: an error, or no end within a minute of the processor. Responses are taken where a fit starts; what",
        "that does to the statistic is some tenths.",
        "",
        f"| sky, limits, seed | {' | '.join(columns)} |",
        "| --- |" + " --- |" * len(columns),
    ]
    for name in (name for name in next(iter(kept.values())) if all(name in skies for skies in kept.values())):
        ended = {
            label: [row for row in skies.get(name, []) if row["status"] in ("converged", "at_limit")]
            for label, skies in kept.items()
        }
        best, cells = min(row["statistic"] for rows in ended.values() for row in rows), []
        for label, skies in kept.items():
            lowest = sum(row["statistic"] <= best + REACHED for row in ended[label])
            broken = sum(row["status"] in ("error", "no end") for row in skies.get(name, []))
            others = len(skies.get(name, [])) - len(ended[label]) - broken
            cells += [lowest, len(ended[label]) - lowest, others, broken]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    (RESULTS / "study_starts.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("label", help="of this version of gm in the table")
    running.add_argument("--sky", choices=list(shapes()), action="append")
    running.add_argument("--seed", type=int, default=7, help="of the starts")
    commands.add_parser("table")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments.label, arguments.sky or list(shapes()), arguments.seed)
    else:
        table()
