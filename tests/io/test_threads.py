"""Work on threads, and what happens where there are none."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from gm.io.threads import in_threads


@pytest.mark.parametrize(("n_threads", "chunk"), [(1, 1), (4, 1), (4, 3), (1000, 1)])
def test_results_are_in_order(n_threads: int, chunk: int) -> None:
    assert list(in_threads(lambda x: x * x, range(20), n_threads, chunk)) == [x * x for x in range(20)]
    assert list(in_threads(lambda x: x, [], n_threads, chunk)) == []


def test_errors_are_those_of_the_work() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda x: 1 / x, [1, 0, 1], 2))


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert list(in_threads(lambda x: x, range(5), 4)) == list(range(5))
