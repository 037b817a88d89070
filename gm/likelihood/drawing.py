"""What a global model predicts for datasets, and data that are drawn around it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import has_counts, is_map
from gm.datasets.operations.backgrounds import backgrounds, corrected
from gm.datasets.simulation import Template, draw, template_of
from gm.errors import UsageError, suggest
from gm.likelihood.engine import Engine
from gm.likelihood.joint import JointLikelihood
from gm.likelihood.prediction import predict_component
from gm.models import Models
from gm.readable import count, plural

log = logging.getLogger(__name__)

_ROUNDING = 1e-6  # of what is predicted: less than that below 0 is none of a component


def simulate(
    datasets: Datasets,
    models: Models,
    seed: int = 0,
    *,
    asimov: bool = False,
    conventions: Conventions | str = Conventions.GAMMAPY,
    engine: Engine | None = None,
) -> Datasets:
    """The datasets drawn again around what the models predict, as ``gm simulate`` draws them, to the bit.

    Each dataset has its own stream of random numbers, by the ``seed`` and its name. Counts are Poisson, OFF counts
    around the background that was measured, fluxes Gaussian within their errors; masks stay. With
    ``asimov`` what is expected instead. Raises `DataError` for predictions that are not finite or too large, and for
    flux points with profiles, `UsageError` for a ``seed`` below 0.
    """
    if seed < 0:
        raise UsageError(f"seed is {seed}, expected a number that is not negative")
    templates = [template_of(dataset) for dataset in datasets]
    return Datasets(simulated(templates, models, seed, asimov, Conventions(conventions), engine))


def predicted(
    datasets: Datasets,
    models: Models,
    component: str | None = None,
    *,
    conventions: Conventions | str = Conventions.GAMMAPY,
    engine: Engine | None = None,
) -> dict[str, Array]:
    """What the models predict in every bin of each dataset, whatever its masks, in the shape of its counts.

    Counts of all components with the background, known or measured by OFF counts; for flux points (n,) fluxes [cm-2 s-1
    TeV-1]. Of one ``component`` alone if it is named, 0 where it does not apply. Raises `UsageError` for a name that is
    none, `DataError`.
    """
    how = Conventions(conventions)
    if component is None:
        blank = Datasets(template_of(dataset).dataset for dataset in datasets)
        return dict(zip(datasets.names, predict(blank, models, how, engine), strict=True))
    if component not in models:
        raise UsageError(f"no component is called '{component}'; {suggest(component, models.names, 'components')}")
    one, instruments = models[component], models.instruments()
    return {
        dataset.name: predict_component(dataset, one, how, engine, instruments) * float(one.applies_to(dataset.name))
        for dataset in datasets
    }


def simulated(
    templates: list[Template], models: Models, seed: int, asimov: bool, conventions: Conventions, engine: Engine | None
) -> Iterator[Dataset]:
    """Datasets drawn from templates, one after the other."""
    blank = Datasets([template.dataset for template in templates])
    for template, counts in zip(templates, predict(blank, models, conventions, engine), strict=True):
        if has_counts(template.dataset):
            _tell_negative(template.name, counts)
        yield draw(_with_background(template, models), counts, seed, asimov)


def _tell_negative(name: str, predicted: Array) -> None:
    """Say in how many bins of a dataset less than nothing is predicted, of which 0 is drawn."""
    is_negative = predicted < 0
    missing = -float(predicted[is_negative].sum())
    if missing > _ROUNDING * float(predicted[~is_negative].sum()):
        where = plural(int(np.count_nonzero(is_negative)), "bin")
        log.warning("%s: %s counts below 0 are predicted in %s, and 0 is drawn there", name, count(missing), where)


def _with_background(template: Template, models: Models) -> Template:
    """The template of On/Off data with the background that the prediction holds, so that OFF counts are drawn from it.

    The norm of a background component scales what is seen ON; a fit of On/Off data takes its background from OFF alone.
    """
    if template.acceptance is None:
        return template
    return replace(template, dataset=corrected(template.dataset, backgrounds(models).get(template.name)))


def predict(
    datasets: Datasets,
    models: Models,
    conventions: Conventions = Conventions.GAMMAPY,
    engine: Engine | None = None,
) -> Iterator[Array]:
    """Expected counts of every dataset in all of its bins (fluxes, for flux points) at the models' values, in the shape
    of its mask.

    Spectra are predicted together, maps one by one, so that the responses of one map at a time are in memory.
    """
    others = Datasets(dataset for dataset in datasets if not is_map(dataset))
    together = iter(_predict(others, models, conventions, engine) if len(others) else ())
    for dataset in datasets:
        if is_map(dataset):
            yield from _predict(Datasets([dataset]), models, conventions, engine)
        else:
            yield next(together)


def _predict(datasets: Datasets, models: Models, conventions: Conventions, engine: Engine | None) -> list[Array]:
    likelihood = JointLikelihood(datasets, models, conventions, counts_alone=True, engine=engine)
    return likelihood.predicted(likelihood.layout.start)
