"""The simulation stage: templates, predictions of the global model, drawn datasets, files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import (
    Datasets,
    write_dataset,
)
from gm.datasets.kinds import is_map
from gm.datasets.operations.backgrounds import backgrounds, corrected
from gm.datasets.simulation import Template, build_templates, draw
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.likelihood import Engine, JointLikelihood
from gm.models import Models
from gm.pipeline.analysis.build import read_parts
from gm.pipeline.analysis.settings import plural
from gm.pipeline.results import files_of_datasets
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.simulate.document import ASIMOV, simulation_document


def run_simulation(session: Session, task: Task) -> dict[str, Any]:
    """Draw all datasets and write them; returns the summary."""
    analysis, folder, models = session.analysis, task.result.parent, session.start.models()
    simulation = analysis.of(task.stage)
    assert simulation is not None
    start = time.perf_counter()
    given = read_parts(session.start.parts(), analysis.settings.workers) if simulation.recipes is None else None
    templates = build_templates(simulation, given)
    expected = Datasets([template.dataset for template in templates])
    predicted = predict(expected, models, analysis.settings.conventions, session.engine)
    asimov = simulation.asimov or ASIMOV in analysis.request.flags
    writer = models.writer(folder / "models.yaml", session.own_files(task.key))
    files = files_of_datasets(folder, [template.name for template in templates])
    outputs = [task.result, *writer.files, *files.values()]
    session.begin(task.key, outputs)
    rows = []
    for number, (template, counts) in enumerate(zip(templates, predicted, strict=True)):
        dataset = draw(_with_background(template, models), counts, simulation.seed, asimov)
        file = files[dataset.name]
        write_dataset(dataset, file)
        rows.append(dataset.entry(os.path.relpath(file, folder)))
        session.reporter.progress("simulate", number + 1, len(templates))
    writer.write()
    write_atomic(task.result, dump_yaml({"datasets": rows}))
    kind = "expected counts" if asimov else f"seed {simulation.seed}"
    session.reporter.step("simulate", f"{plural(len(rows), 'dataset')}, {kind}", time.perf_counter() - start)
    return simulation_document(files, outputs)


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
    """Expected counts of every dataset in all of its bins (fluxes, for flux points) at the models' values.

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
    likelihood = JointLikelihood(datasets, models, conventions, engine=engine)
    return likelihood.predicted(likelihood.layout.start)
