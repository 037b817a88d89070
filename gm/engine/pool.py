"""Workers as such: processes of this machine, or of a cluster. What goes to them and comes back is bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from gm.engine.parcels import Packing


class Lost(Exception):
    """A worker is gone, or does not answer; the text says why."""


@final
@dataclass(frozen=True)
class Worker:
    """One of them. host : the machine that it is on; memory : it may use [bytes], None where nothing is said."""

    name: str
    host: str
    memory: float | None = None


class Reply(ABC):
    """What a worker will answer."""

    @abstractmethod
    def get(self, seconds: float) -> bytes:
        """The answer. Raises `TimeoutError` when it is not there after some time, and `Lost`."""


class Pool(ABC):
    """Workers, each of which has a `WorkerState`."""

    @abstractmethod
    def workers(self) -> Mapping[str, Worker]:
        """Those that are there now, by name. Raises `EngineError` when nobody can say."""

    @abstractmethod
    def send(self, worker: str, messages: bytes) -> Reply:
        """Pickled messages to one worker, which does them in order. Raises `Lost`."""

    @abstractmethod
    def is_there(self, worker: str) -> bool:
        """Whether a worker that is late with its answer shows any life."""

    @abstractmethod
    def drop(self, worker: str) -> None:
        """Have nothing more to do with a worker, whatever it is doing."""

    @abstractmethod
    def packing(self) -> Packing:
        """How datasets are sent."""

    @abstractmethod
    def close(self) -> None:
        """End what was started for this pool; a cluster of somebody else goes on without what was kept there."""
