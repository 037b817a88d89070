"""What a worker holds, and the messages that it acts on."""

from __future__ import annotations

import os
import pickle
import platform
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm import __version__
from gm.datasets import Dataset, Datasets
from gm.engine.parcels import Parcel, Unseen, unseen
from gm.engine.shard import ShardTerms
from gm.errors import EngineError
from gm.likelihood import LocalEngine
from gm.likelihood.terms import LocalTerms
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models
from gm.parallel import share_processors

Place = tuple[int, int]
"""What is held: the number of what was asked for, and that of the shard."""


@final
@dataclass(frozen=True)
class Failure:
    """Instead of an answer: what was raised."""

    error: Exception


@final
@dataclass(frozen=True)
class Host:
    """Where a worker is, and what it has."""

    name: str
    process: int
    versions: tuple[str, ...]


def versions() -> tuple[str, ...]:
    """Those on which numbers depend."""
    return f"gm {__version__}", f"numpy {np.__version__}", f"python {platform.python_version()}"


class Message(ABC):
    """One thing for a worker to do."""

    @abstractmethod
    def act(self, bench: Bench) -> Any:
        """Do it, and answer. Whatever is raised goes back."""


@final
class Bench:
    """What a worker holds: compiled terms, and what was derived from them.

    datasets : those that it was born with
    """

    def __init__(self, datasets: Sequence[Dataset] = (), n_threads: int | None = None) -> None:
        self.datasets, self.setups, self.held = datasets, dict[int, Setup](), dict[Place, Any]()
        if n_threads is not None:
            share_processors(n_threads)

    def serve(self, messages: bytes) -> bytes:
        """As `answer`, pickled."""
        answers = self.answer(pickle.loads(messages))
        try:
            return pickle.dumps(answers, pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # an exception that does not travel
            return pickle.dumps([Failure(EngineError(f"{type(error).__name__}: {error}"))])

    def answer(self, messages: Sequence[Message]) -> list[Any]:
        """The answer to each message, up to the first that failed."""
        answers: list[Any] = []
        for message in messages:
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    answers.append(message.act(self))
            except Exception as error:
                answers.append(Failure(error))
                break
        return answers

    def host(self) -> Host:
        """Where it is."""
        return Host(socket.gethostname(), os.getpid(), versions())

    def memory(self) -> float | None:
        """What a worker of a cluster may use [bytes]; None where nothing is said."""
        from distributed import get_worker

        limit = get_worker().memory_manager.memory_limit
        return float(limit) if limit else None


@final
@dataclass(frozen=True, eq=False)
class Setup:
    """The models of a compilation, and how they are compiled."""

    models: Models
    layout: Layout
    treatment: Treatment


@final
@dataclass(frozen=True, eq=False)
class Learn(Message):
    """The setup of a compilation, pickled once for all workers."""

    number: int
    setup: bytes

    def act(self, bench: Bench) -> None:
        bench.setups[self.number] = pickle.loads(self.setup)


@final
@dataclass(frozen=True, eq=False)
class See(Message):
    """Whether files are what they are where the fit was started: why not, one text each."""

    parcels: Sequence[Parcel]

    def act(self, bench: Bench) -> list[str]:
        return unseen(self.parcels)


@final
@dataclass(frozen=True, eq=False)
class Compile(Message):
    """Compile the datasets of a shard; ``before``: what may be taken over, where it is held."""

    at: Place
    parcels: Sequence[Parcel]
    before: Place | None

    def act(self, bench: Bench) -> None:
        problems = unseen(self.parcels)
        if problems:
            raise Unseen("\n".join(problems))
        setup, known = bench.setups[self.at[0]], self._known(bench)
        datasets = Datasets(parcel.open(bench.datasets) for parcel in self.parcels)
        plan, terms = LocalEngine().compile(datasets, setup.models, setup.layout, setup.treatment, known)
        bench.held[self.at] = ShardTerms(plan, terms)

    def _known(self, bench: Bench) -> LocalTerms | None:
        held = bench.held.get(self.before) if self.before is not None else None
        return held.compiled if isinstance(held, ShardTerms) else None


@final
@dataclass(frozen=True, eq=False)
class Derive(Message):
    """Keep what something that is held makes of arguments."""

    at: Place
    of: Place
    name: str
    arguments: Sequence[Any]

    def act(self, bench: Bench) -> None:
        bench.held[self.at] = getattr(bench.held[self.of], self.name)(*self.arguments)


@final
@dataclass(frozen=True, eq=False)
class Ask(Message):
    """What something that is held says."""

    of: Place
    name: str
    arguments: Sequence[Any]

    def act(self, bench: Bench) -> Any:
        return getattr(bench.held[self.of], self.name)(*self.arguments)


@final
@dataclass(frozen=True)
class Forget(Message):
    """What was made under some numbers is needed no more."""

    numbers: frozenset[int]

    def act(self, bench: Bench) -> None:
        for number in self.numbers:
            bench.setups.pop(number, None)
        for place in [place for place in bench.held if place[0] in self.numbers]:
            del bench.held[place]
