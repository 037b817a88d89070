"""Work on all processors, in threads: NumPy and the transforms release the interpreter.

It pays where a piece of work takes more than a few milliseconds between two calls of Python: threads that meet more
often wait for each other. What is returned stays in order, so that sums of it do not depend on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
R = TypeVar("R")
_FEW = 3  # light pieces


_MOST: list[int] = []


def share_processors(n: int) -> None:
    """This process is one of several on its machine, and is to use ``n`` threads."""
    _MOST[:] = [n]
    _helpers.cache_clear()


def n_threads() -> int:
    """The processors that this process may use."""
    if _MOST:
        return _MOST[0]
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Here(threading.local):
    """Of this thread: memory that it uses again and again."""

    room: NDArray[np.complex128] = np.empty(0, dtype=np.complex128)


_HERE = _Here()


class Lock:
    """A lock that travels: a copy, and what is read from a pickle, is another one that nobody holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


@cache
def _helpers() -> ThreadPoolExecutor:
    """One for each processor: where a thread waits for another one, a helper takes its place."""
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="gm")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # threads do not live on in a copy of the process


def own_room(*shape: int) -> NDArray[np.complex128]:
    """Memory of this thread, in the shape asked for, with whatever is in it, until it asks again; new takes longer."""
    n = prod(shape)
    if _HERE.room.size < n:
        _HERE.room = np.empty(n, dtype=np.complex128)
    return _HERE.room[:n].reshape(shape)


class TaskGroup:
    """Tasks that are waited for together: each thread that waits for them does some, and so do helpers.

    A piece may itself wait for other pieces: nobody waits for one that has not begun. For a few light pieces, of a
    millisecond or two, no helper is woken. Floating-point warnings are handled as they are where the work was gathered.
    """

    def __init__(self, pieces: Iterable[Callable[[], object]], *, light: bool = False) -> None:
        self._left = deque(pieces)
        self._n_helpers = min(n_threads(), len(self._left)) - 1 if len(self._left) > (_FEW if light else 1) else 0
        self._unfinished, self._lock, self._finished = len(self._left), Lock(), threading.Event()
        self._handling = np.geterr()
        self._error: BaseException | None = None

    def finish(self) -> None:
        """Return when all is done; raises what a piece has raised, in every thread."""
        with suppress(RuntimeError):  # the system gives no more threads: those that are there do all
            for _ in range(self._n_helpers if self._left else 0):
                _helpers().submit(self._take_part)
        self._take_part()
        if self._unfinished:
            self._finished.wait()
        if self._error is not None:
            raise self._error

    def _take_part(self) -> None:
        with np.errstate(**self._handling):
            while self._left:
                try:
                    piece = self._left.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    piece()
                except BaseException as error:
                    self._error = error
                with self._lock:
                    self._unfinished -= 1
                    if not self._unfinished:
                        self._finished.set()


def side_by_side(work: Callable[[T], R], items: Iterable[T], *, light: bool = False) -> list[R]:
    """``[work(item) for item in items]``."""
    tasks = list(items)
    results: dict[int, R] = {}

    def one(number: int, item: T) -> None:
        results[number] = work(item)

    TaskGroup((partial(one, number, item) for number, item in enumerate(tasks)), light=light).finish()
    return [results[number] for number in range(len(tasks))]


def add_all(total: NDArray[Any], work: Callable[[T], NDArray[Any]], items: Iterable[T], *, light: bool = False) -> None:
    """``total += work(item)`` for each in turn: nothing is kept but what waits for its turn."""
    waiting: dict[int, NDArray[Any]] = {}
    lock, turn = Lock(), [0]

    def one(number: int, item: T) -> None:
        result = work(item)
        with lock:
            waiting[number] = result
            del result
            while turn[0] in waiting:
                np.add(total, waiting.pop(turn[0]), out=total)
                turn[0] += 1

    TaskGroup((partial(one, number, item) for number, item in enumerate(items)), light=light).finish()
