"""The localize stage: the position as a document, and the surface of the statistic as an image."""

from __future__ import annotations

import time

from gm.errors import DataError
from gm.estimators.sky.localization import Localizer
from gm.maps.writing import write_map
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.localize.settings import LocalizeSettings


def run_localize(session: Session, task: Task, settings: LocalizeSettings, inputs: Inputs) -> Ran:
    """Localise, and write the document after the image. Raises `DataError` where no dataset is left."""
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"localize {settings.name}: no dataset is left")
    localizer = Localizer(source=settings.source, sigma=settings.sigma, n=settings.n, engine=session.engine)
    began = time.perf_counter()

    def progress(step: str, share: float) -> None:
        session.reporter.progress(settings.name, round(share * settings.n**2), settings.n**2, step)

    found = localizer.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    image, document = found.image(), found.to_dict(settings.name, inputs)
    files = [task.result] if image is None else task.outputs()
    session.begin(task.key, files)
    if image is not None:
        write_map(files[1], image, "RISE")
    write_document(task.result, document)
    session.reporter.step(settings.name, document["message"], seconds)
    return document, {**session.seconds, "localize": seconds}
