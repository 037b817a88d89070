"""Which observations there are to reduce, from which files, and the hash by which each is known again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.errors import DataError, GmError, InvalidInput, JsonPath, UsageError
from gm.io.files import sha256
from gm.observations import DataStore, Observation
from gm.observations.data_store import HDU_INDEX, OBS_INDEX, observation_files
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.sections import Section
from gm.pipeline.inputs import fingerprint
from gm.pipeline.stages.observations.intervals import Divided, divided
from gm.pipeline.stages.observations.selections import observation_selection
from gm.pipeline.stages.observations.settings import Entry, named_files
from gm.pipeline.stages.reading import Reader
from gm.version import __version__

_SELECTING = ("ids", "within", "time", "where", "data")


@dataclass(frozen=True, eq=False)
class Job:
    """One observation of an entry.

    obs_id, store : None for a file that cannot be opened, and ``reason`` says why
    dataset : what it becomes, or joins; part : how it is called while it is alone
    hash : of its files and of how it is reduced
    """

    entry: Entry
    obs_id: int | None
    store: DataStore | None
    dataset: str
    part: str
    hash: str
    reason: str = ""

    def observation(self) -> Observation:
        """Raises `DataError`."""
        if self.store is None or self.obs_id is None:
            raise DataError(self.reason)
        return self.store.observation(self.obs_id, self.entry.required, self.entry.events)


def find_jobs(section: Section, entries: Iterable[Entry]) -> list[Job]:
    """All observations, in order. Raises `DataError` for data that cannot be opened, and for names that occur twice."""
    named = {file.name: _hash_of(file) for file in named_files(section)}
    jobs: list[Job] = []
    for entry in entries:
        how = {key: value for key, value in section.resolved[entry.index].items() if key not in _SELECTING}
        own = [*_usable(section, entry, fingerprint([__version__, how, named]))]
        if not own:
            raise _located(section, (entry.index,), f"{', '.join(entry.data)}: no observation fits the selection")
        jobs += own
    _check_names(jobs)
    return jobs


def _located(section: Section, path: JsonPath, message: str) -> InvalidInput:
    """What is wrong with data, at the place of the config that they depart from."""
    findings = Findings()
    findings.add_missing(section.config, (section.name, *path), message)
    try:
        findings.stop_if_any()
    except InvalidInput as error:
        return error
    raise AssertionError("no problem after one was added")


def _selected(section: Section, entry: Entry, store: DataStore) -> tuple[int, ...]:
    """Numbers of the observations that are meant. Raises `InvalidInput` with the place of the condition at fault."""
    try:
        return entry.selection.select(store)
    except DataError as error:
        raise _located(section, (entry.index, *entry.selection.fault(store)), str(error)) from error


def _usable(section: Section, entry: Entry, how: str) -> Iterator[Job]:
    """The observations of an entry, then the files that cannot be opened, unless it asks for numbers."""
    try:
        store, broken = open_data(entry.data, entry.directory)
    except DataError as error:
        raise _located(section, (entry.index, "data"), str(error)) from error
    if store is not None:
        for part, numbers in _divided(section, entry, store):
            yield from (_job(part, store, number, how) for number in numbers)
    for path, reason in broken if entry.selection.ids is None else ():
        name = entry.name if entry.stacked else path.name
        yield Job(entry, None, None, name, path.name, fingerprint([str(path), _hash_of(path)]), reason)


def _divided(section: Section, entry: Entry, store: DataStore) -> Divided:
    """The observations that are meant, in each bin of time. Raises `InvalidInput`."""
    numbers = _selected(section, entry, store)
    try:
        return divided(entry, store, numbers)
    except UsageError as error:
        raise _located(section, (entry.index, "time_bins"), str(error)) from error


def _job(entry: Entry, store: DataStore, number: int, how: str) -> Job:
    files = sorted({place.path for place in store.hdus[number].values()})
    name = entry.dataset_name(number)
    part = f"{name}-{number}" if entry.stacked else name
    when = [] if entry.interval is None else [repr(entry.interval)]
    return Job(entry, number, store, name, part, fingerprint([how, *when, *map(_hash_of, files)]))


def _check_names(jobs: Sequence[Job]) -> None:
    owners: dict[str, Job] = {}
    for job in (job for job in jobs if job.store is not None):  # what cannot be opened becomes no dataset
        owner = owners.setdefault(job.dataset, job)
        if owner is not job and not (job.entry.stacked and owner.entry is job.entry):
            raise DataError(f"two datasets would be called '{job.dataset}'\n    give the entries different names")


def open_data(data: Sequence[str], directory: Path) -> tuple[DataStore | None, list[tuple[Path, str]]]:
    """The store, and files of single observations that cannot be opened, with the reason. Raises `DataError`."""
    try:
        return DataStore.open(data[0] if len(data) == 1 else list(data), directory), []
    except DataError:
        files = [path for item in data for path in observation_files(directory, item)]
        if any(not path.is_file() or path.name in HDU_INDEX for path in files) and len(files) == 1:
            raise
    hdus: dict[int, Any] = {}
    broken = []
    for path in files:
        try:
            store = DataStore.from_events_files([path])
        except DataError as error:
            broken.append((path, str(error)))
            continue
        if twice := hdus.keys() & store.hdus.keys():
            raise DataError(f"{path}: observation {min(twice)} is also in another file")
        hdus |= store.hdus
    return (DataStore(", ".join(data), hdus) if hdus else None), broken


def _hash_of(path: Path) -> str:
    return sha256(path) if path.is_file() else "missing"


def data_files(section: Section) -> Iterator[Path]:
    """All files that are there and that the section is reduced from: indices, and those of the observations."""
    for index, entry in section.entries():
        paths = [entry["data"]] if isinstance(entry["data"], str) else entry["data"]
        names = [expand(path) for path in paths]
        folders = [section.directory / name for name in names]
        stores = [folder.parent if folder.name in HDU_INDEX else folder for folder in folders]
        indices = [store / name for store in stores for name in (*HDU_INDEX, *OBS_INDEX)]
        yield from (file for file in indices if file.is_file())
        try:
            store, broken = open_data(names, section.directory)
            ids = observation_selection(Reader.of(section, index, entry)).select(store) if store is not None else ()
        except GmError:
            yield from (folder for folder in folders if folder.is_file())
            continue
        yield from (path for path, _ in broken if path.is_file())
        hdus: Mapping[int, Any] = store.hdus if store is not None else {}
        yield from dict.fromkeys(p.path for number in ids for p in hdus[number].values() if p.path.is_file())
