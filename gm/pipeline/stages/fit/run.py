"""The fit stage: the joint fit of the selected datasets, its result and the best-fit models as files."""

from __future__ import annotations

import time
from typing import Any

from gm.datasets import Datasets
from gm.fit import Fit, FitResult, NothingToFit
from gm.fit.spectra import fitted_spectra
from gm.models import Layout, Models
from gm.patterns import matching
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.fit import TABLES
from gm.pipeline.stages.fit.data_checks import check_fit, nothing_to_fit
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.tables import write_fit_tables
from gm.readable import plural


def run_fit(session: Session, task: Task, inputs: Inputs) -> tuple[dict[str, Any], dict[str, float]]:
    """Fit, and write ``fit.yaml`` after the models beside it.

    Raises `DataError` when no bin is left, and `InvalidInput` when no parameter is.
    """
    analysis, models, everything = session.analysis, session.start.models(), session.start.datasets()
    settings = analysis.of(task.stage) or FitSettings()
    check_fit(analysis, everything, models, settings)
    datasets = everything.select(settings.datasets)
    tested = matching((component.name for component in models), settings.test)
    session.reporter.say(_headline(session, datasets, models))
    start = time.perf_counter()
    steps = 0

    def progress(_what: str, value: float) -> None:
        nonlocal steps
        steps += 1
        session.reporter.progress("fit", steps, 0, f"statistic {value:.2f}")

    progress("fit", float("nan"))  # the clock starts before the responses are compiled

    try:
        result = Fit(datasets, analysis.settings.conventions, session.engine).run(
            models,
            minos=settings.minos,
            contours=settings.contours,
            contour_levels=settings.contour_levels,
            test=tested,
            by_energy=True,
            progress=progress,
        )
    except NothingToFit as error:
        raise nothing_to_fit(analysis, error.why) from error
    seconds = time.perf_counter() - start
    session.reporter.step("fit", _summary(result), seconds)
    spectra = fitted_spectra(result.models, result.by_energy, analysis.settings.conventions, settings.flux_ranges)
    named = None if result.by_energy is None else TABLES
    document = result.to_dict(analysis.settings.name, spectra, inputs, named)
    writer = result.models.writer(task.result.with_name("models.yaml"), session.own_files(task.key))
    tables = task.result.with_name(TABLES)
    session.begin(task.key, [task.result, tables, *writer.files])
    writer.write()
    if result.by_energy is not None:
        write_fit_tables(tables, datasets, result.by_energy, spectra)
    write_document(task.result, document)
    return document, {**session.seconds, "fit": seconds}


def _headline(session: Session, datasets: Datasets, models: Models) -> str:
    parts = (
        plural(len(datasets), "dataset"),
        plural(len(models), "component"),
        plural(Layout(models).n_free, "free parameter"),
    )
    return f"{session.analysis.settings.name}  {', '.join(parts)}"


def _summary(result: FitResult) -> str:
    report = result.minimizer
    verdict = result.status.replace("_", " ")
    return f"{verdict}, {report.steps} steps, edm {report.edm:.1g}, {result.n_bins} bins"
