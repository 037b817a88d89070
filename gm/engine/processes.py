"""Processes of this machine as workers: copies of this one, which have its datasets without reading or sending them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
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
        return ProcessPool(datasets, self.n_workers, self._deadline)

    def is_worth(self, shards: Sequence[Shard]) -> bool:
        return can_fork() and n_threads() >= self.least and may_pay(self.n_workers, len(shards))


@final
class ProcessPool(Pool):
    """Copies of this process. They end when it does.

    deadline : time [s] after which a copy that takes nothing in, or has begun to answer and does not go on, is given up
    """

    def __init__(self, datasets: Sequence[Dataset], n: int, deadline: float) -> None:
        self._datasets, self._n, self._deadline = list(datasets), n, deadline
        self._children: dict[str, _Child] = {}
        self._packing = Packing(self._datasets)

    def workers(self) -> Mapping[str, Worker]:
        try:
            while len(self._children) < self._n:
                child = self._start(max(1, n_threads() // self._n))
                self._children[str(child.process)] = child
        except OSError as error:
            log.warning("%d of %d processes: no more can be started: %s", len(self._children), self._n, error.strerror)
        return {name: Worker(name, f"{socket.gethostname()}, process {name}") for name in self._children}

    def _start(self, n_threads: int) -> _Child:
        return _Child.start(self._datasets, n_threads, list(self._children.values()), self._deadline)

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

    def __init__(self, process: int, pipe: Connection, deadline: float) -> None:
        self.process, self.pipe, self._deadline = process, pipe, deadline
        self._waiting: list[_Answer] = []

    @classmethod
    def start(cls, datasets: Sequence[Dataset], n_threads: int, others: Sequence[_Child], deadline: float) -> _Child:
        ours, theirs = Pipe()
        _limit(ours, deadline)
        with warnings.catch_warnings():
            # Python >= 3.12 warns of copies beside other threads; `gm.parallel` starts its own anew
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            _run(WorkerState(datasets, n_threads), theirs, [ours, *(other.pipe for other in others)])
        theirs.close()
        return cls(process, ours, deadline)

    def send(self, messages: bytes) -> _Answer:
        """An answer that nobody has waited for comes first."""
        try:
            while self._waiting:
                self._waiting[0].get(self._deadline)
            self.pipe.send_bytes(messages)
        except (BlockingIOError, TimeoutError):
            raise Lost(self._hangs()) from None
        except OSError:
            raise Lost(self.how_it_ended()) from None
        answer = _Answer(self)
        self._waiting.append(answer)
        return answer

    def receive(self, seconds: float) -> bytes:
        if not self.pipe.poll(seconds):
            raise TimeoutError
        try:
            data = self.pipe.recv_bytes()
        except BlockingIOError:
            raise Lost(self._hangs()) from None
        except (EOFError, OSError):  # before its answer, or in the middle of it
            raise Lost(self.how_it_ended()) from None
        self._waiting.pop(0)
        return data

    def _hangs(self) -> str:
        return f"the process does not go on for {self._deadline:.0f} s"

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

    def get(self, seconds: float) -> bytes:
        self._data = self._data or self._child.receive(seconds)
        return self._data


def _limit(end: Connection, seconds: float) -> None:
    """No write to this end of a pipe, and no read of what has begun to come, waits longer: `BlockingIOError`."""
    with socket.socket(fileno=os.dup(end.fileno())) as same:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            whole, part = divmod(round(1e6 * seconds), 1_000_000)
            same.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", whole, part))


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
