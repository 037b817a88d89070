"""The extension stage: the sizes of a source as a document, and their profiles as a table."""

from __future__ import annotations

import time

from gm.errors import DataError
from gm.estimators.sky.extension import ExtensionEstimator
from gm.io.fits_writer import write_fits
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.extension.settings import ExtensionSettings


def run_extension(session: Session, task: Task, settings: ExtensionSettings, inputs: Inputs) -> Ran:
    """Measure, and write the document. Raises `DataError` where no dataset is left."""
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"extension {settings.name}: no dataset is left")
    estimator = ExtensionEstimator(
        source=settings.source,
        shape=settings.shape,
        energy_edges=settings.energy_edges,
        n=settings.n,
        ul=settings.ul,
        engine=session.engine,
    )
    began, done = time.perf_counter(), 0

    def progress(step: str, _share: float) -> None:
        nonlocal done
        done += 1
        session.reporter.progress(settings.name, done, 0, step)

    found = estimator.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    document, table = found.to_dict(settings.name, inputs), found.table()
    files = [task.result] if table is None else task.outputs()
    session.begin(task.key, files)
    if table is not None:
        write_fits(files[1], [table])
    write_document(task.result, document)
    session.reporter.step(settings.name, document["message"], seconds)
    return document, {**session.seconds, "extension": seconds}
