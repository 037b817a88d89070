"""How a dataset gets to a worker: as a path where its file says what it is, else as it is in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, final

from gm.datasets import Dataset
from gm.datasets.files.formats import DATASET_TYPES, DatasetEntry
from gm.datasets.origin import origin_of
from gm.datasets.spectrum import SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.files import State, sha256, state_of
from gm.io.ogip import named_files

T = TypeVar("T")


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
    """What its file holds, but for some fields: masks, mostly. hashes : of all files that it is read from, by path"""

    entry: DatasetEntry
    hashes: Mapping[str, str]
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
    """How datasets are sent to some workers. ``inherited``: those that they were born with. What files name and their
    hashes are kept as long as the files are the same."""

    inherited: Sequence[Dataset] = ()
    _numbers: dict[int, int] = field(init=False, repr=False)
    _named: dict[Path, tuple[State | None, list[Path]]] = field(init=False, repr=False, default_factory=dict)
    _hashes: dict[Path, tuple[State | None, str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", {id(dataset): k for k, dataset in enumerate(self.inherited)})

    def pack(self, dataset: Dataset) -> Parcel:
        number = self._numbers.get(id(dataset))
        if number is not None:
            return Inherited(number)
        entry = _entry_of(dataset)
        files = [] if entry is None else _kept(self._named, entry.path, lambda _: _files_of(entry))
        if entry is None or not all(map(os.path.isfile, files)):
            return Whole(dataset)
        changes = {name: getattr(dataset, name) for name in sorted(_changed(dataset))}
        return FromFile(entry, {str(file): _kept(self._hashes, file, sha256) for file in files}, changes)


def _kept(known: dict[Path, tuple[State | None, T]], file: Path, find: Callable[[Path], T]) -> T:
    """What is found in a file, looked for again when it is another one."""
    state = state_of(file)
    if file not in known or known[file][0] != state:
        known[file] = state, find(file)
    return known[file][1]


def travels(dataset: Dataset) -> bool:
    """Whether it has to be sent as it is, since no file holds it."""
    entry = _entry_of(dataset)
    return entry is None or not all(map(os.path.isfile, _files_of(entry)))


def _entry_of(dataset: Dataset) -> DatasetEntry | None:
    """What it was read from, wherever the working directory is."""
    origin = origin_of(dataset)
    if origin is None or not isinstance(origin.entry, DatasetEntry):
        return None
    return replace(origin.entry, path=Path(os.path.abspath(origin.entry.path)))


def _changed(dataset: Dataset) -> Iterable[str]:
    origin = origin_of(dataset)
    return () if origin is None else origin.changed


def _files_of(entry: DatasetEntry) -> list[Path]:
    """The file of a dataset, and beside it those that it names."""
    try:
        named = named_files(entry.path) if entry.type == SpectrumDatasetOnOff.type else []
    except DataError:
        named = []
    return [entry.path, *(entry.path.parent / name for name in named)]


def unseen(parcels: Iterable[Parcel]) -> list[str]:
    """Why files are not what they are where the fit was started, one text each; a file is read once for all of them."""
    problem = cache(_problem)
    return [
        f"{parcel.entry.name}: {path}: {text}"
        for parcel in parcels
        if isinstance(parcel, FromFile)
        for path, expected in parcel.hashes.items()
        if (text := problem(path, expected))
    ]


def _problem(path: str, expected: str) -> str:
    """Why a file is not the one with this hash; empty where it is."""
    try:
        os.stat(path)
        return "" if sha256(path) == expected else "holds something else than where the command runs"
    except OSError as error:
        return error.strerror or str(error)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")


class Unseen(DataError):
    """A worker does not see files as they are where the fit was started."""
