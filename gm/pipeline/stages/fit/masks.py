"""The ``energy_range:`` and ``mask:`` of a fit as fit masks of datasets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from gm.config_schemas.reader import Document
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import is_map
from gm.datasets.map_dataset import SkyMap
from gm.datasets.masks import mask_from
from gm.errors import DataError, InvalidInput
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.patterns import matching
from gm.pipeline.stages.fit.settings import EnergyRange, FitSettings
from gm.pipeline.stages.fit.sky_masks import SkyMask

log = logging.getLogger(__name__)


def fit_masks(
    datasets: Datasets, fit: FitSettings | None, config: Document, conventions: Conventions = Conventions.GAMMAPY
) -> Datasets:
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
            conventions,
        )
        for dataset in datasets
    )


def _masked(
    dataset: Dataset,
    ranges: list[EnergyRange],
    skies: list[SkyMask],
    exclusions: Mapping[Path, Map],
    conventions: Conventions,
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
            mask &= mask_from(
                dataset,
                include=sky.include,
                exclude=sky.exclude,
                exclusion=exclusion,
                on_sky=conventions.is_exact,
            )
        except DataError as error:
            raise DataError(f"fit.mask of dataset {dataset.name}: {error}") from error
    if is_map(dataset) and not conventions.is_exact:
        _tell_bent(dataset, skies)
    return dataset.with_(mask_fit=mask)


def _tell_bent(dataset: SkyMap, skies: list[SkyMask]) -> None:
    """Warn of regions that are none on the sky, since the pixels there are no squares."""
    regions = [region for sky in skies for region in (sky.include, sky.exclude) if region is not None]
    for shape in (shape for region in regions for shape in region.bent(dataset.geometry)):
        log.warning(
            "fit.mask of dataset %s: the %s at %g, %g deg is where pixels are no squares, and its size is a number of "
            "pixels, as in Gammapy; conventions: exact takes it for a distance on the sky",
            *(dataset.name, shape.kind, shape.lon[0], shape.lat[0]),
        )
