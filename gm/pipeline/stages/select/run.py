"""The select stage: the comparison as a document, and the best fit of each alternative as models to go on with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from gm.estimators.selection import ModelSelection
from gm.estimators.selection_result import Selection
from gm.models.documents.writing import ModelsWriter
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.select.settings import SelectSettings


def run_select(
    session: Session,
    key: str,
    file: Path,
    settings: SelectSettings,
    models_file: Callable[[str], Path],
    inputs: Inputs,
) -> Ran:
    """Compare, and write the document after the models. Raises `DataError`."""
    began = time.perf_counter()
    fit = session.analysis.of(FIT) or FitSettings()
    datasets, models = session.start.datasets().select(fit.datasets), session.start.models()
    selection = ModelSelection(
        component=settings.component,
        alternatives=settings.alternatives,
        criterion=settings.criterion,
        sigma=settings.sigma,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    ).run(
        datasets,
        models,
        lambda name, share: session.reporter.progress(
            settings.name, round(share * len(settings.alternatives)), len(settings.alternatives), name
        ),
    )
    seconds = time.perf_counter() - began
    writers = _writers(session, key, selection, models_file)
    places = {name: os.path.relpath(models_file(name), file.parent) for name in writers}
    document = selection.to_dict(settings.name, inputs, places)
    session.begin(key, [file, *(path for writer in writers.values() for path in writer.files)])
    for writer in writers.values():
        writer.write()
    write_document(file, document)
    session.reporter.step("select", document["message"], seconds)
    return document, {**session.seconds, "select": seconds}


def _writers(
    session: Session, key: str, selection: Selection, models_file: Callable[[str], Path]
) -> dict[str, ModelsWriter]:
    """Of the alternatives that have a fit."""
    own = session.own_files(key)
    return {
        row.name: row.result.models.writer(models_file(row.name), own)
        for row in selection.candidates
        if row.result is not None
    }
