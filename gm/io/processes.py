"""Copies of this process that work side by side, and end when it does.

Why not `concurrent.futures.ProcessPoolExecutor`: its processes wait for ever when their parent is killed, and where not
all of them can be started those that were keep the program from ending.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Any, BinaryIO, NoReturn, TypeVar

from gm.io.allocator import keep_freed_memory

T = TypeVar("T")
R = TypeVar("R")

MOST_PROCESSES = 32  # on a machine with fewer processors
_SIGNALS = {"SIGINT": signal.SIG_IGN, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}

log = getLogger(__name__)


def can_fork() -> bool:
    """Whether copies can be made: elsewhere a new process would run the user's script again."""
    return sys.platform == "linux"


def n_processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def most_processes() -> int:
    """How many work side by side on this machine, however many are asked for."""
    return max(MOST_PROCESSES, n_processors())


def in_processes(work: Callable[[T], R], items: Sequence[T], n_processes: int, chunk: int) -> Iterator[R]:
    """``map(work, items)`` in several copies of this process, each taking every n-th ``chunk`` of items.

    What a copy that was killed would have done is done here, as is everything where the system gives no more of them.
    Raises what ``work`` raises.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    copies: list[_Copy] = []
    try:
        try:
            for number in range(n := min(n_processes, len(chunks), most_processes())):
                copies.append(_start(work, chunks[number::n], copies))
        except OSError as error:
            log.warning("one process does all: no more can be started: %s", error.strerror)
            _end(copies)
        for number, part in enumerate(chunks):
            yield from (copies[number % len(copies)].next() if copies else None) or map(work, part)
    finally:
        _end(copies)


@dataclass(frozen=True)
class _Copy:
    """A running copy, and where its results come from."""

    pid: int
    results: BinaryIO

    def next(self) -> list[Any] | None:
        """The results of its next chunk; None when it has ended before."""
        try:
            found = pickle.load(self.results)
        except (EOFError, pickle.UnpicklingError):
            return None
        if isinstance(found, BaseException):
            raise found
        return list(found)


def _start(work: Callable[[T], R], chunks: Sequence[Sequence[T]], others: Sequence[_Copy]) -> _Copy:
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python >= 3.12 warns of copies beside other threads; these only read files and use no BLAS
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid == 0:
        _run(work, chunks, writing, [reading, *(copy.results.fileno() for copy in others)])
    os.close(writing)
    return _Copy(pid, os.fdopen(reading, "rb"))


def _run(work: Callable[[T], R], chunks: Sequence[Sequence[T]], writing: int, others: Sequence[int]) -> NoReturn:
    """What a copy does. It holds no end of a pipe that is not its own: so none stays open when the parent is gone."""
    try:
        for name, handler in _SIGNALS.items():
            signal.signal(getattr(signal, name), handler)  # Ctrl-C reaches all processes; the parent tells of it
        for descriptor in others:
            os.close(descriptor)
        keep_freed_memory()
        with os.fdopen(writing, "wb") as results:
            for part in chunks:
                pickle.dump(_outcome(work, part), results, pickle.HIGHEST_PROTOCOL)
                results.flush()
    except BaseException:  # the parent is gone, or does what is missing
        pass
    finally:
        os._exit(0)


def _outcome(work: Callable[[T], R], part: Sequence[T]) -> list[R] | Exception:
    try:
        return [work(item) for item in part]
    except Exception as error:
        return error


def _end(copies: list[_Copy]) -> None:
    while copies:
        copy = copies.pop()
        copy.results.close()
        with contextlib.suppress(OSError):
            os.kill(copy.pid, signal.SIGKILL)
            os.waitpid(copy.pid, 0)
