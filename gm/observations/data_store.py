"""Where observations are: index files of a data store, or files with one observation each.

Source: gamma-astro-data-formats 0.2 and 0.3, data storage.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import Self, final

import numpy as np

from gm.errors import DataError, suggest
from gm.io.fits import Extension, FitsFile, read_fits
from gm.io.tables import Table, whole_numbers
from gm.irf.sky_responses import sky_kind
from gm.irf.tables import response_kind
from gm.observations.events import EventSelection
from gm.observations.observation import HduLocation, Observation

HDU_INDEX = ("hdu-index.fits.gz", "hdu-index.fits")
OBS_INDEX = ("obs-index.fits.gz", "obs-index.fits")
_TABLES = ("EVENTS", "GTI", "POINTING")
_COLUMNS = ("OBS_ID", "HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME")

Locations = Mapping[str, HduLocation]


@final
@dataclass(frozen=True, eq=False)
class DataStore:
    """Observations by number. hdus : number -> where its parts are; index : the table of observations, None without."""

    name: str
    hdus: Mapping[int, Locations]
    index: Table | None = None

    @classmethod
    def open(cls, data: str | Path | Sequence[str | Path], directory: Path | None = None) -> Self:
        """A folder with index files, an index file, a file of one observation, a pattern, or a list of these files.

        Relative paths are looked up in ``directory``. Raises `DataError`.
        """
        base = directory or Path()
        if not isinstance(data, str | Path):
            return cls.from_events_files([path for item in data for path in observation_files(base, item)])
        path = base / data
        if path.is_dir():
            return cls.from_dir(path)
        return (
            cls.from_dir(path.parent, path.name)
            if path.name in HDU_INDEX
            else cls.from_events_files(observation_files(base, data))
        )

    @classmethod
    def from_dir(cls, path: str | Path, hdu_index: str | None = None) -> Self:
        """From a folder with ``hdu-index.fits[.gz]`` and perhaps ``obs-index.fits[.gz]``. Raises `DataError`."""
        folder = Path(path)
        names = HDU_INDEX if hdu_index is None else (hdu_index,)
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        if file is None:
            raise DataError(
                f"{folder}: no {' or '.join(names)}\n    a data store has one; give files of observations else"
            )
        observations = next((folder / name for name in OBS_INDEX if (folder / name).is_file()), None)
        index = None if observations is None else _first_table(read_fits(observations)).table()
        return cls(str(folder), _read_hdu_index(_first_table(read_fits(file)), folder), index)

    @classmethod
    def from_events_files(cls, paths: Sequence[str | Path], irfs: str | Path | None = None) -> Self:
        """From files that hold one observation each. Raises `DataError`.

        irfs : a file with the responses of all that have none of their own. Without it they are looked for where cards
        of the events say, ``$CALDB/data/TELESCOP/CALDB/bcf/IRF/irf_file.fits``.
        """
        hdus: dict[int, Locations] = {}
        for path in paths:
            file = read_fits(path)
            parts, number = _read_parts(file), _obs_id(file)
            if number in hdus:
                raise DataError(f"{path}: observation {number} is also in {hdus[number]['events'].path}")
            other = irfs or _caldb_file(file)
            if other is not None and parts.keys() <= {"events", "gti"}:
                parts = {**_read_parts(read_fits(other)), **parts}
            hdus[number] = parts
        return cls(", ".join(map(str, paths)), hdus)

    @property
    def obs_ids(self) -> tuple[int, ...]:
        """Numbers of all observations, in the order of the index."""
        return tuple(self.hdus)

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raise `DataError` that names all numbers that are not in the store."""
        unknown = [number for number in ids if number not in self.hdus]
        if unknown:
            hint = suggest(unknown[0], map(str, self.hdus), "found")
            raise DataError(f"{self.name}: no observation {', '.join(map(str, unknown))}\n    {hint}")

    def observation(
        self, obs_id: int, required: str = "all-optional", selection: EventSelection | None = None
    ) -> Observation:
        """One observation. ``required``: which parts it has to have, a key of `REQUIRED`. Raises `DataError`."""
        self.check_ids([obs_id])
        observation = Observation(obs_id, self.hdus[obs_id], selection or EventSelection())
        observation.check_parts(required)
        return observation

    def observations(
        self,
        ids: Sequence[int] | None = None,
        required: str = "all-optional",
        selection: EventSelection | None = None,
    ) -> Observations:
        """Observations in this order, all without ``ids``. Raises `DataError` for numbers that are not there."""
        chosen = self.obs_ids if ids is None else tuple(ids)
        self.check_ids(chosen)
        return Observations(self, chosen, required, selection or EventSelection())


@final
@dataclass(frozen=True, eq=False)
class Observations(Sequence[Observation]):
    """Observations of a store, made anew whenever one is asked for, so that nothing of them stays in memory."""

    store: DataStore
    ids: tuple[int, ...]
    required: str = "all-optional"
    selection: EventSelection = field(default_factory=EventSelection)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: int) -> Observation:  # type: ignore[override]  # no slices
        return self.store.observation(self.ids[at], self.required, self.selection)

    def __iter__(self) -> Iterator[Observation]:
        return (self[at] for at in range(len(self.ids)))


