"""What an evaluation with a cluster costs, as a model of some measured rows that has to predict the others; tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from alternate import table
from engine_cases import ONE, OWN
from scipy.optimize import nnls

TARGET = 0.2  # relative, of what the model predicts


@dataclass(frozen=True)
class Row:
    """One measurement. Seconds: of the wall, and of processors in the client and in the worker that takes longest, per
    evaluation; compiling, and a step: of the wall. Bytes out and back per evaluation, and per step. Memory [MB] of the
    client and of the largest worker, as the system counts it; load: programs in want of processors."""

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
    step: float
    step_sent: int
    step_received: int
    client_memory: float
    worker_memory: float
    load: float

    @property
    def size(self) -> int:
        """Bytes both ways."""
        return self.sent + self.received

    @property
    def own(self) -> int:
        """Parameters that datasets have for themselves: a norm and a tilt each."""
        return own_parameters(self.case, self.n)

    @property
    def most(self) -> int:
        """Shards of the worker that has most."""
        return -(-self.shards // self.workers)


def own_parameters(case: str, n: int) -> int:
    return 2 * n if case == OWN else 0


@dataclass(frozen=True)
class CostModel:
    """Seconds of processors per evaluation with a cluster.

    client : for an evaluation, each shard, each worker that is asked, each byte, each parameter of a dataset's own
    worker : for an evaluation, each shard
    per_dataset : more of a worker for each dataset, by case; bytes_per_shard : both ways, by case
    """

    client: tuple[float, float, float, float, float]
    worker: tuple[float, float]
    per_dataset: dict[str, float]
    bytes_per_shard: dict[str, float]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> CostModel:
        """Least squares of relative differences, of nothing negative."""
        names = sorted({row.case for row in rows})
        client = [[1.0, row.shards, min(row.workers, row.shards), row.size, row.own] for row in rows]
        worker = [
            [1.0, row.most, *(row.n * row.most / row.shards * (row.case == name) for name in names)] for row in rows
        ]
        of_client = _fitted(client, [row.client for row in rows])
        once, shard, *each = _fitted(worker, [row.worker for row in rows])
        per_shard = {row.case: row.size / row.shards for row in rows}
        return cls((*of_client,), (once, shard), dict(zip(names, each, strict=True)), per_shard)  # type: ignore[arg-type]

    def seconds(self, case: str, n: int, shards: int, workers: int) -> tuple[float, float]:
        """Of the client, and of the worker that has most."""
        most, asked = -(-shards // workers), min(shards, workers)
        size = self.bytes_per_shard[case] * shards
        worker = float(np.dot(self.worker, (1.0, most))) + self.per_dataset[case] * n * most / shards
        own = own_parameters(case, n)
        return float(np.dot(self.client, (1.0, shards, asked, size, own))), worker

    def best(self, case: str, n: int, shards: int) -> int:
        """How many workers, of 1000 at most, take the least time, one after the other."""
        return min(range(1, 1001), key=lambda workers: sum(self.seconds(case, n, shards, workers)))


def _fitted(matrix: list[list[float]], seconds: list[float]) -> list[float]:
    scale = np.array(matrix).max(axis=0)
    relative = np.array(matrix) / scale / np.array(seconds)[:, None]
    return [float(x) for x in nnls(relative, np.ones(len(seconds)))[0] / scale]


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those with a cluster: what the model is made from, and those with the most datasets of each case of several."""
    there = [row for row in rows if row.engine.startswith("dask")]
    numbers = {case: {row.n for row in there if row.case == case} for case in {row.case for row in there}}
    most = {case: max(some) for case, some in numbers.items() if len(some) > 1}
    return [row for row in there if row.n != most.get(row.case)], [row for row in there if row.n == most.get(row.case)]


def ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def kb(size: float) -> str:
    return f"{size / 1e3:.3g}"


def measured_table(rows: Sequence[Row]) -> str:
    header = ["case", "datasets", "engine", "shards", "compiling, s", "wall, ms", "client, ms", "worker, ms", "out, kB",
              "back, kB", "step, ms", "out, kB", "back, kB", "client, MB", "worker, MB", "load"]  # fmt: skip
    cells = [
        [row.case, f"{row.n:,}", row.engine, str(row.shards), f"{row.compiling:.3g}", ms(row.wall), ms(row.client),
         ms(row.worker), kb(row.sent), kb(row.received), ms(row.step), kb(row.step_sent), kb(row.step_received),
         f"{row.client_memory:.0f}", f"{row.worker_memory:.0f}", f"{row.load:.0f}"]
        for row in rows
    ]  # fmt: skip
    return table(header, cells)


def predicted_table(model: CostModel, rows: Sequence[Row]) -> tuple[str, float]:
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
    """What limits a million spectra and ten thousand maps, with 100, 1000 and the best number of workers."""
    cells = []
    for case, n, shards in (
        ("spectra", 1_000_000, 1000),
        ("spectra, own norms and tilts", 1_000_000, 1000),
        ("maps, free point", 10_000, 10_000),
        ("maps, free Gaussian", 10_000, 10_000),
    ):
        for workers in sorted({100, 1000, model.best(case, n, shards)}) if case in model.per_dataset else ():
            client, worker = model.seconds(case, n, shards, workers)
            limit = "the client's messages" if client > worker else "the workers"
            size = model.bytes_per_shard[case] * shards / 1e6
            cells.append([case, f"{n:,}", str(workers), ms(client), ms(worker), f"{size:.3g}", limit])
    return table(["case", "datasets", "workers", "client, ms", "worker, ms", "both ways, MB", "limited by"], cells)


def text_of(rows: Sequence[Row], about: str) -> tuple[str, CostModel, float]:
    known, others = split(rows)
    model = CostModel.of(known)
    predicted, worst = predicted_table(model, others)
    once, shard, worker, byte, own = model.client
    verdict = "all within 20 %" if worst <= TARGET else "not all within 20 %"
    if not others:
        verdict, predicted = "is not tested: there are none", ""
    each = [f"- {case}: {1e6 * seconds:.3g} µs for each dataset" for case, seconds in model.per_dataset.items()]
    text = [
        "# Likelihoods that live elsewhere",
        about,
        f"On {os.cpu_count()} cores; load: the programs in want of them when a row was done.",
        measured_table(rows),
        "## A cost model",
        "Seconds of processors for an evaluation with a cluster: those of the client and of the worker that has most.",
        f"The client takes {ms(once)} ms, {ms(shard)} ms for each shard, {ms(worker)} ms for each worker",
        f"that is asked, and {1e9 * byte:.3g} µs for each kB that travels, and",
        f"{1e9 * own:.3g} µs for a thousand parameters that are datasets' own;",
        f"a worker takes {ms(model.worker[0])} ms for a message, {ms(model.worker[1])} ms for each shard, and",
        "\n".join(line for line in each if ONE not in line),
        f"from all rows but those with the most datasets of each case. What this says of these others: {verdict}.",
        predicted,
        "## On 1000 cores",
        thousand_cores(model),
    ]
    return "\n\n".join(part.strip() for part in text if part) + "\n", model, worst
