"""How what workers hold is made, so that it can be made again on another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

    @property
    @abstractmethod
    def root(self) -> Compilation:
        """What it is made of in the end."""

    @abstractmethod
    def derivation(self, shard: Shard) -> list[Step]:
        """The steps that follow those of its root."""

    def place(self, shard: Shard) -> Place:
        """Where a worker holds it."""
        return self.number, shard.number


@final
@dataclass(frozen=True, eq=False)
class Compilation(Recipe):
    """Terms of datasets. setup : pickled; before : a compilation of which something may be taken over; past : by shard,
    what was asked that decides how images are folded, and is asked again where it is made again"""

    number: int
    setup: bytes
    packing: Packing
    before: Recipe | None = None
    past: defaultdict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))

    @property
    def root(self) -> Compilation:
        return self

    def derivation(self, shard: Shard) -> list[Step]:
        return []

    def steps(self, shard: Shard) -> list[Step]:
        def make() -> Message:
            known = None if self.before is None else self.before.place(shard)
            return Compile(self.place(shard), [self.packing.pack(dataset) for dataset in shard.datasets], known)

        again = [(self.place(shard), lambda message=message: message) for message in self.past.get(shard.number, ())]
        return [((self.number, SETUP), lambda: Learn(self.number, self.setup)), (self.place(shard), make), *again]


@final
@dataclass(frozen=True, eq=False)
class Derived(Recipe):
    """What something that is held makes of ``arguments``, which differ from shard to shard."""

    number: int
    of: Recipe
    name: str
    arguments: Callable[[Shard], Sequence[Any]]

    @property
    def root(self) -> Compilation:
        return self.of.root

    def derivation(self, shard: Shard) -> list[Step]:
        def make() -> Message:
            return Derive(self.place(shard), self.of.place(shard), self.name, self.arguments(shard))

        return [*self.of.derivation(shard), (self.place(shard), make)]

    def steps(self, shard: Shard) -> list[Step]:
        return [*self.root.steps(shard), *self.derivation(shard)]
