"""Datasets stacked, whatever their kind."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets.counts import CountsDataset
from gm.datasets.finer_bins import FinerBins
from gm.datasets.kinds import is_map, is_spectrum
from gm.datasets.operations.outcome import Refused
from gm.datasets.operations.stacking_maps import stacked_maps
from gm.datasets.operations.stacking_spectra import stacked_spectra


def stacked(datasets: Sequence[CountsDataset], name: str) -> CountsDataset:
    """One dataset of several of one type. Raises `Refused` for different types, axes or grids."""
    first = datasets[0]
    for other in datasets[1:]:
        if type(other) is not type(first):
            raise Refused(
                f"{first.name} is a {first.type} ({first.stat_type}), {other.name} a {other.type} ({other.stat_type})",
                "stack datasets of one type, or fit them jointly without a stack",
            )
    parts = [dataset.where_measured() for dataset in datasets]
    maps = [part for part in parts if is_map(part)]
    return stacked_maps(maps, name) if maps else stacked_spectra([part for part in parts if is_spectrum(part)], name)


def masked(dataset: CountsDataset, name: str) -> CountsDataset:
    """What is safe of a dataset, alone on its stack; sources on maps are predicted with the responses as they were."""
    dataset = dataset.where_measured()
    result = stacked([dataset], name)
    if is_map(dataset):
        return result.with_(finer=dataset.finer if dataset.mask_safe is None else FinerBins.of(dataset))
    return result
