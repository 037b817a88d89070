"""Data and responses, free of models: maps, spectra and flux points, in the files of Gammapy and of OGIP."""

from __future__ import annotations

from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets, datasets_from_dict
from gm.datasets.files.formats import read_dataset, write_dataset
from gm.datasets.files.index import dataset_entries
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.sed import SedTable
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.irf.edisp import overlap_matrix

__all__ = [
    "Dataset",
    "Datasets",
    "FluxPointsDataset",
    "MapDataset",
    "MapDatasetOnOff",
    "SedTable",
    "SpectrumDataset",
    "SpectrumDatasetOnOff",
    "dataset_entries",
    "datasets_from_dict",
    "overlap_matrix",
    "read_dataset",
    "write_dataset",
]
