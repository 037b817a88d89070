"""What the command line asks for, as one plain object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One run of one command on one config; ``None`` means: as the config says.

    ``overrides`` are texts ``PATH=VALUE``; ``output`` is relative to the current folder, not to the config; ``flags``
    are those of the command's own stage that were given.
    """

    config: str
    overrides: tuple[str, ...] = ()
    output: str | None = None
    workers: int | None = None
    engine: str | None = None
    scheduler: str | None = None
    force: bool = False
    flags: frozenset[str] = frozenset()
    command: tuple[str, ...] = ()
