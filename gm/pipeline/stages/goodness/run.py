"""The goodness stage: simulations of the best fit, fitted again, and the observed statistic among theirs."""

from __future__ import annotations

import time

from gm.estimators.toy_summary import summarize
from gm.estimators.toys import ToyFit
from gm.pipeline.inputs import Inputs, fingerprint
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.goodness.settings import GoodnessSettings
from gm.pipeline.stages.toys.rows import engine_of_toys, fit_toys, forget
from gm.pipeline.stages.toys.truth import truth_and_observed
from gm.readable import plural


def run_goodness(session: Session, task: Task, settings: GoodnessSettings, inputs: Inputs) -> Ran:
    """Fit all simulations, and write the document. Raises `DataError`."""
    began, folder = time.perf_counter(), task.result.parent
    truth, observed = truth_and_observed(session)
    fit = ToyFit(conventions=session.analysis.settings.conventions, engine=engine_of_toys(session), errors=False)
    work = truth, fit, settings.seed
    toys = fit_toys(session, "goodness", folder, fingerprint(inputs), work, settings.simulations)
    about = dict.fromkeys(truth.models.parameters.addresses, (0.0, ""))
    summary = summarize(toys, about, observed, seed=settings.seed)
    document = summary.goodness().to_dict(session.analysis.settings.name, inputs)
    session.begin(task.key, task.outputs())
    write_document(task.result, document)
    forget(folder)
    seconds = time.perf_counter() - began
    session.reporter.step("goodness", f"{plural(settings.simulations, 'simulation')}", seconds)
    return document, {**session.seconds, "goodness": seconds}
