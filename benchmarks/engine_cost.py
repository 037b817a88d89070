"""What an evaluation with a cluster costs, as a model of some measured rows that has to predict the others; tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from alternate import table
from engine_cases import ONE
from scipy.optimize import nnls

TARGET = 0.2  # relative, of what the model predicts
TOLD_APART = 0.2  # of what is outside the cache, for rows to tell what that costs


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
    def most(self) -> int:
        """Shards of the worker that has most."""
        return -(-self.shards // self.workers)

    @property
    def here(self) -> float:
        """Datasets of the worker that has most."""
        return self.n * self.most / self.shards


@dataclass(frozen=True)
class CostModel:
    """Seconds of processors per evaluation with a cluster.

    client : for an evaluation, each shard, each worker that is asked, each byte
    worker : for an evaluation, each shard
    per_dataset : more of a worker for each dataset, by case, while what the worker holds stays in the cache of its core
    from_memory : and more for each that does not
    held : by a worker of each dataset [bytes]; cache : a core's share [bytes]; bytes_per_shard : that travel both ways
    """

    client: tuple[float, float, float, float]
    worker: tuple[float, float]
    per_dataset: dict[str, float]
    from_memory: dict[str, float]
    held: dict[str, float]
    cache: float
    bytes_per_shard: dict[str, float]

    @classmethod
    def of(cls, rows: Sequence[Row], cache: float) -> CostModel:
        """Least squares of relative differences, of nothing negative."""
        names = sorted({row.case for row in rows})
        held = {name: _held(name, rows) for name in names}
        client = [[1.0, row.shards, min(row.workers, row.shards), row.size] for row in rows]
        each = [[row.here * (row.case == name) for name in names] for row in rows]
        outside = [_outside(row.here, held[row.case], cache) for row in rows]
        ranges = [[part for row, part in zip(rows, outside, strict=True) if row.case == name] for name in names]
        differ = [max(parts) - min(parts) > TOLD_APART for parts in ranges]
        more = [[part * x * told for x, told in zip(own, differ, strict=True)]
                for part, own in zip(outside, each, strict=True)]  # fmt: skip
        worker = [[1.0, row.most, *own, *far] for row, own, far in zip(rows, each, more, strict=True)]
        once, shard, *found = _fitted(worker, [row.worker for row in rows])
        return cls(
            client=tuple(_fitted(client, [row.client for row in rows])),  # type: ignore[arg-type]
            worker=(once, shard),
            per_dataset=dict(zip(names, found, strict=False)),
            from_memory=dict(zip(names, found[len(names) :], strict=True)),
            held=held,
            cache=cache,
            bytes_per_shard={row.case: row.size / row.shards for row in rows},
        )

    def seconds(self, case: str, n: int, shards: int, workers: int) -> tuple[float, float]:
        """Of the client, and of the worker that has most."""
        most, asked = -(-shards // workers), min(shards, workers)
        here = n * most / shards
        each = self.per_dataset[case] + self.from_memory[case] * _outside(here, self.held[case], self.cache)
        client = float(np.dot(self.client, (1.0, shards, asked, self.bytes_per_shard[case] * shards)))
        return client, float(np.dot(self.worker, (1.0, most))) + here * each

    def limit(self, case: str, n: int, shards: int, workers: int) -> str:
        """What takes longest."""
        asked, size = min(shards, workers), self.bytes_per_shard[case] * shards
        client = self.client[1] * shards, self.client[2] * asked, self.client[3] * size
        names = "the client's sum over shards", "the client's messages", "the client's bytes"
        parts = dict(zip(names, client, strict=True))
        parts["the workers"] = self.seconds(case, n, shards, workers)[1]
        return max(parts, key=lambda name: parts[name])

    def best(self, case: str, n: int, shards: int) -> int:
        """How many workers, of 1000 at most, take the least time, one after the other."""
        return min(range(1, 1001), key=lambda workers: sum(self.seconds(case, n, shards, workers)))


def _held(name: str, rows: Sequence[Row]) -> float:
    """Bytes for each dataset, by the memory of the worker that has most, and of one that has next to nothing."""
    base = min(row.worker_memory for row in rows)
    row = max((row for row in rows if row.case == name), key=lambda row: row.here)
    return 1e6 * (row.worker_memory - base) / row.here


def _outside(n: float, held: float, cache: float) -> float:
    """The part of some datasets that is no more in the cache when it is needed again."""
    return max(0.0, 1.0 - cache / (n * held)) if held > 0 else 0.0


def cache_of_a_core() -> float:
    """Its share of the largest cache [bytes]; nothing where the system does not say."""
    folder = Path("/sys/devices/system/cpu/cpu0/cache")
    sizes = [int(file.read_text().strip().removesuffix("K")) << 10 for file in folder.glob("index*/size")]
    return max(sizes, default=0) / (os.cpu_count() or 1)


def _fitted(matrix: list[list[float]], seconds: list[float]) -> list[float]:
    scale = np.array(matrix).max(axis=0)
    scale[scale == 0.0] = 1.0
    relative = np.array(matrix) / scale / np.array(seconds)[:, None]
    return [float(x) for x in nnls(relative, np.ones(len(seconds)))[0] / scale]


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those with a cluster: what the model is made from, and those with the most datasets of each case of several.

    Nothing tests what a case of one size alone says of the model, but that of one spectrum, which has next to no work.
    """
    there = [row for row in rows if row.engine.startswith("dask")]
    sizes = {case: len({row.n for row in there if row.case == case}) for case in {row.case for row in there}}
    there = [row for row in there if row.case == ONE or sizes[row.case] > 1]
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
            limit = model.limit(case, n, shards, workers)
            size = model.bytes_per_shard[case] * shards / 1e6
            cells.append([case, f"{n:,}", str(workers), ms(client), ms(worker), f"{size:.3g}", limit])
    return table(["case", "datasets", "workers", "client, ms", "worker, ms", "both ways, MB", "mostly"], cells)


