"""Which type of dataset a file holds."""

from __future__ import annotations

from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.io.fits import FitsFile
from gm.io.map_fits import is_sky_map
from gm.io.ogip import is_ogip


def file_type(file: FitsFile) -> str | None:
    """The type of the dataset in an opened file; None for one that holds none, as a background or a response file."""
    if is_ogip(file):
        return SpectrumDatasetOnOff.type if "ANCRFILE" in file.get("SPECTRUM").header else None
    counts, is_on_off = file.find("COUNTS"), file.find("COUNTS_OFF") is not None
    if counts is not None:
        if counts.is_table:
            return SpectrumDatasetOnOff.type if is_on_off else SpectrumDataset.type
        return MapDatasetOnOff.type if is_on_off else MapDataset.type
    if is_sky_map(file):
        return None
    tables = [extension for extension in file.extensions if extension.is_table]
    names = {name.lower() for table in tables[:1] for name in table.columns}
    return FluxPointsDataset.type if {"e_ref", "e_min"} & names else None
