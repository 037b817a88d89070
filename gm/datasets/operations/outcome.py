"""What an operation gives: datasets, models, and a statement of everything that became of the global model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from gm.arrays import Array
from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.errors import GmError
from gm.models import Component, Models

Action = Literal["carried", "baked", "new", "rescoped", "copied", "folded", "collapsed", "dropped"]

Predict: TypeAlias = Callable[[Dataset, Component], Array]
"""Predicted counts of one component in every bin of one dataset, whatever the masks, at the component's values."""


class Refused(GmError, ValueError):
    """An operation that cannot be done as asked; the hint says what to do instead."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n    {hint}" if hint else message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Edit:
    """One change of the global model: what happened to which component, in words and as plain data."""

    action: Action
    component: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.component}: {self.text}"


@dataclass(frozen=True)
class Product:
    """A dataset that an operation made: from which inputs, under which name, what became of the masks, and which
    energies that were asked for are no edges of it."""

    inputs: tuple[str, ...]
    output: str
    note: str = ""
    moved: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of an operation. Its inputs are unchanged.

    ``accuracy`` : how well predicted counts of sky components are kept, where that is not exact.
    """

    datasets: Datasets
    models: Models
    edits: tuple[Edit, ...] = ()
    products: tuple[Product, ...] = ()
    accuracy: str = ""
