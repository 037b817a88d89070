#!/usr/bin/env python
"""What an evaluation costs where the likelihood lives elsewhere: time, bytes, memory; and what on 1000 cores.

    python benchmarks/bench_engine.py [--quick]

Each row is a likelihood compiled by one engine; an evaluation is -2 ln L with its gradient at parameters that were not
seen before. Time of the wall is the least of all evaluations, time of processors the least of the means of some: other
programs on the machine make the former longer and touch the latter less. Workers are processes of this machine. A cost
model is made from some of the rows and has to predict the others. Writes ``results/engine.json`` and ``engine.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from alternate import table, write_results
from cases import DATA
from make_many_runs import write_runs

from gm.arrays import Array
from gm.datasets import Datasets
from gm.datasets.files.formats import DatasetEntry
from gm.datasets.files.reading import read_all
from gm.engine.dask_pool import Cluster, DaskEngine
from gm.engine.processes import ProcessEngine
from gm.engine.sharded import ShardedEngine
from gm.likelihood import Engine, JointLikelihood, LocalEngine
from gm.models import Models

N_FILES = 64
ONE = "one spectrum"
PARTS, SPENT = 4, 1.0  # of evaluations for each row, and how long each takes [s]; the fastest counts
TARGET = 0.2  # relative, of what the model predicts

MAPS = """\
version: 1
output: drawn
models: models.yaml
simulate:
  seed: 1
  datasets:
"""
MAP = """\
    - name: map-{k}
      response: iact
      livetime: 30 min
      energy: {{min: 0.6 TeV, max: 60 TeV, per_decade: 5}}
      geometry: {{center: [{lon:.4f}, {lat:.4f}], frame: icrs, width: 4 deg, binsz: 0.04 deg, projection: TAN}}