def text_of(rows: Sequence[Row], about: str) -> tuple[str, CostModel, float]:
    known, others = split(rows)
    model = CostModel.of(known, cache_of_a_core())
    predicted, worst = predicted_table(model, others)
    once, shard, worker, byte = model.client
    verdict = "all within 20 %" if worst <= TARGET else "not all within 20 %"
    if not others:
        verdict, predicted = "is not tested: there are none", ""
    each = [
        f"- {case}: {1e6 * seconds:.3g} µs for each dataset, of which it holds {kb(model.held[case])} kB"
        + (f", and {1e6 * more:.3g} µs more for each that is not there" if more else "")
        for (case, seconds), more in zip(model.per_dataset.items(), model.from_memory.values(), strict=True)
    ]
    text = [
        "# Likelihoods that live elsewhere",
        about,
        f"On {os.cpu_count()} cores; load: the programs in want of them when a row was done.",
        measured_table(rows),
        "## A cost model",
        "Seconds of processors for an evaluation with a cluster: those of the client and of the worker that has most.",
        f"The client takes {ms(once)} ms, {ms(shard)} ms for each shard, {ms(worker)} ms for each worker",
        f"that is asked, and {1e9 * byte:.3g} µs for each kB that travels;",
        f"a worker takes {ms(model.worker[0])} ms for a message, {ms(model.worker[1])} ms for each shard, and, where",
        f"{model.cache / 1e6:.0f} MB of what it holds stay in the cache of its core from one evaluation to the next,",
        "\n".join(line for line in each if ONE not in line),
        f"from all rows but those with the most datasets of each case. What this says of these others: {verdict}.",
        predicted,
        "## On 1000 cores",
        thousand_cores(model),
    ]
    return "\n\n".join(part.strip() for part in text if part) + "\n", model, worst
