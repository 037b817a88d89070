"""The toys stage: what is drawn, what is fitted, and what comes out as files."""

from __future__ import annotations

import time

from gm.estimators.profiled_bias import shifts_by_profiling
from gm.estimators.toy_summary import summarize
from gm.estimators.toys import ToyFit, Truth
from gm.models import Models
from gm.models.asked import test_problems
from gm.models.sky_flux import no_flux
from gm.patterns import matching
from gm.pipeline.inputs import Inputs, fingerprint
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.toys.rows import engine_of_toys, fit_toys, forget
from gm.pipeline.stages.toys.settings import RETRY, ToySettings
from gm.pipeline.stages.toys.table import read_toys, write_toys
from gm.pipeline.stages.toys.truth import truth_and_observed
from gm.readable import plural


def run_toys(session: Session, task: Task, settings: ToySettings, inputs: Inputs) -> Ran:
    """Fit all toys that are not there yet, and write what they say together. Raises `DataError`."""
    began = time.perf_counter()
    truth, observed = truth_and_observed(session, from_best_fit=settings.from_best_fit)
    fit, table = _toy_fit(session, settings, truth), task.outputs()[1]
    key = _key(task, inputs)
    retry = RETRY in session.analysis.request.flags
    before = read_toys(table, key) if session.is_as_written(task.key, table) else []
    toys = fit_toys(session, "toys", task.result.parent, key, (truth, fit, settings.seed), settings.n, before, retry)
    addresses = truth.models.parameters.addresses
    about = {name: (p.value, p.unit) for name, p in zip(addresses, truth.models.parameters, strict=True)}
    shifts = shifts_by_profiling(truth, session.analysis.settings.conventions)
    summary = summarize(
        toys,
        about,
        observed,
        sigma_ul=settings.sigma_ul,
        shifts=shifts,
        seed=settings.seed,
        from_best_fit=settings.from_best_fit,
    )
    document = summary.to_dict(session.analysis.settings.name, inputs)
    session.begin(task.key, task.outputs())
    write_toys(table, toys, {name: unit for name, (_, unit) in about.items()}, key)
    write_document(task.result, document)
    forget(task.result.parent)
    seconds = time.perf_counter() - began
    session.reporter.step("toys", f"{plural(settings.n, 'toy')}, {summary.failed} failed", seconds)
    return document, {**session.seconds, "toys": seconds}


def _toy_fit(session: Session, settings: ToySettings, truth: Truth) -> ToyFit:
    minos = settings.minos
    if minos is None:
        minos = (session.analysis.of(FIT) or FitSettings()).minos
    sources = _sources(truth)
    return ToyFit(
        conventions=session.analysis.settings.conventions,
        engine=engine_of_toys(session),
        minos=minos,
        test=[name for name in matching(sources, settings.test) if _is_testable(truth.models, name)],
        limits=[name for name in matching(sources, settings.limits) if _has_norm(truth.models, name)],
        sigma_ul=settings.sigma_ul,
    )


def _sources(truth: Truth) -> list[str]:
    """Those that some dataset sees."""
    names = [dataset.name for dataset in truth.datasets]
    return [source.name for source in truth.models.sources() if any(map(source.applies_to, names))]


def _is_testable(models: Models, name: str) -> bool:
    """Whether a source has something of its own to be tested, and no other parameter follows it."""
    slots, free = models.slots()[name, None], set(models.parameters.free)
    return any(p in free for p in list(models.parameters)[slots]) and not list(test_problems(models, name))


def _has_norm(models: Models, name: str) -> bool:
    return not next(no_flux(source) for source in models.sources() if source.name == name)


def _key(task: Task, inputs: Inputs) -> str:
    """The hash of all that decides a toy but its number: more toys of the same kind go on from those that are there."""
    config = task.config()
    own = {key: value for key, value in (config[task.stage.section] or {}).items() if key != "n"}
    return fingerprint([inputs["gm"], inputs["files"], {**config, task.stage.section: own}])