def observation_files(base: Path, item: str | Path) -> list[Path]:
    """The files of a path or a pattern, in the order of their names. Raises `DataError` for a pattern without one."""
    path = str(base / item)
    if not has_magic(path) or Path(path).exists():
        return [Path(path)]
    found = sorted(map(Path, glob(path, recursive=True)))
    if not found:
        raise DataError(f"{path}: no file has such a name")
    return found


def find_parts(data: Path, obs_id: int | None = None) -> tuple[int | None, Locations]:
    """Number and parts of one observation: of a data store, or of a file, which may hold responses alone (None, then).

    obs_id : which one of a store, needed where it has several. Raises `DataError`.
    """
    if not (data.is_dir() or data.name in HDU_INDEX):
        file = read_fits(data)
        parts = _read_parts(file)
        number = _obs_id(file) if "events" in parts else None
        if obs_id not in (None, number):
            raise DataError(f"{data}: no observation {obs_id}")
        return number, parts
    store = DataStore.open(data)
    if obs_id is None and len(store.obs_ids) > 1:
        raise DataError(f"{data}: which of {len(store.obs_ids)} observations is not said\n    id: {store.obs_ids[0]}")
    number = store.obs_ids[0] if obs_id is None else obs_id
    store.check_ids([number])
    return number, store.hdus[number]


def _first_table(file: FitsFile) -> Extension:
    table = next((extension for extension in file.extensions if extension.is_table), None)
    if table is None:
        raise DataError(f"{file.path}: no table in it, expected an index of observations")
    return table


def _read_hdu_index(extension: Extension, folder: Path) -> Mapping[int, Locations]:
    missing = [name for name in _COLUMNS if extension.find(name) is None]
    if missing:
        extension.fail(f"no column {', '.join(missing)}", suggest(missing[0], extension.columns, "found"))
    try:
        numbers = whole_numbers(extension.column("OBS_ID"))
    except DataError as error:
        extension.fail(f"column OBS_ID {error}")
    texts = [_words(extension, name) for name in _COLUMNS[1:]]
    hdus: dict[int, dict[str, HduLocation]] = {}
    files = {pair: _file(folder, *pair) for pair in set(zip(*texts[2:4], strict=True))}
    for number, kind, hdu_class, directory, name, hdu in zip(numbers, *texts, strict=True):
        parts, kind = hdus.setdefault(number, {}), kind.lower()
        held = f"{kind}_map" if hdu_class.lower() == "map" else hdu_class.lower()
        parts[_another(parts, kind)] = HduLocation(files[directory, name], hdu, held)
    return hdus


def _words(extension: Extension, name: str) -> list[str]:
    words = extension.column(name)
    if words.ndim != 1:
        extension.fail(f"column {name} is not one word in each row")
    found: list[str] = np.char.strip(words.astype(str)).tolist()
    return found


def _file(folder: Path, directory: str, name: str) -> Path:
    """A file of an index: beside it, or where the index says if only that is there."""
    beside, elsewhere = folder / directory / name, Path(directory) / name
    return elsewhere if os.path.exists(elsewhere) and not os.path.exists(beside) else beside


def _read_parts(file: FitsFile) -> Locations:
    """Parts of a file; the first extension of a kind is taken."""
    parts: dict[str, HduLocation] = {}
    for number, extension in enumerate(file.extensions):
        if extension.name in _TABLES or extension.header.text("HDUCLAS1").upper() in _TABLES:
            kind = extension.header.text("HDUCLAS1").lower() or extension.name.lower()
            parts.setdefault(kind, HduLocation(file.path, number, kind))
        elif (response := response_kind(extension) or sky_kind(extension)) is not None:
            parts[_another(parts, response[0])] = HduLocation(file.path, number, response[1])
    return parts


def _another(parts: Locations, kind: str) -> str:
    """The key of one more part of a kind, of which the first has that of the kind: ``aeff``, ``aeff#2``."""
    n = sum(key.partition("#")[0] == kind for key in parts)
    return f"{kind}#{n + 1}" if n else kind


def _events(file: FitsFile) -> Extension:
    parts = _read_parts(file)
    if "events" not in parts:
        raise DataError(f"{file.path}: no events in it, expected a file with one observation")
    return file.extensions[int(parts["events"].hdu)]


def _obs_id(file: FitsFile) -> int:
    """Number of the observation in a file."""
    events = _events(file)
    value = events.header.get("OBS_ID")
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        events.fail(f"card OBS_ID is {value!r}, expected an integer")


def _caldb_file(file: FitsFile) -> Path | None:
    """The file of responses that the header of the events names, if the calibration database is there and has it."""
    header, root = _events(file).header, os.environ.get("CALDB")
    telescope, caldb, irf = (header.text(card) for card in ("TELESCOP", "CALDB", "IRF"))
    if not (root and telescope and caldb and irf):
        return None
    path = Path(root) / "data" / telescope.lower() / caldb.lower() / "bcf" / irf / "irf_file.fits"
    return path if path.is_file() else None
