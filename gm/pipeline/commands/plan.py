"""``gm plan``: what would run, and why; the global model after the config's edits; what it costs. Runs nothing."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gm.conventions import Conventions
from gm.errors import GmError
from gm.pipeline.analysis.build import fit_masks
from gm.pipeline.analysis.load import Analysis, check_edited, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.analysis.settings import FitSettings, plural
from gm.pipeline.memory import fit_memory
from gm.pipeline.reporter import Reporter, Silent
from gm.pipeline.run import build_stages, check_stages, declared_stages
from gm.pipeline.session import Session
from gm.pipeline.stages.base import FluxPoints, Stage, previous
from gm.pipeline.stages.operations import apply_operations, predicted_rows, step_document

if TYPE_CHECKING:
    from gm.datasets import Dataset, Datasets
    from gm.models import Models

_SOURCES = ("simulate", "apply", "fit")  # the stages that later ones start from


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
    warnings: list[str]


def plan(request: Request, reporter: Reporter | None = None) -> Plan:
    """Check everything, read the data, and say what each stage would do; ``reporter`` hears of progress only.

    Raises what loading raises.
    """
    analysis = load(request)
    session = Session(analysis, Silent())
    stages = build_stages(analysis, declared_stages(analysis) or ("fit",))
    check_stages(session, stages)
    before = _datasets(session)
    steps = apply_operations(analysis, before) if before is not None and analysis.operations else []
    datasets, models = before, analysis.models
    if steps:
        models = steps[-1].outcome.models
        check_edited(analysis, models)
        datasets = fit_masks(steps[-1].outcome.datasets, analysis.settings.fit)
    planned: list[PlannedStage] = []
    for stage in stages:
        earlier = next((before for before in planned if not before.up_to_date and before.name in _SOURCES), None)
        planned.append(_planned(stage, session, earlier, _what(stage, analysis, datasets, models)))
    fitted = datasets.select((analysis.settings.fit or FitSettings()).datasets) if datasets is not None else ()
    return Plan(
        name=analysis.settings.name,
        components=[component.name for component in models],
        datasets=[_dataset_row(dataset, models, {d.name for d in fitted}) for dataset in datasets or ()],
        stages=planned,
        parameters=parameter_rows(models),
        operations=[
            {**step_document(step), "counts": predicted_rows(step, analysis.settings.conventions)} for step in steps
        ],
        memory=fit_memory(fitted, models),
        warnings=_warnings(fitted, models, analysis.settings.conventions, reporter or Silent()),
    )


def _datasets(session: Session) -> Datasets | None:
    """The datasets that operations and fits start from, or None while they are still to be simulated."""
    if session.analysis.simulation is not None and not session.source_parts():
        return None
    return session.source_datasets() if session.analysis.operations else session.datasets()


def _planned(stage: Stage, session: Session, earlier: PlannedStage | None, text: str) -> PlannedStage:
    """A stage is out of date as soon as one that it starts from is."""
    if earlier is not None:
        return PlannedStage(stage.label, False, f"{earlier.name} runs before", text, str(stage.result))
    try:
        _, reason = previous(stage, session, stage.inputs(session), session.analysis.request.force)
    except GmError as error:
        reason = str(error)
    return PlannedStage(stage.label, not reason, reason, text, str(stage.result))


def _what(stage: Stage, analysis: Analysis, datasets: Datasets | None, models: Models) -> str:
    if stage.name == "simulate":
        return f"{len(analysis.dataset_names)} datasets"
    if stage.name == "apply":
        made = f", {plural(len(datasets), 'dataset')}" if datasets is not None else ""
        return f"{plural(len(analysis.operations), 'operation')}{made}"
    if isinstance(stage, FluxPoints):
        start = "the best fit" if stage.start is not None else "the models as given"
        return f"{len(stage.settings.energy_edges) - 1} bins, from {start}"
    fitted = datasets.select((analysis.settings.fit or FitSettings()).datasets) if datasets is not None else ()
    bins = f", {sum(_n_bins(dataset) for dataset in fitted)} bins" if datasets is not None else ""
    before, after = len(analysis.models.parameters.free), len(models.parameters.free)
    free = f"{before} -> {after} free parameters" if before != after else f"{after} free parameters"
    return f"{free}{bins}"


def _n_bins(dataset: Dataset) -> int:
    from gm.datasets import FluxPointsDataset

    if isinstance(dataset, FluxPointsDataset):
        return int(dataset.valid().sum())
    return int(dataset.mask.sum())


def _dataset_row(dataset: Dataset, models: Models, fitted: set[str]) -> dict[str, Any]:
    from gm.datasets import FluxPointsDataset

    counts = None if isinstance(dataset, FluxPointsDataset) else float(dataset.counts[dataset.mask].sum())
    return {
        "name": dataset.name,
        "type": dataset.type,
        "bins": _n_bins(dataset),
        "counts": counts,
        "fitted": dataset.name in fitted,
        "components": [component.name for component in models.select(dataset.name)],
        "missing_responses": list(dataset.missing_responses()),
    }


def _warnings(datasets: Collection[Dataset], models: Models, conventions: Conventions, reporter: Reporter) -> list[str]:
    """What predictions leave out and take for granted, and what the responses of the maps lose of each component.

    One map at a time, so that it takes little memory.
    """
    from gm.datasets import Datasets, MapDataset, MapDatasetOnOff
    from gm.likelihood import JointLikelihood, remarks

    found = remarks(list(datasets), models, conventions)
    for number, dataset in enumerate(datasets):
        reporter.progress("responses", number, len(datasets))
        if isinstance(dataset, MapDataset | MapDatasetOnOff):
            likelihood = JointLikelihood(Datasets([dataset]), models, conventions)
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
