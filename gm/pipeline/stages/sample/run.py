"""The sample stage: chains in processes where asked, kept as they come, and what comes out as files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from gm.estimators.posterior.draws import Chain
from gm.estimators.posterior.sampler import PosteriorSampler, Work
from gm.io.files import write_atomic
from gm.io.processes import can_fork, in_processes
from gm.pipeline.inputs import Inputs, fingerprint
from gm.pipeline.journal import Journal, Row
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.fit.datasets import datasets_of
from gm.pipeline.stages.sample.settings import SampleSettings
from gm.pipeline.stages.toys.rows import engine_of_toys, forget, unfinished_folder


def run_sample(session: Session, task: Task, settings: SampleSettings, inputs: Inputs) -> Ran:
    """Draw, and write draws and document. Raises `DataError` and `UsageError`."""
    began, analysis = time.perf_counter(), session.analysis
    datasets = datasets_of(session, None, "sample")
    sampler = PosteriorSampler(
        method=settings.method,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        live_points=settings.live_points,
        seed=settings.seed,
        quantities=settings.quantities,
        conventions=analysis.settings.conventions,
        engine=engine_of_toys(session),
    )
    kept = _Kept(session, task, fingerprint(inputs))
    posterior = sampler.run(datasets, session.start.models(), kept.each)
    document = posterior.to_dict(analysis.settings.name, inputs)
    session.begin(task.key, task.outputs())
    write_atomic(task.outputs()[1], posterior.beside(document)["draws.nc"])
    write_document(task.result, document)
    forget(task.result.parent)
    seconds = time.perf_counter() - began
    session.reporter.step("sample", document["message"], seconds)
    return document, {**session.seconds, "sample": seconds}


class _Kept:
    """Chains that a stopped run has finished are not drawn again."""

    def __init__(self, session: Session, task: Task, key: str) -> None:
        self._session, self._key = session, key
        folder = unfinished_folder(task.result.parent)
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / "chains.jsonl")

    def each(self, work: Work, numbers: Sequence[int]) -> Iterator[Chain]:
        """The chains in order, each from the journal or drawn."""
        rows = {row["number"]: row for row in self._journal.rows() if row["hash"] == self._key}
        left = [number for number in numbers if number not in rows]
        if len(left) < len(numbers):
            self._session.reporter.say(f"  {len(numbers) - len(left)} chains from before, {len(left)} to do")
        drawn, done = iter(self._drawn(work, left)), 0
        for number in numbers:
            if number in rows:
                yield _chain(rows[number])
                continue
            chain = next(drawn)
            self._journal.add({"hash": self._key, "number": number, **_row(chain)})
            done += 1
            self._session.reporter.progress("sample", done, len(left))
            yield chain

    def _drawn(self, work: Work, numbers: Sequence[int]) -> Iterator[Chain]:
        engine = self._session.analysis.settings.engine
        workers = 1 if engine.is_dask else engine.workers or 1
        if workers > 1 and len(numbers) > 1 and can_fork():
            return in_processes(work, numbers, workers, 1)
        return map(work, numbers)


def _row(chain: Chain) -> Row:
    sampler = {name: values.tolist() for name, values in chain.sampler.items()}
    return {
        "parameters": chain.parameters.tolist(),
        "statistic": chain.statistic.tolist(),
        "sampler": sampler,
        "step_size": chain.step_size,
    }


def _chain(row: Row) -> Chain:
    sampler = {name: np.array(values, dtype=np.float64) for name, values in row["sampler"].items()}
    return Chain(np.array(row["parameters"]), np.array(row["statistic"]), sampler, row["step_size"])
