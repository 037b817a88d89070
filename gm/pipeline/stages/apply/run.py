"""The operations applied, and what they make as files."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from gm.datasets import Datasets, write_dataset
from gm.datasets.operations import Outcome
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.likelihood import Engine
from gm.pipeline.analysis.load import Analysis, check_edited
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import files_of_datasets, write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.apply.operations import Step, apply_operations, predicted_rows, step_document
from gm.pipeline.stages.base import Ran, Stage, Task
from gm.pipeline.start import InMemory, Parts, Preview, Start
from gm.readable import plural


def run_operations(session: Session, task: Task, inputs: Inputs) -> Ran:
    """Apply the operations; write ``edits.yaml`` after the datasets and the models."""
    start = time.perf_counter()
    parts = session.start.parts()
    before = session.read(parts)  # not kept: whoever comes later reads what is written here
    steps = _steps(session.analysis, task.stage, before, session.start, session.engine)
    document = {
        "schema": task.stage.schema,
        "name": session.analysis.settings.name,
        "operations": [step_document(step) for step in steps],
    }
    _write(session, task, parts, before, steps[-1].outcome)
    write_document(task.result, document)
    seconds = time.perf_counter() - start
    written = plural(len(steps[-1].outcome.datasets), "dataset")
    session.reporter.step("apply", f"{plural(len(steps), 'operation')}, {written}", seconds)
    return {**document, "inputs": inputs}, {"apply": seconds}


def preview_operations(stage: Stage[Any], analysis: Analysis, start: Start, engine: Engine | None) -> Preview:
    """What the operations would make of the datasets as they are now."""
    steps = _steps(analysis, stage, start.datasets(), start, engine)
    outcome, conventions = steps[-1].outcome, analysis.settings.conventions
    check_edited(analysis, outcome.models)
    rows = [{**step_document(step), "counts": predicted_rows(step, conventions, engine)} for step in steps]
    return Preview(InMemory(start, outcome.datasets, outcome.models), rows)


def _steps(
    analysis: Analysis, stage: Stage[Any], datasets: Datasets, start: Start, engine: Engine | None
) -> list[Step]:
    operations = analysis.of(stage) or ()
    return apply_operations(
        analysis.sections[stage.name], operations, datasets, start.models(), analysis.settings.conventions, engine
    )


def _write(session: Session, task: Task, parts: Parts, before: Datasets, last: Outcome) -> None:
    """Datasets, the document that lists them, and models.

    Datasets that no operation has touched are listed where they are.
    """
    folder = task.result.parent
    untouched = {id(dataset) for dataset in before}
    files = files_of_datasets(folder, [d.name for d in last.datasets if id(d) not in untouched])
    models = last.models.writer(folder / "models.yaml", session.own_files(task.key))
    session.begin(task.key, [folder / "datasets.yaml", *models.files, *files.values(), task.result])
    sources, rows = _files(parts), []
    for dataset in last.datasets:
        file = files.get(dataset.name)
        if file is not None:
            write_dataset(dataset, file)
        rows.append(dataset.entry(os.path.relpath(file or sources[dataset.name], folder)))
    models.write()
    write_atomic(folder / "datasets.yaml", dump_yaml({"datasets": rows}))


def _files(parts: Parts) -> dict[str, Path]:
    """The files of datasets, by name."""
    return {
        entry["name"]: data_file(part.document.directory, entry["filename"])
        for part in parts
        for entry in part.document.data["datasets"]
    }
