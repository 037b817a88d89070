"""The simulation stage: templates, predictions of the global model, drawn datasets, files."""

from __future__ import annotations

import os
import time
from typing import Any

from gm.datasets import write_dataset
from gm.datasets.simulation import build_templates
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.likelihood.drawing import simulated
from gm.pipeline.analysis.build import read_parts
from gm.pipeline.results import files_of_datasets
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.simulate.document import ASIMOV, simulation_document
from gm.readable import plural


def run_simulation(session: Session, task: Task) -> dict[str, Any]:
    """Draw all datasets and write them; returns the summary."""
    analysis, folder, models = session.analysis, task.result.parent, session.start.models()
    simulation = analysis.of(task.stage)
    assert simulation is not None
    start = time.perf_counter()
    given = read_parts(session.start.parts(), analysis.settings.workers) if simulation.recipes is None else None
    templates = build_templates(simulation, given)
    asimov = simulation.asimov or ASIMOV in analysis.request.flags
    how = analysis.settings.conventions, session.engine
    writer = models.writer(folder / "models.yaml", session.own_files(task.key))
    files = files_of_datasets(folder, [template.name for template in templates])
    outputs = [task.result, *writer.files, *files.values()]
    session.begin(task.key, outputs)
    rows = []
    for number, dataset in enumerate(simulated(templates, models, simulation.seed, asimov, *how)):
        file = files[dataset.name]
        write_dataset(dataset, file)
        rows.append(dataset.entry(os.path.relpath(file, folder)))
        session.reporter.progress("simulate", number + 1, len(templates))
    writer.write()
    write_atomic(task.result, dump_yaml({"datasets": rows}))
    kind = "expected counts" if asimov else f"seed {simulation.seed}"
    session.reporter.step("simulate", f"{plural(len(rows), 'dataset')}, {kind}", time.perf_counter() - start)
    return simulation_document(files, outputs)
