"""The ``energy_range:`` and ``mask:`` of a fit as fit masks of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gm.config_schemas.reader import Document
from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import is_map
from gm.datasets.masks import mask_from
from gm.errors import DataError, InvalidInput
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.patterns import matching
from gm.pipeline.stages.fit.settings import EnergyRange, FitSettings
from gm.pipeline.stages.fit.sky_masks import SkyMask


def fit_masks(datasets: Datasets, fit: FitSettings | None, config: Document) -> Datasets:
    """The datasets with the energy ranges and sky masks of the config as fit masks; all entries for a dataset hold.

    Raises `DataError` for a mask that cannot be used, `InvalidInput` for one that is for no map.
    """
    if fit is None or not (fit.energy_range or fit.mask):
        return datasets
    idle = [k for k, sky in enumerate(fit.mask) if not any(is_map(d) for d in datasets.select(sky.datasets))]
    if idle:
        told = {k: f"is for no map: {', '.join(fit.mask[k].datasets)}" for k in idle}
        hint = "a mask on the sky is for datasets with pixels"
        raise InvalidInput([config.problem(("fit", "mask", k), message, hint) for k, message in told.items()])
    exclusions = {sky.file: read_map(sky.file) for sky in fit.mask if sky.file is not None}
    ranges = [(entry, set(matching(datasets.names, entry.datasets))) for entry in fit.energy_range]
    skies = [(sky, set(matching(datasets.names, sky.datasets))) for sky in fit.mask]
    return Datasets(
        _masked(
            dataset,
            [entry for entry, names in ranges if dataset.name in names],
            [sky for sky, names in skies if dataset.name in names],
            exclusions,
        )
        for dataset in datasets
    )


def _masked(
    dataset: Dataset, ranges: list[EnergyRange], skies: list[SkyMask], exclusions: Mapping[Path, Map]
) -> Dataset:
    if not is_map(dataset):
        skies = []
    if not (ranges or skies):
        return dataset
    lower = max((entry.min for entry in ranges if entry.min is not None), default=None)
    upper = min((entry.max for entry in ranges if entry.max is not None), default=None)
    mask = mask_from(dataset, (lower, upper))
    for sky in skies:
        exclusion = None if sky.file is None else exclusions[sky.file]
        try:
            mask &= mask_from(dataset, include=sky.include, exclude=sky.exclude, exclusion=exclusion)
        except DataError as error:
            raise DataError(f"fit.mask of dataset {dataset.name}: {error}") from error
    return dataset.with_(mask_fit=mask)
