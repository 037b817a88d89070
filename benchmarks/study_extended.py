#!/usr/bin/env python
"""Fits of one extended source from ordinary starts: do they end, and in the lowest minimum that is known?

    python benchmarks/study_extended.py run --first 0 --count 50     # some of the 1000 fits; as often as needed
    python benchmarks/study_extended.py table                        # what all of them gave

The starts are drawn from a seed and always the same: a shape of any kind with sizes, position and spectrum that
somebody might write, without limits, on the ``cube`` example, on MSH 15-52 stacked, and on its 19 runs. Each fit is a
process of its own, whose time and memory are measured. ``build/study_extended/fits.jsonl`` keeps one line for each;
``table`` compares every fit with the lowest statistic of all starts of the same shape on the same data under the same
conventions.

Needs the reference data for MSH 15-52, not Gammapy.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from alternate import table
from cases import DATA, RESULTS, ROOT

from gm import Datasets, Fit, Models, SkyModel
from gm.models import (
    BackgroundIRFModel,
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Parameter,
    PointSpatialModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SpatialModel,
)

SHARES = {  # fits of each kind of data and conventions; 6 shapes in turn
    ("cube", "gammapy"): 360,
    ("cube", "exact"): 180,
    ("stacked", "gammapy"): 180,
    ("stacked", "exact"): 90,
    ("runs", "gammapy"): 150,
    ("runs", "exact"): 40,
}
SHAPES = ("gauss", "elliptical gauss", "disk", "shell", "shell2", "generalized gauss")
LIMIT = 300  # CPU seconds of a fit
REACHED = 0.1  # of -2 ln L above the lowest known
FOLDER = ROOT / "build" / "study_extended"
LINES = FOLDER / "fits.jsonl"


def plan() -> list[tuple[str, str, str]]:
    """Data, conventions and shape of each fit; kinds alternate, so that any slice holds some of each."""
    whole = sum(SHARES.values())
    at = [
        ((k + 0.5) / n, data, conventions, SHAPES[k % len(SHAPES)])
        for (data, conventions), n in SHARES.items()
        for k in range(n)
    ]
    assert len(at) == whole
    return [(data, conventions, shape) for _, data, conventions, shape in sorted(at)]


def draw_shape(random: np.random.Generator, kind: str) -> SpatialModel:
    """A shape of ordinary size near the nebula, free and without limits."""

    def free(name: str, value: float, unit: str = "") -> Parameter:
        return Parameter(name, float(value), unit)

    lon, lat = free("lon_0", random.normal(228.53, 0.15), "deg"), free("lat_0", random.normal(-59.16, 0.1), "deg")
    size = float(np.exp(random.uniform(np.log(0.05), np.log(0.5))))
    turn = {"e": free("e", random.uniform(0.1, 0.9)), "phi": free("phi", random.uniform(0.0, 90.0), "deg")}
    if kind == "disk":
        return DiskSpatialModel(lon_0=lon, lat_0=lat, r_0=free("r_0", size, "deg"))
    if kind == "shell":
        width = free("width", size * random.uniform(0.05, 0.8), "deg")
        return ShellSpatialModel(lon_0=lon, lat_0=lat, radius=free("radius", size, "deg"), width=width)
    if kind == "shell2":
        r_0, eta = free("r_0", size, "deg"), free("eta", random.uniform(0.05, 0.9))
        return Shell2SpatialModel(lon_0=lon, lat_0=lat, r_0=r_0, eta=eta)
    if kind == "generalized gauss":
        r_0, eta = free("r_0", size, "deg"), free("eta", random.uniform(0.2, 0.9))
        return GeneralizedGaussianSpatialModel(lon_0=lon, lat_0=lat, r_0=r_0, eta=eta)
    more = turn if kind == "elliptical gauss" else {}
    return GaussianSpatialModel(lon_0=lon, lat_0=lat, sigma=free("sigma", size, "deg"), **more)


def start(number: int) -> tuple[str, str, str, Models]:
    """The fit with this number: data, conventions, shape (with a point beside it or not), and where it starts."""
    data, conventions, kind = plan()[number]
    random = np.random.default_rng([1152, number])
    has_point = bool(random.random() < 0.5) and data == "cube"
    components = [
        SkyModel(name="nebula", spatial_model=draw_shape(random, kind), spectral_model=draw_spectrum(random, 5e-12))
    ]
    if has_point:
        place = {"lon_0": f"{random.normal(229.4, 0.05)} deg", "lat_0": f"{random.normal(-59.5, 0.05)} deg"}
        spectrum = draw_spectrum(random, 1e-12)
        components.append(SkyModel(name="point", spatial_model=PointSpatialModel(**place), spectral_model=spectrum))
    names = [dataset.name for dataset in datasets(data)]
    models = Models([*components, *(BackgroundIRFModel(dataset_name=name) for name in names)])
    return data, conventions, kind + " and point" * has_point, models


def draw_spectrum(random: np.random.Generator, amplitude: float) -> PowerLawSpectralModel:
    amplitude *= float(np.exp(random.normal(0.0, 1.0)))
    return PowerLawSpectralModel(index=random.uniform(1.6, 3.3), amplitude=f"{amplitude!r} cm-2 s-1 TeV-1")


@cache
def datasets(data: str) -> Datasets:
    """Counts and responses; the cube is simulated from its example."""
    if data == "cube":
        return _cube()
    return Datasets.read(DATA / "reference" / f"hess-msh1552-{data}" / "datasets.yaml")


def _cube() -> Datasets:
    if not (FOLDER / "results" / "datasets.yaml").is_file():
        for arguments in (["init", str(FOLDER), "--example", "cube"], ["simulate", str(FOLDER / "config.yaml")]):
            subprocess.run([sys.executable, "-m", "gm", *arguments, "-q"], check=True)
    return Datasets.read(FOLDER / "results" / "datasets.yaml")


def fit(number: int) -> dict[str, Any]:
    """One fit, in this process."""
    data, conventions, shape, models = start(number)
    found: dict[str, Any] = {"number": number, "data": data, "conventions": conventions, "shape": shape}
    begin = time.process_time()
    try:
        result = Fit(datasets(data), conventions).run(models)
        found |= {"status": result.status, "message": result.message, "statistic": result.statistic}
        found["statistic_start"] = result.statistic_start
        found["values"] = {p.name: p.value for p in result.parameters if p.name.startswith("nebula") and not p.frozen}
    except Exception as error:
        found |= {"status": "traceback", "message": f"{type(error).__name__}: {error}"}
    found["seconds"] = round(time.process_time() - begin, 2)
    return found


def in_a_process(number: int) -> dict[str, Any]:
    """The same in a process of its own, with its peak memory [MiB]; one that takes too long is stopped."""
    data, conventions, shape = plan()[number]
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        with os.fdopen(write_end, "w") as pipe:
            json.dump(fit(number), pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    _, _, usage = os.wait4(child, 0)
    memory = {"memory": round(usage.ru_maxrss / 1024)}
    if not text:
        return {
            "number": number,
            "data": data,
            "conventions": conventions,
            "shape": shape,
            "status": "timeout",
        } | memory
    return json.loads(text) | memory


def known() -> dict[int, dict[str, Any]]:
    """What was fitted already, by number; the last line of each counts."""
    lines = LINES.read_text(encoding="utf-8").splitlines() if LINES.is_file() else []
    return {line["number"]: line for line in map(json.loads, lines)}


def rows(found: list[dict[str, Any]]) -> Iterator[list[str]]:
    """One line of the table for each kind of data and conventions."""
    key = ("data", "conventions", "shape")
    lowest: dict[tuple[str, ...], float] = {}
    for line in found:
        group = tuple(line[k] for k in key)
        lowest[group] = min(lowest.get(group, np.inf), line.get("statistic", np.inf))
    for pair in [*SHARES, ("all", "")]:
        some = [line for line in found if pair in ((line["data"], line["conventions"]), ("all", ""))]
        if not some:
            continue
        status = Counter(line["status"] for line in some)
        good = status["converged"] + status["at_limit"]
        best = [line for line in some if line.get("statistic", np.inf) < lowest[tuple(line[k] for k in key)] + REACHED]
        yield [
            *pair,
            str(len(some)),
            str(status["converged"]),
            str(status["at_limit"]),
            str(status["not_converged"] + status["failed"]),
            str(status["traceback"] + status["timeout"]),
            f"{100 * good / len(some):.1f} %",
            f"{100 * len(best) / len(some):.1f} %",
            f"{np.median([line.get('seconds', LIMIT) for line in some]):.1f}",
            f"{max(line.get('seconds', LIMIT) for line in some):.0f}",
            str(max(line["memory"] for line in some)),
        ]


HEADER = [
    "data", "conventions", "fits", "converged", "at limit", "not converged", "traceback or too long", "settled",
    "lowest minimum", "median CPU [s]", "longest [s]", "memory [MiB]",
]  # fmt: skip


def main() -> None:
    """Fit some, or write the table."""
    parser = argparse.ArgumentParser(description="Fits of extended sources from ordinary starts.")
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=sum(SHARES.values()))
    parser.add_argument("--again", action="store_true", help="also what was fitted already")
    parser.add_argument("--only", default="", help="part of data, conventions or shape")
    given = parser.parse_args()
    if given.what == "table":
        found = list(known().values())
        text = f"{len(found)} of {sum(SHARES.values())} starts; a shape with one start is the lowest known.\n\n"
        text += table(HEADER, list(rows(found)))
        (RESULTS / "study_extended.md").write_text(f"# Fits of extended sources\n\n{text}\n", encoding="utf-8")
        print(text)
        return
    done = {} if given.again else known()
    for number in range(given.first, min(given.first + given.count, sum(SHARES.values()))):
        if number not in done and given.only in " ".join(plan()[number]):
            line = in_a_process(number)
            print(json.dumps(line), flush=True)
            FOLDER.mkdir(parents=True, exist_ok=True)
            with LINES.open("a", encoding="utf-8") as lines:
                print(json.dumps(line), file=lines)


if __name__ == "__main__":
    main()
