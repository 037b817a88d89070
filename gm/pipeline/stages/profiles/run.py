"""The profiles stage: the estimator's result as a document."""

from __future__ import annotations

import time

from gm.estimators import ProfileEstimator
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.fit.datasets import datasets_of
from gm.pipeline.stages.profiles.settings import ProfileSettings


def run_profile(session: Session, task: Task, settings: ProfileSettings, inputs: Inputs) -> Ran:
    """Compute and write. Raises `DataError` where no dataset is left."""
    datasets = datasets_of(session, settings.datasets, f"profile {settings.name}")
    estimator = ProfileEstimator(
        parameters=settings.parameters,
        quantity=settings.quantity,
        sigma=settings.sigma,
        n=settings.n,
        values=settings.values if settings.values is None or len(settings.values) == 2 else settings.values[0],
        levels=settings.levels,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )
    began = time.perf_counter()

    def progress(text: str, share: float) -> None:
        session.reporter.progress(settings.name, round(1000 * share), 1000, text)

    profile = estimator.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    document = profile.to_dict(settings.name, inputs)
    session.begin(task.key, [task.result])
    write_document(task.result, document)
    session.reporter.step("profiles", document["message"], seconds)
    return document, {**session.seconds, "profiles": seconds}
