"""Names that shell patterns mean."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matching(names: Iterable[str], patterns: str | Iterable[str]) -> list[str]:
    """Those of ``names``, in their order, that a shell pattern or one of several means.

    A pattern that is one of the names means that name alone: ``run [1]`` is no set of characters where there is one.
    """
    names = list(names)
    known, found = set(names), set[str]()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found.update([pattern] if pattern in known else (name for name in names if fnmatchcase(name, pattern)))
    return [name for name in names if name in found]
