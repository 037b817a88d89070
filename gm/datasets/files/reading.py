"""Many dataset files read at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

from gm.datasets.base import Dataset
from gm.datasets.files.formats import DATASET_TYPES, DatasetEntry
from gm.datasets.origin import read_from
from gm.errors import DataError
from gm.io.allocator import give_back_freed_memory, share_freed_memory
from gm.io.processes import can_fork, in_processes, n_processors
from gm.io.threads import in_threads

Outcome: TypeAlias = tuple[Dataset | None, str]
"""The dataset of a file, or what is wrong with it."""

MANY, CHUNK = 200, 25  # files from which on several processes read, and how many each takes at once


def read_all(
    entries: Sequence[DatasetEntry], workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Dataset]:
    """Read many datasets, in order. Equal axes and equal dispersion matrices are shared between them.

    ``progress`` hears how many of how many files are read. One `DataError` lists everything that is wrong with them.
    """
    outcomes = _outcomes(entries, workers, _Tally(len(entries), progress))
    problems = dict.fromkeys(problem for dataset, problem in outcomes if dataset is None)
    if problems:
        raise DataError("\n".join(problems))
    found = zip(entries, outcomes, strict=True)
    return [read_from(dataset, entry) for entry, (dataset, _) in found if dataset is not None]


class _Tally:
    """Counts what passes through, and has datasets share what is equal, so that no more than one of it is kept."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._total, self._tell, self._done = total, tell or (lambda _done, _total: None), 0
        self._kept: dict[Hashable, Any] = {}
        self._tell(0, total)

    def count(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for dataset, problem in outcomes:
            self._done += 1
            self._tell(self._done, self._total)
            yield None if dataset is None else dataset.shared(self._kept.setdefault), problem


def _outcomes(entries: Sequence[DatasetEntry], workers: int | None, tally: _Tally) -> list[Outcome]:
    """What came of each file, in order."""
    in_turn = [DATASET_TYPES[entry.type].in_threads for entry in entries]
    maps = [entry for entry, threads in zip(entries, in_turn, strict=True) if threads]
    others = [entry for entry, threads in zip(entries, in_turn, strict=True) if not threads]
    tables = iter(_spectra(others, workers, tally))
    if maps:
        share_freed_memory(n_processors())
    arrays = tally.count(in_threads(_outcome, maps, workers or n_processors()))  # mostly compressed: threads gain
    outcomes = [next(arrays if threads else tables) for threads in in_turn]
    if maps:
        give_back_freed_memory()  # unpacked files, between the arrays that were read from them
    return outcomes


def _spectra(entries: Sequence[DatasetEntry], workers: int | None, tally: _Tally) -> list[Outcome]:
    """Processes are worth their start for hundreds of small files; threads gain nothing there."""
    if workers is None:
        workers = n_processors() if len(entries) >= MANY else 1
    if workers > 1 and len(entries) > CHUNK and can_fork():
        chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
        return list(tally.count(chain.from_iterable(in_processes(_together, chunks, workers, 1))))
    return list(tally.count(map(_outcome, entries)))


def _together(entries: Sequence[DatasetEntry]) -> list[Outcome]:
    """What came of some files; what their datasets share is sent once."""
    kept: dict[Hashable, Any] = {}
    outcomes = map(_outcome, entries)
    return [(None if dataset is None else dataset.shared(kept.setdefault), problem) for dataset, problem in outcomes]


def _outcome(entry: DatasetEntry) -> Outcome:
    try:
        return DATASET_TYPES[entry.type].read(entry), ""
    except DataError as error:
        return None, str(error)
