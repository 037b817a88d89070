"""The light-curve stage: the estimator's result as a document, and as FITS and ECSV tables."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from gm.errors import DataError, UsageError
from gm.estimators import LightCurveEstimator
from gm.estimators.light_curve_result import Points
from gm.estimators.light_curve_table import write_light_curve_table
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.light_curves.settings import RETRY, LightCurveSettings


def run_light_curve(session: Session, task: Task, settings: LightCurveSettings, inputs: Inputs) -> Ran:
    """Estimate, and write the document after its tables. Raises `DataError` where the bins and datasets do not fit."""
    datasets = session.start.datasets().select(settings.datasets)
    estimator = LightCurveEstimator(
        source=settings.source,
        time_bins=settings.time_bins,
        energy_edges=settings.energy_edges,
        free=settings.free,
        reoptimize=settings.reoptimize,
        joint=settings.joint,
        sigma=settings.sigma,
        sigma_ul=settings.sigma_ul,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )
    kept, began = _kept(session, task, inputs), time.perf_counter()

    def progress(text: str, share: float) -> None:
        session.reporter.progress(settings.name, round(1000 * share), 1000, text)

    n_bands = len(settings.energy_edges) - 1
    failed = {k // n_bands for k, point in enumerate(kept) if point["status"] == "failed"}
    try:
        curve = estimator.run(datasets, session.start.models(), progress, failed if kept else None)
    except UsageError as error:
        raise DataError(f"light curve {settings.name}: " + str(error).replace("; ", "\n    ", 1)) from error
    seconds = time.perf_counter() - began
    document = replace(curve, systematic=settings.systematic).to_dict(settings.name, inputs, kept)
    files = task.outputs()
    session.begin(task.key, files)
    for file in files[1:]:
        write_light_curve_table(document, file)
    write_document(files[0], document)
    session.reporter.step("light_curve", document["message"], seconds)
    return document, {**session.seconds, "light_curves": seconds}


def _kept(session: Session, task: Task, inputs: Inputs) -> Points:
    """The points of the result before, where only failed ones are to be measured again; else none."""
    record = session.record.finished(task.key)
    if RETRY not in session.analysis.request.flags or session.analysis.request.force or record is None:
        return []
    if record["inputs"] != inputs or not session.is_as_written(task.key, task.result):
        return []
    before: dict[str, Any] | None = task.document(record)
    return [] if before is None else before["points"]
