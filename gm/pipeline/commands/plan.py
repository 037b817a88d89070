"""``gm plan``: what would run, and why; the global model after the config's edits; what it costs. Runs nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import is_map
from gm.errors import GmError
from gm.likelihood import JointLikelihood, remarks
from gm.models import Models
from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.analysis.load import Analysis, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.distribution import distribution
from gm.pipeline.memory import fit_memory
from gm.pipeline.reporter import Reporter, Silent
from gm.pipeline.run import check_tasks, left_behind, previous, usual_tasks
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.registry import STAGES
from gm.pipeline.start import Start


@dataclass(frozen=True)
class PlannedStage:
    """A stage, whether its result is up to date, and what it would do."""

    name: str
    up_to_date: bool
    reason: str
    text: str
    result: str


@dataclass(frozen=True)
class Plan:
    """Everything that ``gm plan`` tells; ``datasets``, ``parameters`` and ``operations`` are rows of plain data."""

    name: str
    components: list[str]
    datasets: list[dict[str, Any]]
    stages: list[PlannedStage]
    parameters: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    memory: float
    """Estimated peak of the fit [bytes]; of the program alone while the datasets are still to be simulated."""
    engine: dict[str, Any]
    """How the fit would be spread over workers, see `distribution`."""
    warnings: list[str]


def plan(request: Request, reporter: Reporter | None = None) -> Plan:
    """Check everything, read the data, and say what each stage would do; ``reporter`` hears of progress only.

    Raises what loading raises.
    """
    session = Session(load(request, STAGES), Silent())
    with closing(session):
        return _plan(session, reporter or Silent())


def _plan(session: Session, reporter: Reporter) -> Plan:
    analysis, tasks = session.analysis, usual_tasks(session.analysis)
    check_tasks(session, tasks)
    planned, known, operations = list[PlannedTask](), session.start, list[dict[str, Any]]()
    for task in tasks:
        known = task.stage.seen(analysis, known)
        planned.append(_planned(task, session, planned))
        preview = task.stage.preview(analysis, known, session.start, session.engine)
        known = preview.start
        operations += preview.rows
    models = known.models()
    if known.is_there():
        _check_data(analysis, known)
    datasets = known.datasets() if known.is_there() else None
    fitted = Datasets() if datasets is None else _fitted(analysis, datasets)
    names = set(fitted.names)
    return Plan(
        name=analysis.settings.name,
        components=[component.name for component in models],
        datasets=[_dataset_row(dataset, models, names) for dataset in datasets or ()],
        stages=[
            PlannedStage(one.task.label, not one.reason, one.reason, one.task.about(known), str(one.task.result))
            for one in planned
        ],
        parameters=parameter_rows(models),
        operations=operations,
        memory=fit_memory(fitted, models),
        engine=distribution(list(fitted), models, analysis.settings),
        warnings=[*_warnings(fitted, models, session, reporter), *left_behind(session)],
    )


def _check_data(analysis: Analysis, start: Start) -> None:
    """What is measured can be measured with these datasets. Raises `InvalidInput` and `DataError`."""
    for stage in STAGES:
        if stage.phase == Phase.MEASUREMENT and analysis.declares(stage):
            stage.check_data(analysis, start)


@dataclass(frozen=True)
class PlannedTask:
    """A task, and why it would run: empty where its result is up to date."""

    task: Task
    reason: str


def _planned(task: Task, session: Session, before: Sequence[PlannedTask]) -> PlannedTask:
    """A result is out of date as soon as one that it starts from is. The session goes on to what is there of it."""
    stage = task.stage
    session.start = stage.seen(session.analysis, session.start)
    stale = next((one.task for one in before if one.reason and one.task.stage.phase < stage.phase), None)
    try:
        reason = f"{stale.stage.name} runs before" if stale is not None else _why_run(task, session)
    except GmError as error:
        reason = str(error)
    session.start = stage.made(session, task)
    return PlannedTask(task, reason)


def _why_run(task: Task, session: Session) -> str:
    force = session.analysis.request.force
    return previous(task, session, task.inputs(session), force=force, asked=True)[1]


def _dataset_row(dataset: Dataset, models: Models, fitted: set[str]) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "type": dataset.type,
        "bins": dataset.n_bins(),
        "counts": dataset.n_counts(),
        "fitted": dataset.name in fitted,
        "components": [component.name for component in models.select(dataset.name)],
        "missing_responses": list(dataset.missing_responses()),
        **({"correlated": True} if dataset.is_correlated else {}),
    }


def _fitted(analysis: Analysis, datasets: Datasets) -> Datasets:
    for stage in STAGES:
        datasets = stage.select(analysis, datasets)
    return datasets


def _warnings(datasets: Datasets, models: Models, session: Session, reporter: Reporter) -> list[str]:
    """What predictions leave out and take for granted, and what the responses of the maps lose of each component.

    One map at a time, so that it takes little memory.
    """
    settings = session.analysis.settings
    conventions, remark = settings.conventions, settings.engine.remark()
    found = [remark] * bool(remark) + remarks(list(datasets), models, conventions)
    for number, dataset in enumerate(datasets):
        reporter.progress("responses", number, len(datasets))
        if is_map(dataset):
            likelihood = JointLikelihood(Datasets([dataset]), models, conventions, engine=session.engine)
            found += likelihood.warnings(likelihood.layout.start)
    return found


def parameter_rows(models: Models) -> list[dict[str, Any]]:
    """Every parameter of the global model: value, limits, prior, link, and whether the fit moves it by itself."""
    links = {models.addresses().resolve(link.parameter): link for link in models.links}
    rows = []
    for position, (address, parameter) in enumerate(zip(models.parameters.addresses, models.parameters, strict=True)):
        link = links.get(position)
        low, high = parameter.limits()
        rows.append(
            {
                "name": address,
                "value": parameter.value if math.isfinite(parameter.value) else None,
                "unit": parameter.unit,
                "min": low if math.isfinite(low) else None,
                "max": high if math.isfinite(high) else None,
                "frozen": parameter.frozen,
                "free": not parameter.frozen and link is None,
                "link": None if link is None else {"equals": link.equals, "scale": link.scale, "offset": link.offset},
                "prior": type(parameter.prior).__name__ if parameter.prior is not None else None,
            }
        )
    return rows
