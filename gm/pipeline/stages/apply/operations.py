"""The dataset operations of a config, applied in order to datasets in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets, operations
from gm.datasets.kinds import has_counts
from gm.datasets.operations import Outcome
from gm.datasets.operations.backgrounds import backgrounds, corrected
from gm.errors import DataError
from gm.likelihood import Engine, JointLikelihood
from gm.likelihood.prediction import predict_component
from gm.models import Component, Models
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.sections import Section
from gm.pipeline.stages.apply.settings import OperationSettings, report_refusal


@dataclass(frozen=True, eq=False)
class Step:
    """One operation that was applied: its settings, what was there before, and what came out."""

    settings: OperationSettings
    datasets: Datasets
    models: Models
    outcome: Outcome


def apply_operations(
    section: Section,
    wanted: Iterable[OperationSettings],
    datasets: Datasets,
    models: Models,
    conventions: Conventions,
    engine: Engine | None = None,
) -> list[Step]:
    """The operations of a config, one after the other.

    Raises `InvalidInput` for one that is refused, and `DataError` for data that it cannot be done with.
    """
    steps = list[Step]()
    for settings in wanted:
        instruments = models.instruments()
        predict = partial(predict_component, conventions=conventions, engine=engine, instruments=instruments)
        outcome = _apply(section, settings, datasets, models, predict)
        steps.append(Step(settings, datasets, models, outcome))
        datasets, models = outcome.datasets, outcome.models
    return steps


def _apply(
    section: Section,
    settings: OperationSettings,
    datasets: Datasets,
    models: Models,
    predict: Callable[[Dataset, Component], Array],
) -> Outcome:
    arguments = dict(settings.arguments)
    if settings.name in ("to_spectrum_dataset", "to_image"):
        arguments["predict"] = predict
    try:
        outcome: Outcome = getattr(operations, settings.name)(datasets, models, settings.which, **arguments)
    except operations.Refused as error:
        findings = Findings()
        report_refusal(settings, error, replace(section, findings=findings))
        findings.stop_if_any()
        raise
    except DataError as error:
        path = (section.name, settings.index, settings.name)
        problem = section.config.problem(path, f"{settings.name}: {error}", key=True)
        raise DataError(str(problem)) from error
    return outcome


def step_document(step: Step) -> dict[str, Any]:
    """An operation with its inputs, results and edits of the model, as plain data."""
    outcome = step.outcome
    return {
        "operation": step.settings.name,
        "results": [
            {"name": p.output, "inputs": list(p.inputs), **_said(masks=p.note, energies=p.moved)}
            for p in outcome.products
        ],
        "edits": [
            {"action": edit.action, "component": edit.component, "text": edit.text, **_plain(edit.data)}
            for edit in outcome.edits
        ],
    }


def _said(**texts: str) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}


def _plain(data: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def predicted_rows(step: Step, conventions: Conventions, engine: Engine | None = None) -> list[dict[str, Any]]:
    """Predicted counts per component, summed over the inputs before and the results after, under the safe masks."""
    outcome = step.outcome
    inputs = [step.datasets[name] for product in outcome.products for name in product.inputs]
    results = [outcome.datasets[product.output] for product in outcome.products]
    before, after = (
        _predicted(datasets, models, conventions, engine)
        for datasets, models in ((inputs, step.models), (results, outcome.models))
    )
    rows = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        rows.append({"component": name, "before": old, "after": new, "note": _note(step, old, new)})
    return rows


_SELECTING = {"slice_energy": "selected energies", "cutout": "selected pixels", "to_spectrum_dataset": "in the region"}


def _note(step: Step, before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    if abs(after - before) <= 1e-9 * max(abs(before), abs(after)):
        return "exact"
    accuracy = step.outcome.accuracy
    return _SELECTING.get(step.settings.name) or (f"{accuracy}: {after / before - 1:+.1e}" if before else accuracy)


def _predicted(
    datasets: Sequence[Dataset], models: Models, conventions: Conventions, engine: Engine | None
) -> dict[str, float]:
    """The background, then every sky component that applies to one of the datasets."""
    counted = [d.with_(mask_fit=None) for d in datasets if has_counts(d)]
    if not counted:
        return {}
    likelihood = JointLikelihood(Datasets(counted), models, conventions, engine=engine)
    total = {"background": sum(_background(dataset, models) for dataset in counted)}
    for summary in likelihood.summarize(likelihood.layout.start):
        for name, value in summary.components.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _background(dataset: Dataset, models: Models) -> float:
    """Corrected background in safe bins; of On/Off data ``alpha`` times the off counts."""
    counts = corrected(dataset, backgrounds(models).get(dataset.name)).expected_background()
    if counts is None:
        return 0.0
    norm = 1.0
    for component in models.instruments(dataset.name):
        norm *= component.response.background_norm.value
    return norm * float(
        np.sum(counts, dtype=np.float64, where=True if dataset.mask_safe is None else dataset.mask_safe)
    )
