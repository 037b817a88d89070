"""The times over which a variable component is averaged."""

from __future__ import annotations

from gm.datasets import Dataset, FluxPointsDataset
from gm.errors import DataError
from gm.models import ConstantTemporalModel, SkyModel
from gm.models.time_intervals import TimeIntervals


def times_of(component: SkyModel, dataset: Dataset) -> TimeIntervals | None:
    """The good time of a dataset, where the component varies; None for a steady one. Raises `DataError` without any."""
    if component.temporal_model is None or isinstance(component.temporal_model, ConstantTemporalModel):
        return None
    gti = None if isinstance(dataset, FluxPointsDataset) else dataset.gti
    if gti is None:
        kind = type(component.temporal_model).__name__
        raise DataError(f"dataset {dataset.name}: no good time intervals (GTI), and '{component.name}' varies: {kind}")
    try:
        return TimeIntervals.from_table(gti)
    except DataError as error:
        raise DataError(f"dataset {dataset.name}: {error}") from error
