"""Dataset files read and written: one by one, or many in parallel."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.datasets.base import Dataset
from gm.datasets.flux_points import FluxPointsDataset, read_flux_points, write_flux_points
from gm.datasets.gadf_spectrum import read_gadf, write_gadf
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.map_reading import read_map_dataset
from gm.datasets.map_writing import write_map_dataset
from gm.datasets.ogip_spectrum import companions, read_ogip, write_ogip
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.gadf import check_companions
from gm.io.ogip import is_ogip
from gm.io.processes import can_fork, in_processes
from gm.io.threads import in_threads

MAP_TYPES = (MapDataset.type, MapDatasetOnOff.type)
TYPES = (SpectrumDataset.type, SpectrumDatasetOnOff.type, FluxPointsDataset.type, *MAP_TYPES)
OGIP_FORMATS = ("ogip", "ogip-cards")
MANY, CHUNK = 200, 25  # files from which on several processes read, and how many each takes at once


@dataclass(frozen=True)
class DatasetEntry:
    """One line of datasets.yaml, checked: what to read from where, under which name."""

    name: str
    type: str
    path: Path
    stat_type: str = "chi2"


def read_dataset(entry_type: str, path: str | Path, name: str = "", stat_type: str = "chi2") -> Dataset:
    """Read one dataset; the file format is recognised. ``name`` empty: the one in the file, else the file's stem.

    Raises `DataError`.
    """
    path = Path(path)
    if entry_type == FluxPointsDataset.type:
        return read_flux_points(path, name or path.name.split(".")[0], stat_type)
    if entry_type not in TYPES:
        raise DataError(f"{path}: datasets of type {entry_type} are not read\n    {', '.join(TYPES)}")
    file = read_fits(path)
    try:
        if is_ogip(file):
            if entry_type != SpectrumDatasetOnOff.type:
                hint = f"its type is {SpectrumDatasetOnOff.type}"
                raise DataError(f"is an OGIP spectrum, expected a {entry_type}\n    {hint}")
            return read_ogip(file, name)
        name = name or file.extensions[0].header.text("NAME") or path.name.split(".")[0]
        read = read_map_dataset if entry_type in MAP_TYPES else read_gadf
        dataset = read(file, entry_type, name)
        check_companions(file)
        return dataset
    except DataError as error:
        names_a_file = os.path.isfile(str(error).partition(": ")[0])  # this one or a companion
        raise error if names_a_file else DataError(f"{path}: {error}") from error


def written_files(dataset: Dataset, path: Path, format: str = "gadf") -> list[Path]:
    """The files that `write_dataset` writes."""
    if format in OGIP_FORMATS and isinstance(dataset, SpectrumDatasetOnOff):
        return [path, *companions(dataset, path).values()]
    return [path]


def write_dataset(dataset: Dataset, path: str | Path, format: str = "gadf") -> None:
    """Write one dataset. Raises `DataError`.

    ``format``: ``gadf``; for on/off spectra also ``ogip``, which Gammapy, sherpa, 3ML and jaxspec read, or
    ``ogip-cards``, which has cards in place of constant columns, for elisa in place of Gammapy.
    """
    path = Path(path)
    if isinstance(dataset, FluxPointsDataset):
        write_flux_points(dataset, path)
    elif isinstance(dataset, MapDataset | MapDatasetOnOff) and format == "gadf":
        write_map_dataset(dataset, path)
    elif isinstance(dataset, SpectrumDataset | SpectrumDatasetOnOff) and format == "gadf":
        write_gadf(dataset, path)
    elif format in OGIP_FORMATS and isinstance(dataset, SpectrumDatasetOnOff):
        write_ogip(dataset, path, as_cards=format == "ogip-cards")
    else:
        raise DataError(f"dataset {dataset.name}: a {dataset.type} is not written as '{format}'")


def read_all(
    entries: Sequence[DatasetEntry], workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Dataset]:
    """Read many datasets, in order. Equal axes and equal dispersion matrices are shared between them.

    ``progress`` hears how many of how many files are read. One `DataError` lists everything that is wrong with them.
    """
    outcomes = _outcomes(entries, workers, _Tally(len(entries), progress))
    problems = list(dict.fromkeys(str(outcome) for outcome in outcomes if isinstance(outcome, DataError)))
    if problems:
        raise DataError("\n".join(problems))
    share = _Shared()
    return [outcome.shared(share.keep) for outcome in outcomes if not isinstance(outcome, DataError)]


class _Tally:
    """Counts what passes through."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._total, self._tell, self._done = total, tell or (lambda _done, _total: None), 0
        self._tell(0, total)

    def count(self, outcomes: Iterable[Dataset | DataError]) -> Iterator[Dataset | DataError]:
        for outcome in outcomes:
            self._done += 1
            self._tell(self._done, self._total)
            yield outcome


def _outcomes(entries: Sequence[DatasetEntry], workers: int | None, tally: _Tally) -> list[Dataset | DataError]:
    """What came of each file, in order."""
    maps = [entry for entry in entries if entry.type in MAP_TYPES]
    others = iter(_spectra([entry for entry in entries if entry.type not in MAP_TYPES], workers, tally))
    read = tally.count(in_threads(_outcome, maps, workers or _n_cores()))  # arrays, mostly compressed: threads gain
    return [next(read if entry.type in MAP_TYPES else others) for entry in entries]


def _spectra(entries: Sequence[DatasetEntry], workers: int | None, tally: _Tally) -> list[Dataset | DataError]:
    """Processes are worth their start for hundreds of small files; threads gain nothing there."""
    if workers is None:
        workers = _n_cores() if len(entries) >= MANY else 1
    if workers > 1 and len(entries) > CHUNK and can_fork():
        return list(tally.count(in_processes(_outcome, entries, workers, CHUNK)))
    return list(tally.count(map(_outcome, entries)))


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _outcome(entry: DatasetEntry) -> Dataset | DataError:
    try:
        return read_dataset(entry.type, entry.path, entry.name, entry.stat_type)
    except DataError as error:
        return error


class _Shared:
    """Keeps one copy of each axis and of each dispersion matrix."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def keep(self, key: Hashable, part: Any) -> Any:
        """The first part that came with this key."""
        return self._kept.setdefault(key, part)
