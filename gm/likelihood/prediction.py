"""What one component predicts for one dataset, in every bin."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.likelihood.engine import Engine
from gm.likelihood.joint import JointLikelihood
from gm.models import Component, InstrumentModel, Models, Role


def predict_component(
    dataset: Dataset,
    component: Component,
    conventions: Conventions | str = Conventions.GAMMAPY,
    engine: Engine | None = None,
    instruments: Iterable[InstrumentModel] = (),
) -> Array:
    """Predicted counts (fluxes for flux points) of a component at its values, whatever the masks of the dataset.

    In the shape of the dataset's counts; a background component gives the corrected background. ``instruments`` : whose
    nuisances act, at their values, where they apply to the dataset.
    """
    if component.role is Role.INSTRUMENT:
        return np.zeros_like(dataset.mask, dtype=np.float64)
    is_background = component.role is Role.BACKGROUND
    if is_background and dataset.known_background is None:
        return np.zeros_like(dataset.mask, dtype=np.float64)
    bare = Datasets([dataset.bare(keep_background=is_background)])
    acting = (one for one in instruments if one.applies_to(dataset.name))
    alone = Models([component.alone_on(dataset.name), *acting])
    likelihood = JointLikelihood(bare, alone, conventions, counts_alone=True, engine=engine)
    return likelihood.predicted(likelihood.layout.start)[0]


def predicted_counts(
    datasets: Datasets, conventions: Conventions | str = Conventions.GAMMAPY, engine: Engine | None = None
) -> dict[str, Array]:
    """What the bound model predicts for every dataset, in the shape of its counts, 0 in bins that the masks leave out.

    Raises `DataError`.
    """
    likelihood = JointLikelihood(datasets, datasets.bound_models, conventions, counts_alone=True, engine=engine)
    predicted = likelihood.predicted(likelihood.layout.start)
    return {dataset.name: counts for dataset, counts in zip(datasets, predicted, strict=True)}
