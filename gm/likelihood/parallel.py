"""The terms of several datasets at the same time, in threads: NumPy and the transforms release the interpreter.

What is returned stays in the order of the terms, so that sums of it do not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

T = TypeVar("T")
R = TypeVar("R")


def n_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="gm")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a copy of the process


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]``; floating-point warnings are handled as they are here."""
    tasks = list(items)
    if len(tasks) < 2 or n_threads() < 2:
        return [work(item) for item in tasks]
    handling = np.geterr()

    def quietly(item: T) -> R:
        with np.errstate(**handling):
            return work(item)

    return list(_pool().map(quietly, tasks))
