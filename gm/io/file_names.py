"""Names of files for things with names of their own: possible on every disk, and no two in one file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count

_FORBIDDEN = frozenset('/\\ :*?"<>|$~' + "".join(map(chr, (*range(32), 127))))


def file_stem(name: str) -> str:
    """A name as the stem of a file: what cannot be in one, or would be expanded, becomes ``_``."""
    return "".join("_" if character in _FORBIDDEN else character for character in name).lstrip(".") or "_"


def distinct(names: Iterable[str]) -> list[str]:
    """The same names, but for those that an earlier one has taken: they get the first `numbered` one that is free."""
    taken: set[str] = set()
    found = []
    for name in names:
        found.append(next(free for free in numbered(name) if same_file(free) not in taken))
        taken.add(same_file(found[-1]))
    return found


def numbered(name: str) -> Iterator[str]:
    """``t.fits``, ``t-2.fits``, ``t-3.fits``, ..."""
    stem, dot, suffix = name.partition(".")
    return (f"{stem}{'' if number == 1 else f'-{number}'}{dot}{suffix}" for number in count(1))


def same_file(name: str) -> str:
    """What is equal for names that are one file on some disk: upper and lower case, and spellings of accents."""
    return unicodedata.normalize("NFC", name).casefold()
