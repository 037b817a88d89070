"""``to_spectrum_dataset``: the spectrum of a region, with what is not its target in a fixed background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm.datasets.datasets import Datasets
from gm.datasets.map_dataset import MapDatasetOnOff
from gm.datasets.operations.backgrounds import backgrounds, corrected, dissolve
from gm.datasets.operations.driver import Task, Which
from gm.datasets.operations.extraction import added_background, holds, region_mask, spectrum_of
from gm.datasets.operations.kinds import Maps, as_map, masks_note
from gm.datasets.operations.naming import in_place
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Product, Refused
from gm.datasets.operations.revision import Revision
from gm.datasets.operations.scopes import OnOrphan, check_templates, orphan, set_scope
from gm.datasets.reading import Dataset
from gm.errors import suggest
from gm.maps.sky_region import SkyRegion
from gm.models import Models, SkyModel, TemplateSpatialModel


def to_spectrum_dataset(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    region: SkyRegion | Mapping[str, Any],
    predict: Predict | None = None,
    target: Sequence[str] | str | None = None,
    containment_correction: bool = False,
    on_orphan: OnOrphan | None = None,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """A map summed in a region; the corrected background becomes a fixed one, without a component.

    target : the sky components that the spectrum is of; by default those whose centre lies in the region. All others
    are folded: ``predict(dataset, component)`` in the region joins the fixed background, and they apply to the other
    datasets only. on_orphan : what becomes of a component that no dataset is left for; refused when not told.
    """
    region = region if isinstance(region, SkyRegion) else SkyRegion.from_mapping(region)
    task = Task.of(datasets, which, name, suffix)
    maps = [as_map(dataset, "sum in a region") for dataset in task.inputs]
    check_templates(models, [dataset.name for dataset in maps])
    chosen = _targets(models, target)
    revision, edits, known = Revision(models), list[Edit](), backgrounds(models)
    made: list[tuple[tuple[str, ...], Dataset]] = []
    folded: dict[str, set[str]] = {}
    for dataset, new in zip(maps, task.names, strict=True):
        inside = region_mask(dataset, region)
        data: Maps = as_map(corrected(dataset, known.get(dataset.name)), "")
        for component in _foreign(models, dataset, region, chosen):
            counts = _predicted(predict, dataset, component)
            safe = True if dataset.mask_safe is None else dataset.mask_safe
            total = float(np.sum(counts, where=safe & inside))
            text = f"its {total:.6g} predicted counts in the region joined the fixed background of {new}"
            edits.append(Edit("folded", component.name, text, {"dataset": new, "predicted": total}))
            folded.setdefault(component.name, set()).add(dataset.name)
            data = added_background(data, counts)
        if dataset.name in known:
            edits += dissolve(revision, [known[dataset.name]], new, keep=keep)
        made.append(((dataset.name,), spectrum_of(data, new, region, containment_correction=containment_correction)))
    renamed = {names[0]: output.name for names, output in made}
    after = in_place(datasets, made, keep=keep)
    edits += _rescoped(revision, models, renamed, folded, after.names, keep, on_orphan)
    notes = [masks_note([dataset], "in where any pixel is") for dataset in task.inputs]
    products = tuple(Product(names, output.name, note) for (names, output), note in zip(made, notes, strict=True))
    accuracy = "mean exposure, response at the centre of the region"
    return Outcome(after, revision.finish(), tuple(edits), products, accuracy)


def _targets(models: Models, target: Sequence[str] | str | None) -> set[str] | None:
    if target is None:
        return None
    names = [component.name for component in models if isinstance(component, SkyModel)]
    chosen = {target} if isinstance(target, str) else set(target)
    for name in sorted(chosen - set(names)):
        raise Refused(f"target '{name}' is not a sky component", suggest(name, names, "sky components"))
    return chosen


def _foreign(models: Models, dataset: Maps, region: SkyRegion, chosen: set[str] | None) -> list[SkyModel]:
    """The sky components of a dataset that are not what the spectrum is of."""
    found = [c for c in models.select(dataset.name) if isinstance(c, SkyModel)]
    if chosen is not None:
        return [component for component in found if component.name not in chosen]
    return [component for component in found if not _is_inside(component, region, dataset)]


def _is_inside(component: SkyModel, region: SkyRegion, dataset: Maps) -> bool:
    """A template or a shape that is everywhere has no centre."""
    shape = component.spatial_model
    if shape is None:
        return True
    position = None if isinstance(shape, TemplateSpatialModel) else shape.position(shape.values())
    return position is not None and holds(region, dataset, *position, shape.frame)


def _predicted(predict: Predict | None, dataset: Maps, component: SkyModel) -> Any:
    if isinstance(dataset, MapDatasetOnOff):
        raise Refused(
            f"{component.name} cannot be folded: the background of {dataset.name} is measured, not predicted",
            f"name it in target: [{component.name}, ...], or take it off the dataset by its datasets_names",
        )
    if predict is None:
        raise Refused(f"{component.name} has to be folded, which takes its predicted counts", "give predict=...")
    return predict(dataset, component)


def _rescoped(
    revision: Revision,
    models: Models,
    renamed: Mapping[str, str],
    folded: Mapping[str, set[str]],
    after: Sequence[str],
    keep: bool,
    on_orphan: OnOrphan | None,
) -> list[Edit]:
    """Folded components leave the results; the others follow the names."""
    edits = []
    for component in models:
        if not isinstance(component, SkyModel):
            continue
        gone = folded.get(component.name, set())
        if component.datasets_names is None:
            if not gone:
                continue
            names = [name for name in after if name not in {renamed[old] for old in gone}]
        else:
            names = []
            for old in component.datasets_names:
                names += [old] if keep or old not in renamed else []
                names += [renamed[old]] if old in renamed and old not in gone else []
            if names == list(component.datasets_names):
                continue
        if names:
            edits.append(set_scope(revision, component, names))
        else:
            reason = f"it is folded into the background of {', '.join(sorted(renamed[old] for old in gone))}"
            edits.append(orphan(revision, component, on_orphan, reason))
    return edits
