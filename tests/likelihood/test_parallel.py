"""Work in threads: all of it, once, in order, with its errors."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NoReturn

import numpy as np
import pytest

from gm import parallel
from gm.arrays import Array
from gm.parallel import TaskGroup, add_all, own_room, side_by_side


def test_results_are_in_order() -> None:
    def slower_first(k: int) -> int:
        time.sleep(0.002 * (10 - k))
        return k * k

    assert side_by_side(slower_first, range(10)) == [k * k for k in range(10)]
    assert side_by_side(slower_first, []) == []


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel, "_helpers", cache(lambda: ThreadPoolExecutor(4)))
    monkeypatch.setattr(parallel, "n_threads", lambda: 4)
    monkeypatch.setattr(threading.Thread, "start", refused)
    assert side_by_side(lambda k: k * k, range(10)) == [k * k for k in range(10)]


def test_each_piece_is_done_once_by_all_who_wait() -> None:
    """Pieces that wait for each other end only where two threads work."""
    done: list[int] = []
    meeting = threading.Barrier(2, timeout=20)

    def piece(k: int) -> None:
        if k < 2:
            meeting.wait()
        done.append(k)

    work = TaskGroup(lambda k=k: piece(k) for k in range(20))
    other = threading.Thread(target=work.finish)
    other.start()
    work.finish()
    other.join(20)
    assert sorted(done) == list(range(20))
    work.finish()
    assert len(done) == 20


def test_work_inside_of_work() -> None:
    def outer(k: int) -> int:
        return sum(side_by_side(lambda i: i + k, range(30)))

    assert side_by_side(outer, range(30)) == [435 + 30 * k for k in range(30)]


def test_an_error_reaches_the_one_who_waits() -> None:
    def piece(k: int) -> int:
        if k == 3:
            raise KeyError("three")
        return k

    with pytest.raises(KeyError, match="three"):
        side_by_side(piece, range(8))


def test_warnings_are_handled_as_where_the_work_was_gathered() -> None:
    def divide(k: int) -> float:
        return float(np.float64(1.0) / np.float64(0.0 * k))

    with np.errstate(divide="ignore"):
        assert side_by_side(divide, range(20)) == [np.inf] * 20
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        side_by_side(divide, range(20))


def test_each_thread_has_its_own_room() -> None:
    own_room(4, 5)[:] = 1.0
    other = threading.Thread(target=lambda: own_room(4, 5).fill(2.0))
    other.start()
    other.join()
    assert (own_room(2, 3) == 1.0).all()
    assert own_room(100, 2).shape == (100, 2)


def test_a_sum_is_in_order_and_keeps_little() -> None:
    """The first is done last: the others wait, and are added after it as in a loop, to the last bit."""
    parts = np.random.default_rng(1).normal(size=(40, 3)) * np.logspace(0, 12, 40)[:, None]
    expected, total = np.zeros(3), np.zeros(3)
    for part in parts:
        expected += part

    def work(k: int) -> Array:
        if k == 0:
            time.sleep(0.02)
        return parts[k]

    add_all(total, work, range(40))
    np.testing.assert_array_equal(total, expected)


def test_a_sum_holds_no_part_that_is_added() -> None:
    alive = list[weakref.ref[Array]]()

    def work(k: int) -> Array:
        assert sum(one() is not None for one in alive) <= parallel.n_threads()
        part = np.full(5, float(k))
        alive.append(weakref.ref(part))
        return part

    total = np.zeros(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "n_threads", lambda: 1)
        add_all(total, work, range(30))
    np.testing.assert_array_equal(total, np.full(5, 435.0))
