"""The times over which a variable component is averaged, and what its model has to say of them."""

from __future__ import annotations

from gm.datasets import Datasets
from gm.datasets.base import Dataset
from gm.errors import DataError
from gm.models import Component, Models
from gm.models.temporal.intervals import TimeIntervals

_COMPLETE = 1e-6  # of the good time that may be missing


def check_light(datasets: Datasets, models: Models) -> None:
    """Raises `DataError` where a variable component is dark whenever it is looked at: nothing could be fitted."""
    variable = (c for c in models.sources() if c.temporal_model is not None and c.temporal_model.varies)
    for component in variable:
        applied = [d for d in datasets if any(other.name == component.name for other in models.select(d.name))]
        times = [(dataset.name, its) for dataset in applied if (its := times_of(component, dataset)) is not None]
        model = component.temporal_model
        if model is not None and times and not any(model.average(its, model.values()) for _, its in times):
            names = ", ".join(name for name, _ in times[:3]) + (", ..." if len(times) > 3 else "")
            covers = "does not cover" if not any(model.covered(its, model.values()) for _, its in times) else "is 0 in"
            raise DataError(
                f"component {component.name}: its {type(model).__name__} {covers} the good time of {names}\n"
                "    a light curve ends where its file ends; compare t_ref and the time scale with those of the data"
            )


def is_dark(component: Component, dataset: Dataset) -> bool:
    """Whether a variable component is dark in all of the good time of a dataset. Raises `DataError` without any."""
    times, model = times_of(component, dataset), component.temporal_model
    return times is not None and model is not None and not model.average(times, model.values())


def uncovered(component: Component, dataset: Dataset) -> float:
    """Part of the good time of a dataset that the light curve of a component says nothing of."""
    times, model = times_of(component, dataset), component.temporal_model
    if times is None or model is None:
        return 0.0
    missing = 1.0 - model.covered(times, model.values())
    return missing if missing > _COMPLETE else 0.0


def times_of(component: Component, dataset: Dataset) -> TimeIntervals | None:
    """The good time of a dataset, where the component varies; None for a steady one. Raises `DataError` without any."""
    if component.temporal_model is None or not component.temporal_model.varies:
        return None
    if dataset.good_time is None:
        kind = type(component.temporal_model).__name__
        raise DataError(f"dataset {dataset.name}: no good time intervals (GTI), and '{component.name}' varies: {kind}")
    try:
        return TimeIntervals.from_table(dataset.good_time)
    except DataError as error:
        raise DataError(f"dataset {dataset.name}: {error}") from error
