"""Datasets stacked, whatever their kind."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.operations.kinds import Counts
from gm.datasets.operations.on_off import measured
from gm.datasets.operations.outcome import Refused
from gm.datasets.operations.stacking_maps import stacked_maps
from gm.datasets.operations.stacking_spectra import stacked_spectra
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff


def stacked(datasets: Sequence[Counts], name: str) -> Counts:
    """One dataset of several of one type. Raises `Refused` for different types, axes or grids."""
    first = datasets[0]
    for other in datasets[1:]:
        if type(other) is not type(first):
            raise Refused(
                f"{first.name} is a {first.type} ({first.stat_type}), {other.name} a {other.type} ({other.stat_type})",
                "stack datasets of one type, or fit them jointly without a stack",
            )
    parts = [measured(dataset) for dataset in datasets]
    if isinstance(first, MapDataset | MapDatasetOnOff):
        return stacked_maps([part for part in parts if isinstance(part, MapDataset | MapDatasetOnOff)], name)
    return stacked_spectra([part for part in parts if isinstance(part, SpectrumDataset | SpectrumDatasetOnOff)], name)


def masked(dataset: Counts, name: str) -> Counts:
    """What is safe of a dataset, alone on its stack; sources on maps are predicted with the responses as they were."""
    dataset = measured(dataset)
    result = stacked([dataset], name)
    if isinstance(dataset, MapDataset | MapDatasetOnOff) and isinstance(result, MapDataset | MapDatasetOnOff):
        return result.with_(finer=dataset.finer if dataset.mask_safe is None else FinerBins.of(dataset))
    return result
