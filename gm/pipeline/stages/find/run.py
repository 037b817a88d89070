"""The find stage: what was found as a document, and the model that grew."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gm.errors import DataError
from gm.estimators.sky.finding import FoundSource, FoundSources, SourceFinder
from gm.estimators.sky.sources import default_kernel
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import finite, write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.find.settings import FindSettings

SCHEMA = "gm/find/1"


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
    document = find_document(found, settings, [dataset.name for dataset in datasets], inputs)
    writer = found.models.writer(task.result.with_name("models.yaml"), session.own_files(task.key))
    session.begin(task.key, [task.result, *writer.files])
    writer.write()
    write_document(task.result, document)
    session.reporter.step("find", document["message"], seconds)
    return document, {**session.seconds, "find": seconds}


def find_document(
    found: FoundSources, settings: FindSettings, datasets: list[str], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/find/1`` document; numbers that do not exist are None."""
    kept = [step for step in found.steps if step.kept]
    why = "" if found.fit.success else f"; the fit failed: {found.fit.message}"
    return {
        "schema": SCHEMA,
        "name": "find",
        "status": "ok" if found.fit.success else "failed",
        "message": f"{len(kept)} sources: {found.stopped}{why}",
        "threshold": settings.threshold,
        "iterations": settings.iterations,
        "datasets": datasets,
        "models": "models.yaml",
        "statistic": {"start": finite(found.start), "end": finite(found.fit.statistic)},
        "stopped": found.stopped,
        "sources": [_row(step, k) for k, step in enumerate(found.steps, start=1)],
        "inputs": dict(inputs),
    }


def _row(step: FoundSource, iteration: int) -> dict[str, Any]:
    ellipse = step.ellipse
    return {
        "name": step.name,
        "iteration": iteration,
        "kept": step.kept,
        "reason": step.reason,
        "peak": {"lon": step.peak.lon, "lat": step.peak.lat, "sqrt_ts": step.peak.sqrt_ts},
        "ts": finite(step.ts),
        "frame": step.frame,
        "lon": finite(step.lon),
        "lat": finite(step.lat),
        "r68": None if ellipse is None else ellipse.radius(0.68),
        "ellipse": None
        if ellipse is None
        else {"major": ellipse.major, "minor": ellipse.minor, "angle": ellipse.angle, "unit": "deg"},
    }
