"""The kinds of datasets that are treated apart, each by one question: all others the datasets answer themselves."""

from __future__ import annotations

from typing import TypeGuard

from gm.datasets.base import Dataset, OneDimensional
from gm.datasets.counts import CountsDataset
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import SkyMap
from gm.datasets.spectrum import Spectrum


def is_map(dataset: Dataset) -> TypeGuard[SkyMap]:
    """Whether it has pixels on the sky."""
    return isinstance(dataset, SkyMap)


def has_counts(dataset: Dataset) -> TypeGuard[CountsDataset]:
    """Whether it counts events, in bins of energy."""
    return isinstance(dataset, CountsDataset)


def is_points(dataset: Dataset) -> TypeGuard[FluxPointsDataset]:
    """Whether it holds flux points."""
    return isinstance(dataset, FluxPointsDataset)


def is_spectrum(dataset: Dataset) -> TypeGuard[Spectrum]:
    """Whether it counts events in bins of energy alone."""
    return isinstance(dataset, Spectrum)


def class_of(word: object) -> type[Dataset] | None:
    """The class of datasets that a datasets.yaml calls by this word, or None."""
    below = Dataset.__subclasses__()
    for kind in below:
        below += kind.__subclasses__()
    return next((kind for kind in below if vars(kind).get("type") == word), None)


def one_dimensional(dataset: Dataset) -> OneDimensional:
    """The dataset, which has no pixels. Raises `TypeError` for a kind that is neither."""
    if not isinstance(dataset, OneDimensional):
        raise TypeError(f"dataset {dataset.name}: a {dataset.type} is neither a map nor one-dimensional")
    return dataset
