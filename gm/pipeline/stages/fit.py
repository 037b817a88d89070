"""The fit stage: the joint fit of the selected datasets, its result and the best-fit models as files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.datasets import Datasets
from gm.fit import Fit, FitResult, NothingToFit
from gm.models import Layout, Models
from gm.models.documents.writing import ModelsWriter
from gm.patterns import matching
from gm.pipeline.analysis.fit_checks import check_fit, nothing_to_fit
from gm.pipeline.analysis.settings import FitSettings, plural
from gm.pipeline.results import fit_document, write_document

if TYPE_CHECKING:
    from gm.pipeline.session import Session


def run_fit(
    session: Session, key: str, result_file: Path, models_file: Path, inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Fit, and write ``fit.yaml`` after the models beside it, as the results of the stage ``key``.

    Raises `DataError` when no bin is left, and `InvalidInput` when no parameter is.
    """
    analysis = session.analysis
    settings = analysis.settings.fit or FitSettings()
    models = session.models()
    check_fit(analysis, session.datasets(), models)
    datasets = session.datasets().select(settings.datasets)
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
        result = Fit(datasets, analysis.settings.conventions).run(
            models,
            minos=settings.minos,
            contours=settings.contours,
            contour_levels=settings.contour_levels,
            test=tested,
            progress=progress,
        )
    except NothingToFit as error:
        raise nothing_to_fit(analysis, error.why) from error
    seconds = time.perf_counter() - start
    session.reporter.step("fit", _summary(result), seconds)
    document = fit_document(result, analysis.settings.name, inputs)
    writer = ModelsWriter(result.models, models_file, session.own_files(key))
    session.begin(key, [result_file, *writer.files])
    writer.write()
    write_document(result_file, document)
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
