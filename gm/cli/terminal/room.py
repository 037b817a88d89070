"""How much room a command has for its tables: the width of the terminal, and whether all rows are wanted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TextIO

from gm.cli.terminal.output import is_terminal


@dataclass(frozen=True)
class Room:
    """width : columns, None for no end of them; every_row : whether long tables are whole"""

    width: int | None = None
    every_row: bool = False


_ROOM: ContextVar[Room] = ContextVar("room", default=Room())  # noqa: B039  # a value, which never changes


def room() -> Room:
    """What the command that runs has."""
    return _ROOM.get()


@contextmanager
def room_of_terminal(*, every_row: bool, stream: TextIO | None = None) -> Iterator[None]:
    """The width that ``COLUMNS`` says, or a terminal has; what is no terminal has no end.

    stream : where tables go, by default standard error
    """
    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdigit() and int(told) else None
    if width is None and is_terminal(stream):
        width = shutil.get_terminal_size().columns
    before = _ROOM.set(Room(width, every_row))
    try:
        yield
    finally:
        _ROOM.reset(before)
