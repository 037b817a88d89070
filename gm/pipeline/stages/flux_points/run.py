"""The flux-points stage: the estimator's result as a document, and as FITS and ECSV tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm.datasets import Datasets
from gm.errors import DataError
from gm.estimators import FluxPointsEstimator, JointFluxPoints
from gm.estimators.bands import refuse_moved
from gm.estimators.flux_points import Progress
from gm.models import Models
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.flux_points.settings import FluxPointsSettings
from gm.pipeline.start import Start


def run_flux_points(
    session: Session, task: Task, settings: FluxPointsSettings, tables: Sequence[Sequence[Path]], inputs: Inputs
) -> Ran:
    """Estimate, and write the document after the ``tables`` of each source. Raises `DataError` where no dataset is
    left."""
    models, files = session.start.models(), task.outputs()
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"flux points {settings.name}: no dataset is left")
    n_bins, began, done = len(settings.sources) * (len(settings.energy_edges) - 1), time.perf_counter(), 0

    def progress(band: str, _share: float) -> None:
        nonlocal done
        session.reporter.progress(settings.name, done, n_bins, band)
        done += 1

    points = _measured(session, settings, datasets, models, progress)
    seconds = time.perf_counter() - began
    document = points.to_dict(settings.name, inputs)
    session.begin(task.key, files)
    for table, its_files in zip(points.tables, tables, strict=True):
        for file in its_files:
            table.write(file, overwrite=True, sed_type=settings.sed_type)
    write_document(files[0], document)
    session.reporter.step("flux_points", document["message"], seconds)
    return document, {**session.seconds, "flux_points": seconds}


def _measured(
    session: Session, settings: FluxPointsSettings, datasets: Datasets, models: Models, progress: Progress
) -> JointFluxPoints:
    """Of one source and its bands one by one, or of all in one fit."""
    how: dict[str, Any] = {
        "energy_edges": settings.energy_edges,
        "strict": settings.strict,
        "reoptimize": settings.reoptimize,
        "nuisance_prior": settings.nuisance_prior,
        "deabsorbed": settings.deabsorbed,
        "sigma": settings.sigma,
        "sigma_ul": settings.sigma_ul,
        "ul": settings.ul,
        "conventions": session.analysis.settings.conventions,
        "engine": session.engine,
    }
    if len(settings.sources) == 1 and settings.method == "bands":
        points = FluxPointsEstimator(source=settings.sources[0], **how).run(datasets, models, progress)
        return JointFluxPoints((points,), points.covariance)
    from gm.estimators.joint_points import JointFluxPointsEstimator

    together = JointFluxPointsEstimator(
        sources=settings.sources, method=settings.method, smoothness=settings.smoothness, **how
    )
    return together.run(datasets, models, progress)


def check_edges(start: Start, entries: tuple[FluxPointsSettings, ...]) -> None:
    """Raises `DataError` for edges of an entry that is ``strict`` which are none of bins."""
    for entry in entries:
        if entry.strict:
            refuse_moved(start.datasets().select(entry.datasets), np.array(entry.energy_edges))
