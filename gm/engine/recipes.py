"""How what workers hold is made, so that it can be made again on another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from gm.engine.messages import Compile, Derive, Learn
from gm.engine.parcels import Packing
from gm.engine.shards import Shard
from gm.engine.worker_state import Message, Place

SETUP = -1
"""In place of the number of a shard: what all shards share."""

Step = tuple[Place, Callable[[], Message]]


class Recipe(ABC):
    """Makes one thing for each shard."""

    number: int

    @abstractmethod
    def steps(self, shard: Shard) -> list[Step]:
        """All that has to be held for it, in order, and the messages that make it."""

    def place(self, shard: Shard) -> Place:
        """Where a worker holds it."""
        return self.number, shard.number


@final
@dataclass(frozen=True, eq=False)
class Compilation(Recipe):
    """Terms of datasets. setup : pickled; before : a compilation of which something may be taken over"""

    number: int
    setup: bytes
    packing: Packing
    before: Recipe | None = None

    def steps(self, shard: Shard) -> list[Step]:
        def make() -> Message:
            known = None if self.before is None else self.before.place(shard)
            return Compile(self.place(shard), [self.packing.pack(dataset) for dataset in shard.datasets], known)

        return [((self.number, SETUP), lambda: Learn(self.number, self.setup)), (self.place(shard), make)]


@final
@dataclass(frozen=True, eq=False)
class Derived(Recipe):
    """What something that is held makes of ``arguments``, which differ from shard to shard."""

    number: int
    of: Recipe
    name: str
    arguments: Callable[[Shard], Sequence[Any]]

    def steps(self, shard: Shard) -> list[Step]:
        def make() -> Message:
            return Derive(self.place(shard), self.of.place(shard), self.name, self.arguments(shard))

        return [*self.of.steps(shard), (self.place(shard), make)]
