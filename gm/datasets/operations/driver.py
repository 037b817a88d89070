"""What all operations on single datasets share: names, order, and the edits of the global model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.datasets.operations.backgrounds import Corrected, backgrounds, bake, carry, corrected, has_background
from gm.datasets.operations.energy import moved_edges
from gm.datasets.operations.kinds import masks_note
from gm.datasets.operations.naming import in_place, new_names, selected
from gm.datasets.operations.outcome import Edit, Outcome, Product
from gm.datasets.operations.revision import Revision
from gm.datasets.operations.scopes import rescope
from gm.datasets.operations.templates import check_templates, move_template, templates_of
from gm.models import Models

Which = str | Sequence[str]
Treatment = Literal["carried", "baked"]


@dataclass(frozen=True)
class Task:
    """The datasets that an operation takes, in order, and the names of their results."""

    inputs: list[Dataset]
    names: list[str]

    @classmethod
    def of(cls, datasets: Datasets, which: Which, name: str | None, suffix: str | None) -> Task:
        """Raises `Refused` for a pattern that matches nothing and for names that are missing or taken."""
        inputs = selected(datasets, which)
        return cls(inputs, new_names(datasets.names, [d.name for d in inputs], name, suffix))


def each(
    datasets: Datasets,
    models: Models,
    task: Task,
    make: Callable[[Dataset, str], Dataset],
    treatment: Callable[[Dataset, Corrected], Treatment],
    *,
    keep: bool,
    masks: str = "",
    edges: Sequence[float | None] = (),
) -> Outcome:
    """One result for each input: the data as ``make`` says, the background as ``treatment`` says, scopes renamed.

    masks : what becomes of them; edges : the energies [TeV] that were asked for, None for the end of the axis
    """
    check_templates(models, datasets, [dataset.name for dataset in task.inputs], joined=False, keep=keep)
    revision, edits = Revision(models), list[Edit]()
    components = backgrounds(models)
    made: list[tuple[tuple[str, ...], Dataset]] = []
    for dataset, name in zip(task.inputs, task.names, strict=True):
        component = components.get(dataset.name)
        data = dataset
        if component is not None and has_background(dataset) and treatment(dataset, component) == "baked":
            data = corrected(dataset, component)
            output = make(data, name)
            edits += bake(revision, [component], output, keep=keep)
        else:
            output = make(data, name)
            edits += [] if component is None else [carry(revision, component, name, keep=keep)]
        for template in templates_of(models, dataset):
            is_baked = treatment(dataset, template) == "baked"
            edits.append(move_template(revision, template, dataset, output, make, is_baked=is_baked, keep=keep))
        made.append(((dataset.name,), output))
    edits += rescope(revision, models, {names[0]: output.name for names, output in made}, keep=keep)
    products = tuple(
        Product(names, output.name, masks_note([dataset], masks), moved_edges(dataset, edges))
        for (names, output), dataset in zip(made, task.inputs, strict=True)
    )
    return Outcome(in_place(datasets, made, keep=keep), revision.finish(), tuple(edits), products)
