"""How a dataset gets to a worker: as a path where its file says what it is, else as it is in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, final

from gm.datasets import Dataset
from gm.datasets.files.formats import DATASET_TYPES, DatasetEntry
from gm.datasets.origin import origin_of
from gm.errors import DataError


class Parcel(Protocol):
    """A dataset on its way."""

    def open(self, here: Sequence[Dataset]) -> Dataset:
        """The dataset; ``here`` are those that the process was born with. Raises `DataError`."""
        ...

    @property
    def path(self) -> str:
        """The file that it is read from; empty where it travels itself."""
        ...


@final
@dataclass(frozen=True, eq=False)
class FromFile:
    """What its file holds, but for some fields: masks, mostly."""

    entry: DatasetEntry
    size: int
    changes: Mapping[str, Any]

    @property
    def path(self) -> str:
        return str(self.entry.path)

    def open(self, here: Sequence[Dataset]) -> Dataset:
        dataset = DATASET_TYPES[self.entry.type].read(self.entry)
        return dataset.with_(**self.changes) if self.changes else dataset


@final
@dataclass(frozen=True, eq=False)
class Whole:
    """Everything that it holds."""

    dataset: Dataset
    path: str = ""

    def open(self, here: Sequence[Dataset]) -> Dataset:
        return self.dataset


@final
@dataclass(frozen=True)
class Inherited:
    """A dataset that the process was born with, by its number."""

    number: int
    path: str = ""

    def open(self, here: Sequence[Dataset]) -> Dataset:
        return here[self.number]


@final
@dataclass(frozen=True, eq=False)
class Packing:
    """How datasets are sent to some workers. ``inherited``: those that they were born with."""

    inherited: Sequence[Dataset] = ()
    _numbers: dict[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", {id(dataset): k for k, dataset in enumerate(self.inherited)})

    def pack(self, dataset: Dataset) -> Parcel:
        number = self._numbers.get(id(dataset))
        if number is not None:
            return Inherited(number)
        return _from_file(dataset) or Whole(dataset)


def travels(dataset: Dataset) -> bool:
    """Whether it has to be sent as it is, since no file holds it."""
    return _from_file(dataset) is None


def _from_file(dataset: Dataset) -> FromFile | None:
    origin = origin_of(dataset)
    if origin is None or not isinstance(origin.entry, DatasetEntry):
        return None
    path = Path(os.path.abspath(origin.entry.path))
    try:
        size = path.stat().st_size
    except OSError:
        return None
    changes = {name: getattr(dataset, name) for name in sorted(origin.changed)}
    return FromFile(replace(origin.entry, path=path), size, changes)


def unseen(parcels: Iterable[Parcel]) -> list[str]:
    """Why files are not what they are where the fit was started, one text each."""
    problems = []
    for parcel in parcels:
        if isinstance(parcel, FromFile):
            try:
                found = os.stat(parcel.path).st_size
            except OSError as error:
                problems.append(f"{parcel.entry.name}: {parcel.path}: {error.strerror}")
                continue
            if found != parcel.size:
                problems.append(f"{parcel.entry.name}: {parcel.path}: {found} bytes, expected {parcel.size}")
    return problems


class Unseen(DataError):
    """A worker does not see files as they are where the fit was started."""
