"""datasets.yaml: the entries that list datasets, and the files that a list of datasets is written to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gm.datasets.base import Dataset
from gm.datasets.deferred import sources
from gm.datasets.files.formats import DATASET_TYPES, DatasetEntry, written_files
from gm.datasets.flux_points import STAT_TYPES
from gm.errors import DataError, JsonPath, format_path, suggest
from gm.io.file_names import numbered, same_file

Report = Callable[[JsonPath, str, str], None]


def dataset_entries(data: Any, directory: Path, report: Report | None = None) -> list[DatasetEntry]:
    """The entries of a datasets.yaml document, checked without opening a file. See `datasets_from_dict`."""
    problems: list[str] = []

    def collect(path: JsonPath, message: str, hint: str) -> None:
        problems.append(f"{format_path(path)}: {message}" + (f"\n    {hint}" if hint else ""))

    say = report or collect
    entries: list[DatasetEntry] = []
    listed = data.get("datasets") if isinstance(data, Mapping) else None
    if not isinstance(listed, list):
        say(("datasets",), "no list of datasets", "datasets: [{name: ..., type: ..., filename: ...}]")
        listed = []
    names: set[str] = set()
    for number, entry in enumerate(listed):
        checked = _check_entry(entry, ("datasets", number), directory, say)
        if checked is None:
            continue
        if checked.name in names:
            say(("datasets", number, "name"), f"two datasets are called '{checked.name}'", "dataset names are unique")
            continue
        names.add(checked.name)
        entries.append(checked)
    if problems:
        raise DataError("\n".join(problems))
    return entries


def _check_entry(entry: Any, at: JsonPath, directory: Path, say: Report) -> DatasetEntry | None:
    if not isinstance(entry, Mapping):
        say(at, "is not a mapping", "{name: ..., type: ..., filename: ...}")
        return None
    missing = [key for key in ("name", "type", "filename") if not isinstance(entry.get(key), str)]
    for key in missing:
        say((*at, key) if key in entry else at, f"'{key}' has to be a text", "")
    if missing:
        return None
    if entry["type"] not in DATASET_TYPES:
        say((*at, "type"), f"datasets of type '{entry['type']}' are not read", suggest(entry["type"], DATASET_TYPES))
        return None
    stat_type = entry.get("stat_type", "chi2")
    if stat_type not in STAT_TYPES:
        say((*at, "stat_type"), f"'{stat_type}' is not a statistic of flux points", suggest(stat_type, STAT_TYPES))
        return None
    return DatasetEntry(entry["name"], entry["type"], _resolve(entry["filename"], directory), stat_type)


def _resolve(filename: str, directory: Path) -> Path:
    """``$VAR`` and ``~`` expanded; beside the document when it is there, else as given when that exists."""
    path = Path(os.path.expandvars(filename)).expanduser()
    beside = directory / path
    return path if not os.path.exists(beside) and os.path.exists(path) else beside


def files_apart(datasets: Iterable[Dataset], folder: Path, formats: Mapping[str, str]) -> dict[str, list[Path]]:
    """The files of every dataset, no file for two of them."""
    taken: set[str] = set()
    files = {}
    for dataset in datasets:
        for name in numbered(file_name(dataset)):
            files[dataset.name] = written_files(dataset, folder / name, formats[dataset.name])
            keys = {same_file(file.name) for file in files[dataset.name]}
            if taken.isdisjoint(keys):
                taken |= keys
                break
    return files


def check_replaced(datasets: Iterable[Dataset], files: Mapping[str, Sequence[Path]]) -> None:
    """Raises `DataError` where the file of one dataset would replace one that is still to be read for another."""
    unread = {file.absolute(): dataset.name for dataset in datasets for file in sources(dataset)}
    for name, written in files.items():
        for file in written:
            if unread.get(file.absolute(), name) != name:
                message = f"{file}: is still to be read for dataset '{unread[file.absolute()]}'"
                raise DataError(f"{message}, and would be replaced by dataset '{name}'\n    write to another folder")


def file_name(dataset: Dataset) -> str:
    """The file name that Gammapy gives a dataset, without what would be expanded when it is read."""
    name = re.sub(f"[{re.escape(os.sep)}$\0]", "_", dataset.name)
    prefix = DATASET_TYPES[dataset.type].prefix
    return f"{prefix}{name}.fits" if prefix else f"{name.replace(' ', '_').replace('~', '_')}.fits"
