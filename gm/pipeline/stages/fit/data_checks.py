"""What can be said of a fit before it runs: what it refuses once it knows its data, and how large it is.

``gm validate`` says the first, in the same words and with a place; ``gm plan`` the second.
"""

from __future__ import annotations

from gm.datasets import Datasets
from gm.datasets.kinds import is_map
from gm.datasets.left_out import no_bin_is_left
from gm.errors import DataError, InvalidInput
from gm.likelihood.sky_fluxes import check_fluxes
from gm.likelihood.times import check_light
from gm.models import Layout, Models
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.start import Start


def check_fit(analysis: Analysis, datasets: Datasets, models: Models, settings: FitSettings | None) -> None:
    """Some bin is left, light curves are on at times that are good, spectra have fluxes, and some free parameter has to
    do with a dataset that is fitted; ``datasets`` are all, masked.

    Raises `DataError` and `InvalidInput`.
    """
    fitted = datasets.select((settings or FitSettings()).datasets)
    if not any(dataset.mask.any() for dataset in fitted):
        raise DataError(no_bin_is_left(fitted))
    check_light(fitted, models)
    check_fluxes(fitted, models)
    layout = Layout(models)
    by_name = {dataset.name: dataset for dataset in fitted}
    seen = [component for component in models if component.applied(by_name)]
    slots = [layout.slots(component.name) for component in seen]
    decides = (layout.free_position(k) for own in slots for k in range(own.start, own.stop))
    if all(position is None for position in decides) and not layout.has_peak().any():
        raise nothing_to_fit(
            analysis, "no dataset depends on any free parameter" if layout.n_free else "no parameter is free"
        )


def check_counts_templates(datasets: Datasets, models: Models, settings: FitSettings | None) -> None:
    """Templates of predicted counts have the pixels and energies of their datasets. Raises `DataError`."""
    for dataset in filter(is_map, datasets.select((settings or FitSettings()).datasets)):
        for component in models.counts_templates(dataset.name):
            component.template(dataset.geometry, dataset.energy)


def nothing_to_fit(analysis: Analysis, why: str) -> InvalidInput:
    """The error, with its place in the config."""
    path = ("fit",) if "fit" in analysis.config.data else ()
    hint = "free a parameter of the models: parameters: {crab.amplitude: {frozen: false}}"
    return InvalidInput([analysis.config.problem(path, f"nothing to fit: {why}", hint, key=bool(path))])


def summary_before(analysis: Analysis, start: Start, settings: FitSettings | None) -> str:
    """How many parameters are free, before and after the operations, and how many bins are fitted."""
    before, after = len(analysis.models.parameters.free), len(start.models().parameters.free)
    free = f"{before} -> {after} free parameters" if before != after else f"{after} free parameters"
    if not start.is_there():
        return free
    fitted = start.datasets().select((settings or FitSettings()).datasets)
    return f"{free}, {sum(dataset.n_bins() for dataset in fitted)} bins"
