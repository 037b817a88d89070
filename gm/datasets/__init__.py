"""Data and responses, free of models: spectra and flux points, read from and written to Gammapy's and OGIP files."""

from __future__ import annotations

from gm.datasets.datasets import Dataset, Datasets, dataset_entries, datasets_from_dict, read_dataset, write_dataset
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.sed import SedTable
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.irf.edisp import overlap_matrix

__all__ = [
    "Dataset",
    "Datasets",
    "FluxPointsDataset",
    "SedTable",
    "SpectrumDataset",
    "SpectrumDatasetOnOff",
    "dataset_entries",
    "datasets_from_dict",
    "overlap_matrix",
    "read_dataset",
    "write_dataset",
]
