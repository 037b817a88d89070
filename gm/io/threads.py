"""Threads that wait for disks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 32


def in_threads(work: Callable[[T], R], items: Iterable[T], n_threads: int, chunk: int = 1) -> Iterator[R]:
    """``map(work, items)`` on threads, each taking ``chunk`` items at a time; here where none can be started."""
    tasks = list(items)
    chunks = [tasks[start : start + chunk] for start in range(0, len(tasks), chunk)]
    n_threads = min(n_threads, len(chunks), MOST_THREADS)
    if n_threads < 2:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            futures = [pool.submit(lambda part: [work(task) for task in part], part) for part in chunks]
        except RuntimeError:  # the system gives no more threads
            pool.shutdown(wait=False, cancel_futures=True)
            yield from map(work, tasks)
            return
        try:
            for future in futures:
                yield from future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
