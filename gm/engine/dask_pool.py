"""Workers of a Dask cluster, each with an actor that holds what was compiled there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, final
from uuid import uuid4

from gm.datasets import Datasets
from gm.engine.crew import Tell
from gm.engine.parcels import Packing
from gm.engine.pool import Lost, Pool, Reply, Worker
from gm.engine.sharded import DEADLINE, ShardedEngine
from gm.engine.shards import Shard
from gm.engine.worker_state import Host, WorkerState, versions
from gm.errors import EngineError
from gm.parallel import n_threads

T = TypeVar("T")
_START = 60.0  # s for a worker to import what it needs
_SILENCE = 15.0  # s in which a worker that lives says so, however busy it is
_CONNECT = 15.0  # s


@final
@dataclass(frozen=True)
class Certificates:
    """Files for TLS: of the authority, and of this client."""

    ca: Path
    cert: Path
    key: Path


@final
@dataclass(frozen=True)
class Cluster:
    """Which one: the ``scheduler`` at an address, or in a file that it has written; without one, ``n_workers``
    processes of this machine."""

    scheduler: str | None = None
    certificates: Certificates | None = None
    n_workers: int | None = None


@final
class DaskEngine(ShardedEngine):
    """Shards on the workers of a Dask cluster."""

    def __init__(self, cluster: Cluster, deadline: float = DEADLINE, tell: Tell | None = None) -> None:
        super().__init__(deadline, tell)
        self.cluster = cluster

    def open(self, datasets: Datasets) -> Pool:
        return DaskPool(self.cluster)

    def is_worth(self, shards: Sequence[Shard]) -> bool:
        return bool(shards)


@final
class DaskPool(Pool):
    """Workers of a cluster that is running, or of one that is started here and bound to this machine. Raises
    `EngineError`."""

    def __init__(self, cluster: Cluster) -> None:
        distributed = _distributed()
        self._local: Any = None
        self._actors: dict[str, tuple[Worker, Any]] = {}
        self._given_up: set[str] = set()
        self._packing = Packing()
        self._where = cluster.scheduler or "this machine"
        try:
            if cluster.scheduler is None:
                self._local = _local_cluster(distributed, cluster.n_workers or n_threads())
            address = {"address": self._local} if self._local else _address(cluster.scheduler or "")
            self._client = distributed.Client(
                **address,
                security=_security(distributed, cluster.scheduler or "", cluster.certificates),
                timeout=_CONNECT,
                set_as_default=False,
                direct_to_workers=True,
                name="gm",
            )
        except (OSError, ValueError, RuntimeError) as error:
            self._close_local()
            raise EngineError(f"no scheduler at {self._where}: {_text(error)}") from error
        if cluster.n_workers is not None:
            with suppress(TimeoutError):
                self._client.wait_for_workers(cluster.n_workers, timeout=_START)

    def workers(self) -> Mapping[str, Worker]:
        there = self._asked(lambda: dict(self._client.nthreads()))
        for name in self._actors.keys() - there.keys():
            del self._actors[name]
        new = [name for name in there if name not in self._actors and name not in self._given_up]
        futures = {name: self._start(name, there[name]) for name in new}
        for name, future in futures.items():
            with suppress(Lost):
                self._actors[name] = self._hired(name, future)
        return {name: worker for name, (worker, _) in self._actors.items()}

    def _start(self, name: str, n: int) -> Any:
        """The future of an actor on a worker."""
        key = f"gm-{uuid4().hex}"
        where = {"workers": [name], "allow_other_workers": False}
        return self._client.submit(WorkerState, (), n, actor=True, key=key, pure=False, **where)

    def _hired(self, name: str, future: Any) -> tuple[Worker, Any]:
        """The worker, once it answers. Raises `Lost`, and `EngineError` where it is another gm."""
        try:
            actor = future.result(timeout=_START)
            with self._client.as_current():  # which the actor is bound to when it is first asked
                host: Host = actor.host().result(timeout=_START)
            memory = actor.memory().result(timeout=_START)
        except (ImportError, AttributeError) as error:
            raise EngineError(
                f"gm cannot be imported on worker {name}: {error}\n    install the same gm there"
            ) from error
        except (OSError, RuntimeError, asyncio.CancelledError) as error:
            self._given_up.add(name)
            raise Lost(_text(error)) from error
        if host.versions != versions():
            there, here = ", ".join(host.versions), ", ".join(versions())
            raise EngineError(f"worker {name} on {host.name} has other versions: {there}\n    here: {here}")
        return Worker(name, host.name, memory), actor

    def _asked(self, question: Callable[[], T]) -> T:
        """What the scheduler says. Raises `EngineError` when it is gone."""
        try:
            if self._client.status != "running":
                raise OSError("the connection was closed")
            return question()
        except (OSError, RuntimeError, asyncio.CancelledError) as error:
            raise EngineError(f"the scheduler at {self._where} is gone: {_text(error)}") from error

    def send(self, worker: str, messages: bytes) -> Reply:
        if worker not in self._actors:
            raise Lost("is not part of the cluster any more")
        try:
            return _Answer(self._actors[worker][1].serve(messages))
        except RuntimeError as error:
            raise Lost(_text(error)) from error

    def is_there(self, worker: str) -> bool:
        """A worker's own loop answers while its threads compute; not so when it is stopped, or its machine gone."""
        if self._client.status != "running":
            return False

        async def ask() -> None:
            await asyncio.wait_for(self._client.rpc(worker).identity(), _SILENCE)

        try:
            self._client.sync(ask)
        except (OSError, RuntimeError, asyncio.CancelledError):
            return False
        return True

    def drop(self, worker: str) -> None:
        self._given_up.add(worker)
        self._actors.pop(worker, None)

    def packing(self) -> Packing:
        return self._packing

    def close(self) -> None:
        self._actors.clear()
        with suppress(Exception):  # what is gone needs no closing
            self._client.close(timeout=5)
        self._close_local()

    def _close_local(self) -> None:
        if self._local is not None:
            with suppress(Exception):
                self._local.close(timeout=5)
            self._local = None


