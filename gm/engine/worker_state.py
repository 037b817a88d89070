"""What a worker holds: compiled terms, by number, and how it answers messages."""

from __future__ import annotations

import os
import pickle
import platform
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np

from gm.datasets import Dataset
from gm.errors import EngineError
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models
from gm.parallel import share_processors
from gm.version import __version__

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


@cache
def versions() -> tuple[str, ...]:
    """Those on which numbers depend; of gm its source too, since a checkout keeps its version from commit to commit."""
    others = (f"{name} {version(name)}" for name in ("numpy", "scipy", "astropy"))
    return f"gm {__version__} ({_source()})", *others, f"python {platform.python_version()}"


def _source() -> str:
    """A hash of all modules of gm."""
    root, found = Path(__file__).parents[1], sha256()
    for file in sorted(root.rglob("*.py")):
        found.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return f"source {found.hexdigest()[:8]}"


@final
@dataclass(frozen=True, eq=False)
class Setup:
    """The models of a compilation, and how they are compiled. apart : components whose spectra are computed by the one
    shard that reads them"""

    models: Models
    layout: Layout
    treatment: Treatment
    apart: frozenset[str] = frozenset()


class Message(ABC):
    """One thing for a worker to do."""

    @abstractmethod
    def act(self, state: WorkerState) -> Any:
        """Do it, and answer. Whatever is raised goes back."""


@final
class WorkerState:
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
