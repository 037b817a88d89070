"""Which worker has which shard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import final

from gm.engine.pool import Worker
from gm.engine.shards import Shard
from gm.errors import EngineError

_LIVES = 3  # workers that are lost, one after the other, with the same shard


@final
class Placement:
    """Shards keep their worker as long as it is there.

    workers : those that there are, by name
    """

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self._home: dict[str, str] = {}
        self._memory: dict[str, float] = {}
        self._refused: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._losses: Counter[str] = Counter()
        self._last_loss = ""

    def homeless(self, shards: Iterable[Shard]) -> list[Shard]:
        """Those without a worker."""
        return [shard for shard in shards if shard.key not in self._home]

    def home(self, shard: Shard) -> Worker:
        """The worker that has it."""
        return self.workers[self._home[shard.key]]

    def settle(self, shards: Collection[Shard], workers: Mapping[str, Worker]) -> None:
        """Give each of some shards a worker: the largest first, to whoever has most room left. Raises `EngineError`."""
        self.workers = dict(workers)
        self._home = {key: name for key, name in self._home.items() if name in workers}
        load = dict.fromkeys(workers, 0.0)
        for key, name in self._home.items():
            load[name] += self._memory[key]
        for shard in sorted(shards, key=lambda shard: -shard.memory):
            allowed = [name for name in load if name not in self._refused[shard.key]]
            if not allowed:
                raise EngineError(f"no worker can do {shard}" + self._why(shard))
            home = min(allowed, key=lambda name: load[name] / (self.workers[name].memory or 1e9))
            self._home[shard.key], self._memory[shard.key] = home, shard.memory
            load[home] += shard.memory

    def _why(self, shard: Shard) -> str:
        texts = [*self._refused[shard.key].values(), *([self._last_loss] if self._last_loss else [])]
        return "".join(f"\n    {text}" for text in dict.fromkeys(texts))

    def refuse(self, shard: Shard, why: str) -> None:
        """Its worker cannot have it."""
        home = self.home(shard)
        self._refused[shard.key][home.name] = f"{home.host}: {why}"
        del self._home[shard.key]

    def lose(self, worker: Worker, why: str, busy_with: Iterable[Shard]) -> None:
        """A worker is gone, while it was busy. Raises `EngineError` where a shard has taken too many with it."""
        self.workers.pop(worker.name, None)
        self._home = {key: name for key, name in self._home.items() if name != worker.name}
        self._last_loss = f"{worker.host}: {why}"
        for shard in busy_with:
            self._losses[shard.key] += 1
            if self._losses[shard.key] == _LIVES:
                needed = f"predicted to take {shard.memory / 1e6:.0f} MB"
                raise EngineError(f"{_LIVES} workers were lost with {shard}, {needed}\n    {self._last_loss}")

    def last_loss(self) -> str:
        """Which worker was lost last, and why; empty where none was."""
        return self._last_loss

    def did(self, shards: Iterable[Shard]) -> None:
        """A worker has answered for some shards."""
        for shard in shards if self._losses else ():
            self._losses.pop(shard.key, None)
