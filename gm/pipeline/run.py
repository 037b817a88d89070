"""The commands that compute: which stages a command needs, which of their results are up to date, what comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.errors import DataError, GmError, InvalidInput, UsageError
from gm.io.locking import alone_in
from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.analysis.request import Request
from gm.pipeline.inputs import Inputs
from gm.pipeline.loading import load_whole
from gm.pipeline.outputs import check_folder, check_writable
from gm.pipeline.reporter import Reporter
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Stage, Task
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.registry import STAGES

Stages = Collection[Stage[Any]]


@dataclass(frozen=True)
class Product:
    """The result of a task: its content, and whether it was made just now or was there already."""

    task: Task
    document: dict[str, Any]
    ran: bool

    @property
    def path(self) -> Path:
        return self.task.result

    @property
    def stage(self) -> Stage[Any]:
        return self.task.stage


@dataclass(frozen=True)
class Failure:
    """A result that could not be made, and why; others do not rest on it."""

    task: Task
    error: GmError


@dataclass(frozen=True)
class Outcome:
    """What a command produced of the stages that it asked for; ``message`` says why something is not there."""

    asked: tuple[Stage[Any], ...]
    products: tuple[Product, ...]
    exit_code: int
    message: str = ""
    failures: tuple[Failure, ...] = ()

    def document(self) -> dict[str, Any]:
        """All results as one document, in lists where a stage makes several; a single one of its stage as it is."""
        if len(self.products) == 1 and self.products[0].task.index is None and not self.failures:
            return self.products[0].document
        found: dict[str, Any] = {}
        for product in self.products:
            name = product.stage.name
            if product.task.index is None:
                found[name] = product.document
            else:
                found.setdefault(name, []).append(product.document)
        if self.failures:
            found["errors"] = [
                {"result": failure.task.key, "exit_code": failure.error.exit_code, "message": str(failure.error)}
                for failure in self.failures
            ]
        return found or {stage.name: [] for stage in self.asked}


def run(request: Request, reporter: Reporter, stage: Stage[Any] | None = None) -> Outcome:
    """One stage, with those before it where they are not up to date; else every stage that the config declares."""
    analysis, states = load_whole(request, STAGES)
    has_waited: list[bool] = []

    def wait() -> None:
        has_waited.append(True)
        reporter.say(f"waiting for another gm that writes into {output}")

    if remark := analysis.settings.engine.remark():
        reporter.say(remark)
    output = analysis.settings.output
    asked = _asked(analysis, stage)
    check_folder(analysis)
    with alone_in(output, wait) as is_alone:
        if has_waited and request.config != "-":
            analysis, states = load_whole(request, STAGES)
            asked = _asked(analysis, stage)
            if analysis.settings.output != output:
                raise DataError(
                    f"{request.config}: names another folder for the results by now\n    run the command again"
                )
        session, tasks = Session(analysis, reporter, states), build_tasks(analysis, asked)
        session.hash_loaded()
        check_tasks(session, tasks)
        if is_alone:
            session.record.remove_temporaries()
        for text in left_behind(session):
            reporter.say(text)
        with closing(session):
            return _run_tasks(session, tasks, asked)


def _asked(analysis: Analysis, stage: Stage[Any] | None) -> list[Stage[Any]]:
    """The stages that are asked for. Raises `InvalidInput` where the config declares none, or not this one."""
    asked = declared(analysis) if stage is None else [stage]
    if not asked:
        known = ", ".join(stage.section for stage in STAGES)
        raise _no_section(analysis, FIT, f"gm run runs what is declared: {known}")
    if stage is not None and stage.needs_section and not analysis.declares(stage):
        raise _no_section(analysis, stage, f"gm {stage.command} needs it")
    return asked


def declared(analysis: Analysis) -> list[Stage[Any]]:
    """The stages with a section in the config, in the order in which they run."""
    return [stage for stage in STAGES if analysis.declares(stage)]


def build_tasks(analysis: Analysis, asked: Stages) -> list[Task]:
    """The tasks of the stages that are asked for, and of those before them that the config declares, in order."""
    last = max(stage.phase for stage in asked)
    stages = [stage for stage in STAGES if stage in asked or (stage.phase < last and analysis.declares(stage))]
    return [task for stage in stages for task in stage.tasks(analysis)]


def usual_tasks(analysis: Analysis) -> list[Task]:
    """The tasks of all declared stages; of the fit, where none is."""
    return build_tasks(analysis, declared(analysis) or [FIT])


def left_behind(session: Session) -> list[str]:
    """Of entries that the config has no more, in words: their results stay where they are."""
    analysis, record = session.analysis, session.record
    stages = [stage for stage in STAGES if analysis.declares(stage)]
    known = {task.key for stage in stages for task in stage.tasks(analysis)}
    gone = [key for key in record.stages() if "/" in key and key not in known and record.files(key)]
    return [f"{key}: no entry of the config any more; its results stay in {record.output}" for key in gone]


def check_tasks(session: Session, tasks: Iterable[Task]) -> None:
    """Whether they may write their files, as far as these are known before they run. Raises `InvalidInput`."""
    check_folder(session.analysis)
    for task in tasks:
        session.check(task.key, task.outputs())


def previous(
    task: Task, session: Session, inputs: Inputs, *, force: bool, asked: bool
) -> tuple[dict[str, Any] | None, str]:
    """The result of an earlier run, or else why the task runs: empty when that result is up to date."""
    record = session.record.finished(task.key)
    if record is None:
        if session.record.is_unfinished(task.key):
            return None, "stopped while it wrote its result"
        return None, "no record of how its result was made" if task.result.exists() else "no result yet"
    reason = "forced" if force else task.why_stale(record["inputs"], inputs, asked)
    if reason:
        return None, reason
    document = task.document(record)
    if document is None:
        return None, "no result that can be read" if task.result.exists() else "no result yet"
    return document, session.why_changed(record["outputs"])


def _run_tasks(session: Session, tasks: Iterable[Task], asked: Stages) -> Outcome:
    products, failures, exit_code = list[Product](), list[Failure](), 0
    for task in tasks:
        stage = task.stage
        session.start = stage.seen(session.analysis, session.start)
        try:
            product = _run_task(task, session, asked=stage in asked)
        except (DataError, InvalidInput, UsageError) as error:
            if stage.phase < Phase.MEASUREMENT:
                raise
            session.reporter.say(f"{task.label}: failed")
            failures.append(Failure(task, error))
            session.failed.add(task.key)
            exit_code = max(exit_code, error.exit_code)
            continue
        session.start = stage.made(session, task)
        if stage in asked:
            products.append(product)
            exit_code = max(exit_code, stage.exit_code(product.document))
        why = stage.why_stop(product.document)
        if why:
            left = [other.name.replace("_", " ") for other in asked if other.phase > stage.phase]
            message = f"{', '.join(left)} were not computed: {why}" if left else ""
            return Outcome(tuple(asked), tuple(products), stage.exit_code(product.document), message)
    if len(failures) == 1 and not products:
        raise failures[0].error
    return Outcome(tuple(asked), tuple(products), exit_code, failures=tuple(failures))


def _run_task(task: Task, session: Session, *, asked: bool) -> Product:
    """Run a task, or take its result from before. ``--force``: only what was asked for, not what comes before it."""
    inputs = task.inputs(session)
    document, reason = previous(task, session, inputs, force=asked and session.analysis.request.force, asked=asked)
    if document is not None and not reason:
        session.reporter.say(f"{task.label}: up to date")
        session.touch(task.result)
        return Product(task, document, False)
    session.reporter.say(f"{task.label}: {reason}")
    check_writable(task.outputs())
    try:
        document, seconds = task.run(session, inputs)
    except (DataError, UsageError) as error:
        raise task.speaking_of(error) from error
    session.finish(task.key, inputs, seconds)
    return Product(task, document, True)


def _no_section(analysis: Analysis, stage: Stage[Any], why: str) -> InvalidInput:
    return InvalidInput([analysis.config.problem((), f"no section '{stage.section}:'", why)])
