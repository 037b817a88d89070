"""Copies of the process: the same results in order, whatever becomes of them."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gm.io.processes import can_fork, in_processes, most_processes

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system makes no copies of processes")
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize(("n_processes", "chunk"), [(1, 3), (2, 3), (3, 1), (100, 7)])
def test_results_are_in_order(n_processes: int, chunk: int) -> None:
    before = children()
    found = list(in_processes(lambda x: (x, os.getpid()), range(50), n_processes, chunk))
    assert [x for x, _ in found] == list(range(50))
    assert len({pid for _, pid in found}) == min(n_processes, -(-50 // chunk), most_processes())
    assert os.getpid() not in {pid for _, pid in found}
    assert children() == before


def test_what_is_raised_there_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_processes(lambda x: 1 // x, [1, 1, 0, 1], 2, 1))


def test_the_work_of_a_killed_copy_is_done_here() -> None:
    parent = os.getpid()

    def work(x: int) -> int:
        if x in (4, 5) and os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    assert list(in_processes(work, range(20), 3, 2)) == list(range(20))


def test_copies_are_gone_when_nobody_wants_their_results() -> None:
    before = children()
    results = in_processes(lambda x: bytes(1 << 20), range(50), 3, 1)
    next(results)
    assert len(children() - before) == 3
    results.close()  # type: ignore[attr-defined]  # of a generator
    assert children() == before


def test_no_more_copies_can_be_started(caplog: pytest.LogCaptureFixture) -> None:
    before, (soft, hard) = children(), resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 6, hard))
    try:
        with caplog.at_level(logging.WARNING, "gm"):
            assert list(in_processes(lambda x: x, range(50), 30, 1)) == list(range(50))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "one process does all: no more can be started: Too many open files" in caplog.text
    assert children() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_copies_end_with_their_parent(number: int) -> None:
    code = """
import os, signal, time
from gm.io.processes import in_processes
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has set aside
def work(x):
    os.write(1, b"%d\\n" % os.getpid())  # at once: two copies write here
    time.sleep(0.01)
    return bytes(1 << 20)
for _ in in_processes(work, range(10**6), 2, 1): pass
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=HERE)
    assert process.stdout is not None
    pids = {int(process.stdout.readline()) for _ in range(10)}
    process.send_signal(number)
    process.stdout.read()  # until the last copy, which holds it too, is gone
    process.communicate()
    for _ in range(1000):
        if not any(Path(f"/proc/{pid}/task").exists() for pid in pids):
            return
        time.sleep(0.01)
    raise AssertionError("copies are still there")
