"""Plain data that may be anything: what of it has the shape that is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(data: object) -> Mapping[str, Any] | None:
    """The mapping that the data are, or None."""
    return data if isinstance(data, Mapping) else None


def text(data: object) -> str | None:
    """The text that the data are, or None."""
    return data if isinstance(data, str) else None


def entry(data: object, key: str) -> Any:
    """What a mapping has under a key; None without it, and of what is no mapping."""
    return data.get(key) if isinstance(data, Mapping) else None


def rows(data: object) -> list[Any] | None:
    """The list that the data are, or None."""
    return data if isinstance(data, list) else None


def names(data: object) -> tuple[str, ...] | None:
    """A name or a list of names as names; None for anything else."""
    given = [data] if isinstance(data, str) else data
    return tuple(given) if isinstance(given, list) and all(isinstance(name, str) for name in given) else None
