"""How datasets of each type are read and written: one row of a table for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, final

from gm.datasets.base import READERS, WRITERS, Dataset
from gm.datasets.files.flux_points import read_flux_points, write_flux_points
from gm.datasets.files.gadf_spectrum import read_gadf, write_gadf
from gm.datasets.files.map_reading import read_map_dataset
from gm.datasets.files.map_writing import write_map_dataset
from gm.datasets.files.ogip_spectrum import companions, read_ogip, write_ogip
from gm.datasets.files.recognition import file_type
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.fits import FitsFile, read_fits
from gm.io.gadf import check_companions
from gm.io.ogip import is_ogip


@final
@dataclass(frozen=True)
class DatasetEntry:
    """One line of datasets.yaml, checked: what to read from where, under which name."""

    name: str
    type: str
    path: Path
    stat_type: str = "chi2"


Reader: TypeAlias = Callable[[DatasetEntry], Dataset]
Writer: TypeAlias = Callable[[Any, Path], None]
FitsReader: TypeAlias = Callable[[FitsFile, str, str], Dataset]
"""The dataset in an opened file, of a type, under a name."""


def _none(dataset: Dataset, path: Path) -> dict[str, Path]:
    return {}


@final
@dataclass(frozen=True)
class DatasetType:
    """Files of datasets of one type.

    read : the dataset of an entry, whose name may be empty; write : by the name of the format; in_threads : whether
    several files are read by threads, which gains for large arrays, or by processes; prefix : of file names;
    companions : the files beside the one that is named, in another format than gadf.
    """

    read: Reader
    write: Mapping[str, Writer]
    in_threads: bool = False
    prefix: str = ""
    companions: Callable[[Any, Path], Mapping[str, Path]] = _none

    def format_of(self, asked: str) -> str:
        """The format to write where one is asked for that not all types have."""
        return asked if len(self.write) > 1 else "gadf"


def _points(entry: DatasetEntry) -> Dataset:
    return read_flux_points(entry.path, entry.name or _stem(entry.path), entry.stat_type)


def _in_fits(read: FitsReader, entry: DatasetEntry) -> Dataset:
    """The dataset in a FITS file, whose format is recognised."""
    file = read_fits(entry.path)
    try:
        if is_ogip(file):
            return _ogip(file, entry)
        dataset = read(file, entry.type, entry.name or file.extensions[0].header.text("NAME") or _stem(entry.path))
        _refuse_off_counts(file, entry)
        check_companions(file)
        return dataset
    except DataError as error:
        names_a_file = os.path.isfile(str(error).partition(": ")[0])  # this one or a companion
        raise error if names_a_file else DataError(f"{entry.path}: {error}") from error


def _refuse_off_counts(file: FitsFile, entry: DatasetEntry) -> None:
    """Raise `DataError` where off counts would be passed over, so that no background would be known."""
    own = file_type(file)
    if file.find("COUNTS_OFF") is not None and not entry.type.endswith("OnOff"):
        raise DataError(
            f"has off counts (HDU COUNTS_OFF), of which a {entry.type} knows nothing\n    its type is {own}"
        )


def _ogip(file: FitsFile, entry: DatasetEntry) -> Dataset:
    if entry.type != SpectrumDatasetOnOff.type:
        raise DataError(f"is an OGIP spectrum, expected a {entry.type}\n    its type is {SpectrumDatasetOnOff.type}")
    return read_ogip(file, entry.name)


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


_SPECTRUM, _MAP = partial(_in_fits, read_gadf), partial(_in_fits, read_map_dataset)
_OGIP: dict[str, Writer] = {"ogip": write_ogip, "ogip-cards": partial(write_ogip, as_cards=True)}


def _read_file(row: DatasetType, kind: str, path: Path, name: str) -> Dataset:
    return row.read(DatasetEntry(name, kind, path))


DATASET_TYPES = {
    SpectrumDataset.type: DatasetType(_SPECTRUM, {"gadf": write_gadf}),
    SpectrumDatasetOnOff.type: DatasetType(
        _SPECTRUM, {"gadf": write_gadf, **_OGIP}, prefix="pha_obs", companions=companions
    ),
    FluxPointsDataset.type: DatasetType(_points, {"gadf": write_flux_points}),
    MapDataset.type: DatasetType(_MAP, {"gadf": write_map_dataset}, in_threads=True),
    MapDatasetOnOff.type: DatasetType(_MAP, {"gadf": write_map_dataset}, in_threads=True),
}
"""By the word in a datasets.yaml."""

READERS.update({name: partial(_read_file, row, name) for name, row in DATASET_TYPES.items()})
WRITERS.update({name: row.write["gadf"] for name, row in DATASET_TYPES.items()})


def read_dataset(entry_type: str, path: str | Path, name: str = "", stat_type: str = "chi2") -> Dataset:
    """Read one dataset; the file format is recognised. ``name`` empty: the one in the file, else the file's stem.

    Raises `DataError`.
    """
    path = Path(path)
    if entry_type not in DATASET_TYPES:
        raise DataError(f"{path}: datasets of type {entry_type} are not read\n    {', '.join(DATASET_TYPES)}")
    return DATASET_TYPES[entry_type].read(DatasetEntry(name, entry_type, path, stat_type))


def write_dataset(dataset: Dataset, path: str | Path, format: str = "gadf") -> None:
    """Write one dataset. Raises `DataError`.

    ``format``: ``gadf``; for on/off spectra also ``ogip``, which Gammapy, sherpa, 3ML and jaxspec read, or
    ``ogip-cards``, which has cards in place of constant columns, for elisa in place of Gammapy.
    """
    write = DATASET_TYPES[dataset.type].write.get(format)
    if write is None:
        raise DataError(f"dataset {dataset.name}: a {dataset.type} is not written as '{format}'")
    write(dataset, Path(path))


def written_files(dataset: Dataset, path: Path, format: str = "gadf") -> list[Path]:
    """The files that `write_dataset` writes."""
    others = {} if format == "gadf" else DATASET_TYPES[dataset.type].companions(dataset, path)
    return [path, *others.values()]
