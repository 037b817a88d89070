"""The find stage: what was found as a document, and the model that grew."""

from __future__ import annotations

import time

from gm.errors import DataError
from gm.estimators.sky.finding import SourceFinder
from gm.estimators.sky.sources import default_kernel
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.find.settings import FindSettings


def run_find(session: Session, task: Task, settings: FindSettings, inputs: Inputs) -> Ran:
    """Find sources, and write the document after the models. Raises `DataError` where no dataset is left."""
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError("find: no dataset is left")
    finder = SourceFinder(
        threshold=settings.threshold,
        iterations=settings.iterations,
        kernel=settings.kernel or default_kernel(),
        kernel_width=settings.kernel_width,
        stem=settings.stem,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )
    began = time.perf_counter()

    def progress(step: str, share: float) -> None:
        session.reporter.progress("find", round(share * settings.iterations), settings.iterations, step)

    found = finder.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    document = found.to_dict(inputs=inputs)
    writer = found.models.writer(task.result.with_name("models.yaml"), session.own_files(task.key))
    session.begin(task.key, [task.result, *writer.files])
    writer.write()
    write_document(task.result, document)
    session.reporter.step("find", document["message"], seconds)
    return document, {**session.seconds, "find": seconds}