@final
class _Answer(Reply):
    def __init__(self, future: Any) -> None:
        self._future = future

    def get(self, seconds: float) -> bytes:
        try:
            return bytes(self._future.result(timeout=seconds))
        except TimeoutError:
            raise
        except (OSError, RuntimeError, asyncio.CancelledError) as error:
            raise Lost(_text(error)) from error


def silence() -> None:
    """Have Dask log nothing by itself: what matters comes back as an error."""
    with suppress(ImportError):
        import distributed  # noqa: F401  # which sets the levels of its loggers, of some by name
    loud = ("distributed", "tornado", "asyncio")
    for name in (*loud, *logging.root.manager.loggerDict):
        if name.split(".")[0] in loud:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise EngineError("the engine 'dask' needs more: pip install \"gamma-global-model[dask]\"") from error
    return distributed


def _local_cluster(distributed: Any, n_workers: int) -> Any:
    """Processes that nobody from outside can reach.

    Whoever interrupts their start waits for it: a cluster that is half started cannot be ended.
    """
    start = partial(
        distributed.LocalCluster,
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any free port: another cluster has the usual one
        worker_dashboard_address=None,
    )
    with ThreadPoolExecutor(1) as beside:
        cluster = beside.submit(start)
        try:
            return cluster.result()
        except KeyboardInterrupt:
            cluster.result().close(timeout=5)
            raise


def _address(scheduler: str) -> dict[str, str]:
    if "://" in scheduler:
        return {"address": scheduler}
    if not Path(scheduler).is_file():
        raise ValueError("neither an address, as tcp://127.0.0.1:8786, nor a file that a scheduler has written")
    return {"scheduler_file": scheduler}


def _security(distributed: Any, scheduler: str, certificates: Certificates | None) -> Any:
    if certificates is None:
        found = distributed.Security()  # what Dask's own configuration says
        if scheduler.startswith("tls://") and not found.get_connection_args("client").get("ssl_context"):
            raise ValueError(
                "an encrypted connection needs certificates\n    engine: {tls: {ca: ..., cert: ..., key: ...}}"
            )
        return found
    return distributed.Security(
        require_encryption=True,
        tls_ca_file=str(certificates.ca),
        tls_client_cert=str(certificates.cert),
        tls_client_key=str(certificates.key),
    )


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
