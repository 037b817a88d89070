"""The sensitivity stage: the estimator's result as a document, and its bands as a table."""

from __future__ import annotations

import time

from gm.errors import DataError, UsageError
from gm.estimators.sensitivity import SensitivityEstimator
from gm.io.ecsv import write_ecsv
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.sensitivity.settings import SensitivitySettings


def run_sensitivity(session: Session, task: Task, settings: SensitivitySettings, inputs: Inputs) -> Ran:
    """Estimate, and write the document after its table. Raises `DataError`."""
    began = time.perf_counter()
    datasets = session.start.datasets().select(settings.datasets)
    estimator = SensitivityEstimator(
        source=settings.source,
        energy_edges=settings.energy_edges,
        sigma=settings.sigma,
        min_counts=settings.min_counts,
        background_systematic=settings.background_systematic,
        probability=settings.probability,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )
    n_bands = len(settings.energy_edges or ()) - 1
    try:
        sensitivity = estimator.run(
            datasets,
            session.start.models(),
            lambda band, share: session.reporter.progress(settings.name, round(share * n_bands), max(n_bands, 0), band),
        )
    except UsageError as error:
        raise DataError(f"sensitivity {settings.name}: {error}") from error
    document = sensitivity.to_dict(settings.name, inputs)
    session.begin(task.key, task.outputs())
    write_ecsv(task.outputs()[1], sensitivity.table())
    write_document(task.result, document)
    seconds = time.perf_counter() - began
    session.reporter.step("sensitivity", document["message"], seconds)
    return document, {**session.seconds, "sensitivity": seconds}
