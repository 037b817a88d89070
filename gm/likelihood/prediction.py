"""What one component predicts for one dataset, in every bin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets, FluxPointsDataset, MapDataset, MapDatasetOnOff, SpectrumDatasetOnOff
from gm.likelihood.joint import JointLikelihood
from gm.models import BackgroundIRFModel, Component, Models


def predict_component(
    dataset: Dataset, component: Component, conventions: Conventions | str = Conventions.GAMMAPY
) -> Array:
    """Predicted counts (fluxes for flux points) of a component at its values, whatever the masks of the dataset.

    Shape of the dataset's counts; a background component gives the corrected background.
    """
    if isinstance(component, BackgroundIRFModel):
        if isinstance(dataset, FluxPointsDataset) or getattr(dataset, "background", None) is None:
            return np.zeros_like(dataset.mask, dtype=np.float64)
        alone: Component = replace(component, dataset_name=dataset.name)
    else:
        alone = replace(component, datasets_names=None)
    bare = Datasets([_bare(dataset, keep_background=isinstance(component, BackgroundIRFModel))])
    likelihood = JointLikelihood(bare, Models([alone]), conventions)
    return likelihood.predicted(likelihood.layout.start)[0]


def predicted_counts(datasets: Datasets, conventions: Conventions | str = Conventions.GAMMAPY) -> dict[str, Array]:
    """What the bound model predicts for every dataset, 0 in bins that the masks leave out. Raises `DataError`."""
    likelihood = JointLikelihood(datasets, datasets.bound_models, conventions)
    predicted = likelihood.predicted(likelihood.layout.start)
    return {dataset.name: counts for dataset, counts in zip(datasets, predicted, strict=True)}


def _bare(dataset: Dataset, *, keep_background: bool) -> Dataset:
    """Without masks, and without a background that is not asked for."""
    changes: dict[str, Any] = {"mask_safe": None, "mask_fit": None}
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        ones = np.ones_like(dataset.acceptance)  # bins without acceptance would not enter
        changes |= {"acceptance": ones, "acceptance_off": ones}
    elif not isinstance(dataset, FluxPointsDataset) and not keep_background:
        changes["background"] = None
    if isinstance(dataset, MapDataset | MapDatasetOnOff):
        changes["counts"] = np.zeros_like(dataset.counts)
    return dataset.with_(**changes)
