#!/usr/bin/env python
"""What an evaluation costs where the likelihood lives elsewhere: time, bytes, memory; and what on 1000 cores.

    python benchmarks/bench_engine.py [--quick] [--only CASE N ENGINE ...]

Each row is a likelihood compiled by one engine; an evaluation is -2 ln L with its gradient at parameters that were not
seen before, a step the second derivatives that scoring asks for. Time of the wall is the least of all evaluations, time
of processors the least of the means of some, less what each process takes when nothing is asked: other programs on the
machine make the former longer and touch the latter less. `local 1` and `local 2` have so many threads; a cluster is a
scheduler and workers as processes of this machine. A cost model is made from some of the rows and has to predict the
others, so that all have to be of one machine on one day: maps have taken half as long on another one. Writes
``results/engine.json`` and ``engine.md``.

With ``--only spectra 100000 "dask 2"``, once or several times, these rows are measured, and stand among those that are
in the results already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from alternate import write_results
from cases import RESULTS
from engine_cases import Case, Files, cases
from engine_cost import Row, text_of

from gm.arrays import Array
from gm.engine.dask_pool import Cluster, DaskEngine
from gm.engine.processes import ProcessEngine
from gm.engine.sharded import ShardedEngine
from gm.likelihood import Engine, JointLikelihood, LocalEngine
from gm.parallel import share_processors

Key = tuple[str, int, str]  # case, number of datasets, engine
PARTS, SPENT = 5, 1.0  # of evaluations for each row, and how long each takes [s]; the fastest counts
IDLE = 3.0  # s in which nothing is asked


@contextmanager
def engine_of(words: str, folder: Path) -> Iterator[tuple[Engine, list[psutil.Process]]]:
    """``local THREADS``, ``processes N`` or ``dask N``; and the workers that there are already."""
    kind, _, number = words.partition(" ")
    n = int(number)
    if kind == "dask":
        with cluster(folder, n) as (file, workers):
            engine: Engine = DaskEngine(Cluster(str(file), n_workers=n))
            try:
                yield engine, workers
            finally:
                engine.close()
        return
    share_processors(n)
    engine = ProcessEngine(n) if kind == "processes" else LocalEngine()
    try:
        yield engine, []
    finally:
        engine.close()


@contextmanager
def cluster(folder: Path, n_workers: int) -> Iterator[tuple[Path, list[psutil.Process]]]:
    """A scheduler, with the file that it writes, and workers as processes of their own."""
    file, running = folder / f"scheduler-{os.getpid()}.json", list[subprocess.Popen[bytes]]()

    def start(what: str, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--scheduler-file",
            str(file),
            "--no-dashboard",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running.append(subprocess.Popen([*command, *options], **quiet))  # type: ignore[call-overload]

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        while not file.is_file() or not file.read_text():
            time.sleep(0.1)
        for _ in range(n_workers):
            start("worker", "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1")
        yield file, [psutil.Process(process.pid) for process in running[1:]]
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()
        file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Spent:
    """Time: of the wall, and of processors in the client and in the worker that took longest [s]."""

    wall: float
    client: float
    worker: float

    @classmethod
    def by(cls, work: Callable[[], None], workers: list[psutil.Process]) -> Spent:
        before, own, begin = [sum(one.cpu_times()[:2]) for one in workers], time.process_time(), time.perf_counter()
        work()
        wall, client = time.perf_counter() - begin, time.process_time() - own
        there = [sum(one.cpu_times()[:2]) - then for one, then in zip(workers, before, strict=True)]
        return cls(wall, client, max(there, default=0.0))

    def each(self, n: int, idle: Spent) -> Spent:
        """Of one of ``n``, less what is taken anyway in that time."""
        client, worker = (max(0.0, a - self.wall * b / idle.wall) for a, b in
                          ((self.client, idle.client), (self.worker, idle.worker)))  # fmt: skip
        return Spent(self.wall / n, client / n, worker / n)


@dataclass(frozen=True)
class Measured:
    """One kind of question: its cost, and the bytes that go out and come back."""

    wall: float
    client: float
    worker: float
    sent: int
    received: int


def ask(question: Callable[[Array], Any], start: Array, engine: Engine, workers: list[psutil.Process]) -> Measured:
    """The fastest of some parts, of different vectors all."""
    walls, traffic, count, found = list[float](), _traffic(engine), 0, list[tuple[int, Spent]]()
    quiet = [Spent.by(lambda: time.sleep(IDLE), workers)]
    for part in range(PARTS):
        own = list[float]()

        def work(part: int = part, own: list[float] = own) -> None:
            while sum(own) < SPENT or len(own) < 3:
                vector = start * (1 + 1e-4 * part + 1e-7 * (len(own) + 1))
                begin = time.perf_counter()
                question(vector)
                own.append(time.perf_counter() - begin)

        spent = Spent.by(work, workers)
        found.append((len(own), spent))
        walls, count = walls + own, count + len(own)
    quiet.append(Spent.by(lambda: time.sleep(IDLE), workers))
    rates = [min(getattr(one, what) / one.wall for one in quiet) for what in ("client", "worker")]
    parts = [spent.each(n, Spent(1.0, *rates)) for n, spent in found]
    sent, received = (after - before for after, before in zip(_traffic(engine), traffic, strict=True))
    client, worker = min(one.client for one in parts), min(one.worker for one in parts)
    return Measured(min(walls), client, worker, sent // count, received // count)


def _traffic(engine: Engine) -> tuple[int, int]:
    crew = engine.crew if isinstance(engine, ShardedEngine) else None
    return (0, 0) if crew is None else (crew.traffic.sent, crew.traffic.received)


def measure(case: Case, n: int, words: str, folder: Path) -> Row:
    datasets, models = case.make(n)
    with engine_of(words, folder) as (engine, workers):
        begin = time.perf_counter()
        likelihood = JointLikelihood(datasets, models, for_fit=True, engine=engine)
        start = likelihood.layout.start
        likelihood.value_and_gradient(start)
        compiling = time.perf_counter() - begin
        crew = engine.crew if isinstance(engine, ShardedEngine) else None
        if crew is not None and not workers:
            workers = psutil.Process().children(recursive=True)
        value = ask(likelihood.value_and_gradient, start, engine, workers)
        step = ask(likelihood.information, start * 1.01, engine, workers)
        return Row(
            case=case.name,
            n=n,
            engine=words,
            workers=0 if crew is None else len(crew.pool.workers()),
            shards=1 if crew is None else len(likelihood.terms.parts),  # type: ignore[attr-defined]
            compiling=compiling,
            **asdict(value),
            step=step.wall,
            step_sent=step.sent,
            step_received=step.received,
            client_memory=psutil.Process().memory_info().rss / 1e6,
            worker_memory=max((one.memory_info().rss / 1e6 for one in workers), default=0.0),
            load=os.getloadavg()[0],
        )


def measured(files: Files, quick: bool, kept: Path | None, wanted: Sequence[Key]) -> dict[Key, Row]:
    """Every row in a process of its own, so that memory is that of the row; those that were ``kept`` as they are."""
    rows = read_rows(kept)
    for key in wanted:
        if key not in rows:
            row = rows[key] = _apart(files, quick, *key)
            if kept is not None:
                with kept.open("a") as file:
                    print(json.dumps(asdict(row)), file=file)
    return {key: rows[key] for key in wanted}


def recorded() -> dict[Key, Row]:
    """The rows in the results."""
    rows = json.loads((RESULTS / "engine.json").read_text())["rows"]
    return {(row.case, row.n, row.engine): row for row in (Row(**row) for row in rows)}


def only(asked: Sequence[Sequence[str]], every: Sequence[Key]) -> list[Key]:
    """The rows that are asked for; ends the program where there is no such row."""
    keys = [(name, int(n), words) for name, n, words in asked]
    for key in set(keys) - set(every):
        sys.exit(f"no row {key}; there are {', '.join(map(str, every))}")
    return keys


def wanted_of(every: list[Case]) -> list[Key]:
    """Case, number and engine of each row; those that take long at the end."""
    of = [(n, case.name, words) for case in every for n, some in case.engines.items() for words in some]
    return [(name, n, words) for n, name, words in sorted(of)]


def read_rows(kept: Path | None) -> dict[Key, Row]:
    """By case, number and engine."""
    lines = kept.read_text().splitlines() if kept is not None and kept.is_file() else []
    return {(row.case, row.n, row.engine): row for row in (Row(**json.loads(line)) for line in lines)}


def _apart(files: Files, quick: bool, name: str, n: int, words: str) -> Row:
    command = [sys.executable, __file__, "--row", name, str(n), words, "--folder", str(files.folder)]
    done = subprocess.run(command + ["--quick"] * quick, check=True, stdout=subprocess.PIPE, text=True)
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few datasets; nothing is written")
    parser.add_argument("--keep", type=Path, help="a file of rows: those in it are not measured again")
    parser.add_argument("--kept-only", action="store_true", help="the tables of these rows; nothing is measured")
    parser.add_argument(
        "--only",
        nargs=3,
        action="append",
        metavar=("CASE", "N", "ENGINE"),
        help="this row, among those that are recorded",
    )
    parser.add_argument("--note", default="", help="a paragraph on these rows, for the results")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        name, n, words = args.row
        case = next(case for case in cases(Files(args.folder), args.quick) if case.name == name)
        print(json.dumps(asdict(measure(case, int(n), words, args.folder))))
        return
    every = wanted_of(cases(Files(Path()), args.quick))
    if args.kept_only:
        found = read_rows(args.keep)
    else:
        asked = only(args.only, every) if args.only else every
        with tempfile.TemporaryDirectory() as folder:
            files = Files(Path(folder))
            files.make({name for name, _, _ in asked})
            found = (recorded() if args.only else {}) | measured(files, args.quick, args.keep, asked)
    missing = [f"{name}, {n:,}, {words}" for name, n, words in every if (name, n, words) not in found]
    rows = list(found.values())
    rows.sort(key=lambda row: (row.case, row.n, row.engine))
    text, model, worst = text_of(rows, (__doc__ or "").split("\n\n")[2].strip())
    if missing:
        text += f"\nRows of the benchmark that were not measured: {'; '.join(missing)}.\n"
    text += f"\n{args.note}\n" if args.note else ""
    print(text)
    if not args.quick:
        document: dict[str, Any] = {"rows": [asdict(row) for row in rows], "model": asdict(model), "worst": worst}
        write_results("engine", {"cores": os.cpu_count(), **document}, text)


if __name__ == "__main__":
    main()
