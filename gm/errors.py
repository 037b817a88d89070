"""The error tree of gm, and the exit code that each branch means.

::

    GmError                 70  a bug in gm, when raised bare
    ├── UsageError           2  wrong command line, or a wrong call
    │   └── ReadOnlyError       an attribute of a value is set
    ├── InvalidInput         3  config, models or datasets file is invalid (carries every problem found)
    ├── DataError            4  data cannot be used: missing, damaged, inconsistent, or an output that cannot be written
    ├── EngineError          5  workers lost, scheduler unreachable
    └── Interrupted        130  interrupted; everything finished before is kept

Everything below ``gm.cli`` raises these and nothing prints; only ``gm.cli`` turns them into text and exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

JsonPath = tuple[str | int, ...]

_NEAR = 0.4  # ratio of a name's likeness from which it is listed before others


class GmError(Exception):
    """Root of everything that gm raises on purpose."""

    exit_code = 70


class UsageError(GmError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ReadOnlyError(UsageError, AttributeError):
    """Somebody sets an attribute of a value, which stays as it is."""


class DataError(GmError):
    """Data cannot be used: missing, damaged or inconsistent; or a result cannot be written."""

    exit_code = 4


class EngineError(GmError):
    """Where the likelihood is computed has failed: workers lost, scheduler unreachable."""

    exit_code = 5


class Interrupted(GmError):
    """The user interrupted; everything finished before is kept."""

    exit_code = 130


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with an input file: where, what, and a hint. ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text


class InvalidInput(GmError):
    """A config, models or datasets document is invalid; carries every problem, sorted by place."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


def format_path(path: JsonPath) -> str:
    """A path of keys and indices as text: ``$.components[0].name``."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def suggest(
    word: object, allowed: Iterable[str], label: str = "allowed", limit: int = 12, *, parts: bool = False
) -> str:
    """One line that lists what is allowed and, when one is near, the name that was probably meant.

    Of more names than ``limit`` the nearest are listed. parts : a name that contains the word is near too
    """
    names, text = list(dict.fromkeys(allowed)), str(word)
    if not names:
        return ""
    near = get_close_matches(text, names, n=1)
    if parts and text and not near:
        near = [name for name in names if text.lower() in name.lower()]
    shown = names
    if len(names) > limit:
        nearest = get_close_matches(text, names, n=limit, cutoff=_NEAR)
        shown = list(dict.fromkeys([*near, *nearest, *names]))[:limit]
    listed = f"{label}: {', '.join(shown)}" + (f", ... ({len(names)})" if len(names) > limit else "")
    return listed + (f"      did you mean '{near[0]}'?" if near else "")