"""
SKY = """\
components:
  - name: source
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - {{name: index, value: 2.3}}
        - {{name: amplitude, value: 6.0e-12, unit: cm-2 s-1 TeV-1}}
        - {{name: reference, value: 1.0, unit: TeV, frozen: true}}
    spatial:
      type: {shape}
      frame: icrs
      parameters:
        - {{name: lon_0, value: 228.53, unit: deg}}
        - {{name: lat_0, value: -59.16, unit: deg}}
{more}
"""
GAUSS = "        - {name: sigma, value: 0.12, unit: deg}"


@dataclass(frozen=True)
class Case:
    """Datasets and models of one kind, by their number."""

    name: str
    numbers: tuple[int, ...]
    engines: tuple[str, ...]
    make: Callable[[int], tuple[Datasets, Models]]


@dataclass(frozen=True)
class Row:
    """One measurement. Seconds: of the wall, and of processors in the client and in the worker that takes longest, per
    evaluation; compiling: of the wall. Bytes out and back per evaluation. Memory [MB] of the client and of the largest
    worker, as the system counts it."""

    case: str
    n: int
    engine: str
    workers: int
    shards: int
    compiling: float
    wall: float
    client: float
    worker: float
    sent: int
    received: int
    client_memory: float
    worker_memory: float


def listed(files: list[Path], kind: str, n: int) -> Datasets:
    """As many datasets as wanted from fewer files, each read anew."""
    entries = [DatasetEntry(f"{kind}-{k}", kind, files[k % len(files)]) for k in range(n)]
    return Datasets(read_all(entries))


class Files:
    """Simulated maps, each on a grid of its own, and spectra, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spectra(self) -> list[Path]:
        folder = self.folder / "spectra"
        if not folder.is_dir():
            folder.mkdir()
            write_runs(folder, N_FILES)
        return sorted(folder.glob("*.fits.gz"))

    def maps(self) -> list[Path]:
        folder, names = self.folder / "maps", [f"map-{k}.fits" for k in range(N_FILES)]
        if folder.is_dir():
            return [folder / "drawn" / "datasets" / name for name in names]
        folder.mkdir()
        (folder / "models.yaml").write_text(SKY.format(shape="GaussianSpatialModel", more=GAUSS))
        offsets = [(0.05 * (k % 8 - 4), 0.05 * (k // 8 - 4)) for k in range(N_FILES)]
        rows = [MAP.format(k=k, lon=228.53 + 2 * x, lat=-59.16 + y) for k, (x, y) in enumerate(offsets)]
        (folder / "config.yaml").write_text(MAPS + "".join(rows))
        command = [sys.executable, "-m", "gm", "simulate", "-q", str(folder / "config.yaml")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [folder / "drawn" / "datasets" / name for name in names]

    def sky(self, name: str, shape: str, more: str = "") -> Models:
        path = self.folder / f"{name}.yaml"
        path.write_text(SKY.format(shape=shape, more=more))
        return Models.read(path)


def msh(_n: int) -> tuple[Datasets, Models]:
    folder = DATA / "reference" / "hess-msh1552-runs"
    return Datasets.read(folder / "datasets.yaml"), Models.read(folder / "models.yaml")


def cases(files: Files, quick: bool) -> list[Case]:
    """What is measured."""
    crab = Models.read(DATA / "reference" / "hess-crab-1d" / "models_start.yaml")

    def spectra(n: int) -> tuple[Datasets, Models]:
        return listed(files.spectra(), "SpectrumDatasetOnOff", n), crab

    def wide(n: int) -> tuple[Datasets, Models]:
        return listed(files.maps(), "MapDataset", n), files.sky("wide", "GaussianSpatialModel", GAUSS)

    def points(n: int) -> tuple[Datasets, Models]:
        return listed(files.maps(), "MapDataset", n), files.sky("points", "PointSpatialModel")

    every = ("local", "processes 2", "dask 1", "dask 2")
    few = [
        Case(ONE, (1,), ("local", "dask 1"), spectra),
        Case("spectra", (1000, 2000), ("local", "dask 1", "dask 2"), spectra),
        Case("maps, free Gaussian", (4, 8), every, wide),
        Case("maps, free point", (32, 64), ("local", "dask 1", "dask 2"), points),
    ]
    whole = [
        Case("MSH 15-52, 19 runs", (19,), every, msh),
        Case(ONE, (1,), ("local", "dask 1"), spectra),
        Case("spectra", (1000, 10_000), ("local", "dask 1", "dask 2"), spectra),
        Case("maps, free Gaussian", (16, 64), every, wide),
        Case("maps, free point", (64, 1000), ("local", "dask 1", "dask 2"), points),
    ]
    return few if quick else whole


@contextmanager
def engine_of(words: str) -> Iterator[Engine]:
    """``local``, ``processes N`` or ``dask N``."""
    kind, _, number = words.partition(" ")
    n = int(number or 1)
    engine: Engine = LocalEngine()
    if kind == "processes":
        engine = ProcessEngine(n)
    elif kind == "dask":
        engine = DaskEngine(Cluster(n_workers=n))
    try:
        yield engine
    finally:
        engine.close()


def children() -> list[psutil.Process]:
    """All processes that this one has started, and theirs."""
    return psutil.Process().children(recursive=True)


def busy(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Seconds of processors so far."""
    return {process.pid: sum(process.cpu_times()[:2]) for process in processes}


@dataclass(frozen=True)
class Part:
    """Some evaluations: how many, the least time of one, and the mean time of processors."""

    count: int
    wall: float
    client: float
    worker: float


def _part(likelihood: JointLikelihood, start: Array) -> Part:
    walls, before, own = list[float](), busy(children()), time.process_time()
    while sum(walls) < SPENT or len(walls) < 3:
        vector = start * (1 + 1e-7 * (len(walls) + 1))
        begin = time.perf_counter()
        likelihood.value_and_gradient(vector)
        walls.append(time.perf_counter() - begin)
    n, client, after = len(walls), time.process_time() - own, busy(children())
    spent = [after[pid] - before[pid] for pid in before if pid in after]
    return Part(n, min(walls), client / n, max(spent, default=0.0) / n)


def measure(case: Case, n: int, words: str) -> Row:
    datasets, models = case.make(n)
    with engine_of(words) as engine:
        begin = time.perf_counter()
        likelihood = JointLikelihood(datasets, models, for_fit=True, engine=engine)
        start = likelihood.layout.start
        likelihood.value_and_gradient(start)
        compiling = time.perf_counter() - begin
        crew = engine.crew if isinstance(engine, ShardedEngine) else None
        traffic = (0, 0) if crew is None else (crew.traffic.sent, crew.traffic.received)
        parts = [_part(likelihood, start * (1 + 1e-4 * k)) for k in range(PARTS)]
        count = sum(part.count for part in parts)
        held = [process.memory_info().rss / 1e6 for process in children()]
        return Row(
            case=case.name,
            n=n,
            engine=words,
            workers=0 if crew is None else len(crew.pool.workers()),
            shards=1 if crew is None else len(likelihood.terms.parts),  # type: ignore[attr-defined]
            compiling=compiling,
            wall=min(part.wall for part in parts),
            client=min(part.client for part in parts),
            worker=min(part.worker for part in parts),
            sent=0 if crew is None else (crew.traffic.sent - traffic[0]) // count,
            received=0 if crew is None else (crew.traffic.received - traffic[1]) // count,
            client_memory=psutil.Process().memory_info().rss / 1e6,
            worker_memory=max(held, default=0.0),
        )


def measured(files: Files, quick: bool, kept: Path | None) -> list[Row]:
    """Every row in a process of its own, so that memory is that of the row; those that were ``kept`` as they are."""
    lines = kept.read_text().splitlines() if kept is not None and kept.is_file() else []
    rows = {(row.case, row.n, row.engine): row for row in (Row(**json.loads(line)) for line in lines)}
    for case in cases(files, quick):
        for n, words in product(case.numbers, case.engines):
            if (case.name, n, words) not in rows:
                row = rows[case.name, n, words] = _apart(files, quick, case.name, n, words)
                if kept is not None:
                    with kept.open("a") as file:
                        print(json.dumps(asdict(row)), file=file)
    return list(rows.values())


def _apart(files: Files, quick: bool, name: str, n: int, words: str) -> Row:
    command = [sys.executable, __file__, "--row", name, str(n), words, "--folder", str(files.folder)]
    done = subprocess.run(command + ["--quick"] * quick, check=True, stdout=subprocess.PIPE, text=True)
    return Row(**json.loads(done.stdout.splitlines()[-1]))


@dataclass(frozen=True)
class CostModel:
    """Seconds of processors per evaluation with a cluster: of a worker for a message, and for each dataset, by case; of
    the client for an evaluation, each shard and each worker that is asked; bytes both ways for each shard, by case."""

    answer: float
    per_dataset: dict[str, float]
    client: tuple[float, float, float]
    bytes_per_shard: dict[str, float]

    @classmethod
    def of(cls, rows: list[Row]) -> CostModel:
        """From the rows with the fewest datasets of each case."""
        alone = [row for row in rows if row.workers == 1]
        answer = next(row.worker for row in alone if row.case == ONE)
        per_dataset = {row.case: (row.worker - answer) / row.n for row in alone if row.case != ONE}
        per_shard = {row.case: (row.sent + row.received) / row.shards for row in alone}
        matrix = np.array([[1.0, row.shards, min(row.workers, row.shards)] for row in rows])
        seconds = np.array([row.client for row in rows])
        fitted, *_ = np.linalg.lstsq(matrix / seconds[:, None], np.ones(len(rows)), rcond=None)
        return cls(answer, per_dataset, tuple(map(float, np.maximum(fitted, 0.0))), per_shard)  # type: ignore[arg-type]

    def seconds(self, case: str, n: int, shards: int, workers: int) -> tuple[float, float]:
        """Of the client, and of the worker that has most."""
        share, asked = -(-shards // workers) / shards, min(shards, workers)
        worker = self.answer + self.per_dataset[case] * n * share
        return float(np.dot(self.client, (1.0, shards, asked))), worker


def split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Those with a cluster: of the fewest datasets of each case, and the others."""
    there = [row for row in rows if row.engine.startswith("dask")]
    fewest = {row.case: min(other.n for other in there if other.case == row.case) for row in there}
    return [row for row in there if row.n == fewest[row.case]], [row for row in there if row.n > fewest[row.case]]


def ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def kb(size: float) -> str:
    return f"{size / 1e3:.3g}"


def measured_table(rows: list[Row]) -> str:
    header = ["case", "datasets", "engine", "shards", "compiling, s", "wall, ms", "client, ms", "worker, ms", "out, kB",
              "back, kB", "client, MB", "worker, MB"]  # fmt: skip
    cells = [
        [row.case, str(row.n), row.engine, str(row.shards), f"{row.compiling:.3g}", ms(row.wall), ms(row.client),
         ms(row.worker), kb(row.sent), kb(row.received), f"{row.client_memory:.0f}", f"{row.worker_memory:.0f}"]
        for row in rows
    ]  # fmt: skip
    return table(header, cells)


def predicted_table(model: CostModel, rows: list[Row]) -> tuple[str, float]:
    """Rows that the model has not seen, and the largest relative error."""
    cells, worst = [], 0.0
    for row in rows:
        client, worker = model.seconds(row.case, row.n, row.shards, row.workers)
        off = (client + worker) / (row.client + row.worker) - 1
        worst = max(worst, abs(off))
        cells.append(
            [row.case, str(row.n), row.engine, ms(row.client + row.worker), ms(client + worker), f"{off:+.0%}"]
        )
    return table(["case", "datasets", "engine", "measured, ms", "predicted, ms", "off by"], cells), worst


def thousand_cores(model: CostModel) -> str:
    """What limits a million spectra and ten thousand maps."""
    cells = []
    for case, n, shards in (
        ("spectra", 1_000_000, 1000),
        ("maps, free point", 10_000, 10_000),
        ("maps, free Gaussian", 10_000, 10_000),
    ):
        for workers in (100, 1000) if case in model.per_dataset else ():
            client, worker = model.seconds(case, n, shards, workers)
            limit = "the client's messages" if client > worker else "the workers"
            size = model.bytes_per_shard[case] * shards / 1e6
            cells.append([case, f"{n:,}", str(workers), ms(client), ms(worker), f"{size:.3g}", limit])
    return table(["case", "datasets", "workers", "client, ms", "worker, ms", "both ways, MB", "limited by"], cells)


def text_of(rows: list[Row]) -> tuple[str, CostModel, float]:
    known, others = split(rows)
    model = CostModel.of(known)
    predicted, worst = predicted_table(model, others)
    once, shard, worker = map(ms, model.client)
    verdict = "all within 20 %" if worst <= TARGET else "not all within 20 %"
    if not others:
        verdict, predicted = "is not tested: there are none", ""
    each = [f"- {case}: {1e6 * seconds:.3g} µs for each dataset" for case, seconds in model.per_dataset.items()]
    about = (__doc__ or "").split("\n\n")[2].strip()
    text = [
        "# Likelihoods that live elsewhere",
        about,
        f"On {os.cpu_count()} cores, with {os.getloadavg()[2]:.1f} programs in want of them at the end.",
        measured_table(rows),
        "## A cost model",
        "Seconds of processors for an evaluation with a cluster: those of the client and of the worker that has most.",
        f"The client takes {once} ms, and {shard} ms for each shard and {worker} ms for each worker that is asked;",
        f"a worker takes {ms(model.answer)} ms for a message, and",
        "\n".join(each),
        f"from the rows with the fewest datasets of each case. What this says of the other rows: {verdict}.",
        predicted,
        "## On 1000 cores",
        thousand_cores(model),
    ]
    return "\n\n".join(part.strip() for part in text if part) + "\n", model, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few datasets; nothing is written")
    parser.add_argument("--keep", type=Path, help="a file of rows: those in it are not measured again")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        name, n, words = args.row
        case = next(case for case in cases(Files(args.folder), args.quick) if case.name == name)
        print(json.dumps(asdict(measure(case, int(n), words))))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        files.spectra(), files.maps()
        rows = measured(files, args.quick, args.keep)
    rows.sort(key=lambda row: (row.case, row.n, row.engine))
    text, model, worst = text_of(rows)
    print(text)
    if not args.quick:
        document: dict[str, Any] = {"rows": [asdict(row) for row in rows], "model": asdict(model), "worst": worst}
        write_results("engine", {"cores": os.cpu_count(), **document}, text)


if __name__ == "__main__":
    main()
