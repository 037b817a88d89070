"""The impacts stage: the estimator's result as a document, and its rows as a table."""

from __future__ import annotations

import time

from gm.errors import DataError, UsageError
from gm.estimators.impacts import ImpactEstimator
from gm.io.ecsv import write_ecsv
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.fit.datasets import datasets_of
from gm.pipeline.stages.impacts.settings import ImpactSettings


def run_impacts(session: Session, task: Task, settings: ImpactSettings, inputs: Inputs) -> Ran:
    """Compute, and write the document after its table. Raises `DataError`."""
    began = time.perf_counter()
    datasets = datasets_of(session, settings.datasets, f"impacts {settings.name}")
    estimator = ImpactEstimator(
        parameter=settings.parameter,
        nuisances=settings.nuisances,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )

    def progress(nuisance: str, share: float) -> None:
        session.reporter.progress(settings.name, round(1000 * share), 1000, nuisance)

    try:
        impacts = estimator.run(datasets, session.start.models(), progress)
    except UsageError as error:
        raise DataError(f"impacts {settings.name}: {error}") from error
    document = impacts.to_dict(settings.name, inputs)
    session.begin(task.key, task.outputs())
    write_ecsv(task.outputs()[1], impacts.table())
    write_document(task.result, document)
    seconds = time.perf_counter() - began
    session.reporter.step("impacts", document["message"], seconds)
    return document, {**session.seconds, "impacts": seconds}
