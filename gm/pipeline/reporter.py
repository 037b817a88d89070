"""How the pipeline tells what it does, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives what happens, as it happens."""

    def say(self, text: str) -> None:
        """One line for a person."""

    def step(self, name: str, text: str, seconds: float) -> None:
        """A part of the work is done: what it was, what came out, how long it took."""

    def progress(self, name: str, done: int, total: int, text: str = "") -> None:
        """``done`` of ``total`` parts (0: unknown) of the work called ``name`` are finished; ``text`` says more."""


class Silent:
    """Listens to nothing."""

    def say(self, text: str) -> None:
        pass

    def step(self, name: str, text: str, seconds: float) -> None:
        pass

    def progress(self, name: str, done: int, total: int, text: str = "") -> None:
        pass
