"""The file that a dataset was read from, and what was replaced in it since: how another process can have it too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, final

D = TypeVar("D")


class Listed(Protocol):
    """An entry of a datasets.yaml."""

    @property
    def path(self) -> Path: ...


@final
@dataclass(frozen=True)
class Origin:
    """``changed``: the fields of the dataset that are no more as in the file of its ``entry``."""

    entry: Listed
    changed: frozenset[str] = frozenset()


def origin_of(dataset: object) -> Origin | None:
    """Where a dataset comes from; None for one that was made in memory."""
    return vars(dataset).get("origin")


def read_from(dataset: D, entry: Listed) -> D:
    """The same dataset, which knows where it was read."""
    vars(dataset)["origin"] = Origin(entry)
    return dataset


def followed(made: D, before: object, changed: Iterable[str]) -> D:
    """A copy of a dataset with some fields replaced, which knows where the others were read."""
    origin = origin_of(before)
    if origin is not None:
        vars(made)["origin"] = replace(origin, changed=origin.changed.union(changed))
    return made
