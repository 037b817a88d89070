"""Toys fitted one by one, in processes where asked, and kept as they come."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from gm.estimators.toys import Toy, ToyFit, Truth
from gm.io.processes import can_fork, in_processes
from gm.likelihood import Engine
from gm.pipeline.journal import Journal
from gm.pipeline.session import Session

_CHUNK = 4  # toys that a process does before it tells of them


def fit_toys(
    session: Session,
    label: str,
    folder: Path,
    key: str,
    work: tuple[Truth, ToyFit, int],
    n: int,
    before: Iterable[Toy] = (),
    retry: bool = False,
) -> list[Toy]:
    """The toys 0 to n - 1, in order; those of ``before``, and of a run that was stopped, are not fitted again.

    key : hash of all that decides a toy but its number; work : truth, fit and seed; retry : fit failed ones again
    """
    truth, fit, seed = work
    unfinished = unfinished_folder(folder)
    unfinished.mkdir(parents=True, exist_ok=True)
    journal = Journal(unfinished / "rows.jsonl")
    found = {toy.number: toy for toy in before if toy.number < n and not (retry and not toy.success)}
    rows = (row for row in journal.rows() if row["hash"] == key)
    found |= {toy.number: toy for row in rows if (toy := Toy(**row["toy"])).number < n}
    left = [number for number in range(n) if number not in found]
    if found and left:
        session.reporter.say(f"  {len(found)} toys from before, {len(left)} to do")

    def one(number: int) -> Toy:
        return fit.run(truth, seed, number)

    for done, toy in enumerate(_each(session, one, left), 1):
        found[toy.number] = toy
        journal.add({"hash": key, "toy": asdict(toy)})
        session.reporter.progress(label, done, len(left))
    return [found[number] for number in range(n)]


def unfinished_folder(folder: Path) -> Path:
    """Where a run keeps what it has done so far; gone when it has finished."""
    return folder / ".unfinished"


def forget(folder: Path) -> None:
    """Remove what a run has kept."""
    shutil.rmtree(unfinished_folder(folder), ignore_errors=True)


def engine_of_toys(session: Session) -> Engine | None:
    """A cluster where one is asked for; None: each toy in one process, and workers share out the toys."""
    return session.engine if session.analysis.settings.engine.is_dask else None


def _each(session: Session, work: Callable[[int], Toy], numbers: Sequence[int]) -> Iterable[Toy]:
    engine = session.analysis.settings.engine
    workers = 1 if engine.is_dask else engine.workers or 1
    if workers > 1 and len(numbers) > 1 and can_fork():
        return in_processes(work, numbers, workers, _CHUNK)
    return map(work, numbers)
