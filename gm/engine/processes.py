"""Processes of this machine as workers: copies of this one, which have its datasets without reading or sending them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import warnings
from collections.abc import Mapping, Sequence
from logging import getLogger
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn, final

from gm.datasets import Dataset, Datasets
from gm.engine.crew import Tell
from gm.engine.parcels import Packing
from gm.engine.pool import Lost, Pool, Reply, Worker
from gm.engine.sharded import DEADLINE, ShardedEngine
from gm.engine.shards import Shard
from gm.engine.worker_state import WorkerState
from gm.io.processes import can_fork
from gm.parallel import n_threads

log = getLogger(__name__)
_SIGNALS = {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}


LEAST = 3
"""Processors for which processes may be faster than threads: on two both take as long."""


def may_pay(n_workers: int, n_shards: int) -> bool:
    """Whether there is anything to share out."""
    return n_workers > 1 and n_shards > 1


@final
class ProcessEngine(ShardedEngine):
    """Processes for datasets in several shards: maps, each with kernels of its own, and thousands of spectra.

    least : processors for which processes are taken; with fewer, threads of this one
    """

    def __init__(self, n_workers: int, deadline: float = DEADLINE, tell: Tell | None = None, least: int = 1) -> None:
        super().__init__(deadline, tell)
        self.n_workers, self.least = n_workers, least

    def open(self, datasets: Datasets) -> Pool:
        return ProcessPool(datasets, self.n_workers)

    def is_worth(self, shards: Sequence[Shard]) -> bool:
        return can_fork() and n_threads() >= self.least and may_pay(self.n_workers, len(shards))


@final
class ProcessPool(Pool):
    """Copies of this process. They end when it does."""

    def __init__(self, datasets: Sequence[Dataset], n: int) -> None:
        self._datasets, self._n = list(datasets), n
        self._children: dict[str, _Child] = {}
        self._packing = Packing(self._datasets)

    def workers(self) -> Mapping[str, Worker]:
        try:
            while len(self._children) < self._n:
                child = _Child.start(self._datasets, max(1, n_threads() // self._n), list(self._children.values()))
                self._children[str(child.process)] = child
        except OSError as error:
            log.warning("%d of %d processes: no more can be started: %s", len(self._children), self._n, error.strerror)
        return {name: Worker(name, f"{socket.gethostname()}, process {name}") for name in self._children}

    def send(self, worker: str, messages: bytes) -> Reply:
        return self._children[worker].send(messages)

    def is_there(self, worker: str) -> bool:
        return True  # else its pipe would say so

    def drop(self, worker: str) -> None:
        self._children.pop(worker).end()

    def packing(self) -> Packing:
        return self._packing

    def close(self) -> None:
        while self._children:
            self._children.popitem()[1].end()


@final
class _Child:
    """A running copy."""

    def __init__(self, process: int, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self._waiting: list[_Answer] = []

    @classmethod
    def start(cls, datasets: Sequence[Dataset], n_threads: int, others: Sequence[_Child]) -> _Child:
        ours, theirs = Pipe()
        with warnings.catch_warnings():
            # Python >= 3.12 warns of copies beside other threads; `gm.parallel` starts its own anew
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            _run(WorkerState(datasets, n_threads), theirs, [ours, *(other.pipe for other in others)])
        theirs.close()
        return cls(process, ours)

    def send(self, messages: bytes) -> _Answer:
        """An answer that nobody has waited for comes first."""
        while self._waiting:
            self._waiting[0].wait(None)
        try:
            self.pipe.send_bytes(messages)
        except OSError:
            raise Lost(self.how_it_ended()) from None
        answer = _Answer(self)
        self._waiting.append(answer)
        return answer

    def receive(self, seconds: float | None) -> bytes:
        try:
            if not self.pipe.poll(seconds):
                raise TimeoutError
            data = self.pipe.recv_bytes()
        except (EOFError, ConnectionError):
            raise Lost(self.how_it_ended()) from None
        self._waiting.pop(0)
        return data

    def how_it_ended(self) -> str:
        """In words; the process is not there any more."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = 0
        name = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        return f"the process was ended ({name})"

    def end(self) -> None:
        self.pipe.close()
        if self.process:
            with contextlib.suppress(OSError):
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)


@final
class _Answer(Reply):
    """Of a copy, which answers in order."""

    def __init__(self, child: _Child) -> None:
        self._child, self._data = child, b""

    def wait(self, seconds: float | None) -> bytes:
        self._data = self._data or self._child.receive(seconds)
        return self._data

    def get(self, seconds: float) -> bytes:
        return self.wait(seconds)


def _run(state: WorkerState, pipe: Connection, others: Sequence[Connection]) -> NoReturn:
    """What a copy does. It holds no end of a pipe that is not its own, so that it hears when the parent is gone."""
    try:
        for number, handler in _SIGNALS.items():
            signal.signal(number, handler)  # Ctrl-C reaches all processes; the parent tells of it
        for other in others:
            other.close()
        while True:
            pipe.send_bytes(state.serve(pipe.recv_bytes()))
    except BaseException:  # the parent is gone
        pass
    finally:
        os._exit(0)
