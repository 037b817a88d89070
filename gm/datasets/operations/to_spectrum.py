"""``to_spectrum_dataset``: the spectrum of a region, with what is not its target in a fixed background."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from gm.arrays import Array
from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.backgrounds import backgrounds, corrected, dissolve, dropped_priors
from gm.datasets.operations.driver import Task, Which
from gm.datasets.operations.kinds import as_map, masks_note
from gm.datasets.operations.naming import in_place
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Product, Refused
from gm.datasets.operations.region_sums import added_background, holds, region_mask, spectrum_of
from gm.datasets.operations.revision import Revision
from gm.datasets.operations.scopes import OnOrphan, rescoped, set_scope
from gm.errors import suggest
from gm.maps.sky_region import SkyRegion
from gm.models import Component, Models, Role
from gm.models.spatial.templates import TemplateSpatialModel

Folded: TypeAlias = dict[str, dict[str, float | None]]
"""Counts of components by dataset that went into its background; None: its background takes nothing."""


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
    are folded, templates of counts too: ``predict(dataset, component)`` in the region joins the fixed background. They
    go on for their other datasets; one without any goes, unless ``on_orphan="keep"``.
    on_orphan : On/Off maps have a measured background that takes nothing; a component that has no other dataset is
    dropped or kept then as told, and refused when not told.
    """
    region = region if isinstance(region, SkyRegion) else SkyRegion.from_mapping(region)
    task = Task.of(datasets, which, name, suffix)
    maps = [as_map(dataset, "sum in a region") for dataset in task.inputs]
    chosen = _targets(models, target)
    revision, edits, known = Revision(models), list[Edit](), backgrounds(models)
    made: list[tuple[tuple[str, ...], Dataset]] = []
    folded: Folded = {}
    for dataset, new in zip(maps, task.names, strict=True):
        data: SkyMap = as_map(corrected(dataset, known.get(dataset.name)), "")
        foreign = _foreign(models, dataset, region, chosen)
        _check_background_norm(models, dataset, foreign)
        data = _with_foreign(data, dataset, foreign, region, predict, folded)
        if dataset.name in known:
            edits += dissolve(revision, [known[dataset.name]], new, keep=keep)
        made.append(((dataset.name,), spectrum_of(data, new, region, containment_correction=containment_correction)))
    renamed = {names[0]: output.name for names, output in made}
    after = in_place(datasets, made, keep=keep)
    edits += rescoped(revision, models.instruments(), renamed, keep=keep)
    for sky in (component for component in models if component.role.is_sky):
        totals = folded.get(sky.name, {})
        edits += _follow(revision, sky, renamed, totals, after.names, keep=keep, on_orphan=on_orphan)
    notes = [masks_note([dataset], "in where any pixel is") for dataset in task.inputs]
    products = tuple(Product(names, output.name, note) for (names, output), note in zip(made, notes, strict=True))
    accuracy = "mean exposure, response at the centre of the region"
    return Outcome(after, revision.finish(), tuple(edits), products, accuracy)


def _with_foreign(
    data: SkyMap,
    dataset: SkyMap,
    foreign: Iterable[Component],
    region: SkyRegion,
    predict: Predict | None,
    folded: Folded,
) -> SkyMap:
    """The ``data`` of a dataset with what other components predict there in a known background; entered in ``folded``.

    A measured background takes nothing.
    """
    inside = region_mask(dataset, region)
    safe = inside if dataset.mask_safe is None else dataset.mask_safe & inside
    for component in foreign:
        total = folded.setdefault(component.name, {})
        total[dataset.name] = None
        if data.has_known_background:
            counts = _predicted(predict, dataset, component)
            total[dataset.name] = float(np.sum(counts, where=safe))
            data = added_background(data, counts)
    return data


def _check_background_norm(models: Models, dataset: SkyMap, foreign: Collection[Component]) -> None:
    """Raises `Refused` where a norm of the background would be one of what is folded too."""
    for component in models.instruments(dataset.name):
        norm = component.response.background_norm
        if foreign and norm.value != 1.0 and dataset.has_known_background:
            raise Refused(
                f"{component.name}.background_norm is {norm.value:g} and would scale what is folded into the "
                f"background of {dataset.name}: {', '.join(one.name for one in foreign)}",
                "set it to 1, or take the dataset off the component's datasets_names",
            )


def _targets(models: Models, target: Sequence[str] | str | None) -> set[str] | None:
    if target is None:
        return None
    names = [component.name for component in models.sources()]
    chosen = {target} if isinstance(target, str) else set(target)
    for name in sorted(chosen - set(names)):
        raise Refused(f"target '{name}' is not a sky component", suggest(name, names, "sky components"))
    return chosen


def _foreign(models: Models, dataset: SkyMap, region: SkyRegion, chosen: set[str] | None) -> list[Component]:
    """The components of a dataset, but for its background, that are not what the spectrum is of."""
    found = [component for component in models.select(dataset.name) if component.role.is_sky]
    if chosen is not None:
        return [component for component in found if component.name not in chosen]
    return [component for component in found if not _is_inside(component, region, dataset)]


def _is_inside(component: Component, region: SkyRegion, dataset: SkyMap) -> bool:
    """A template or a shape that is everywhere has no centre."""
    if component.role is not Role.SOURCE:
        return False
    shape = component.spatial_model
    if shape is None:
        return True
    position = None if isinstance(shape, TemplateSpatialModel) else shape.position(shape.values())
    return position is not None and holds(region, dataset, *position, shape.frame)


def _predicted(predict: Predict | None, dataset: SkyMap, component: Component) -> Array:
    if predict is None:
        raise Refused(f"{component.name} has to be folded, which takes its predicted counts", "give predict=...")
    return predict(dataset, component)


def _follow(
    revision: Revision,
    component: Component,
    renamed: Mapping[str, str],
    folded: Mapping[str, float | None],
    after: Sequence[str],
    *,
    keep: bool,
    on_orphan: OnOrphan | None,
) -> list[Edit]:
    """A component leaves the results that it is folded into, and follows the names of the others.

    renamed : inputs and results; folded : its predicted counts by input, None where they could not be folded; after :
    all datasets that there are then
    """
    left = {renamed[name] for name in folded}
    if component.datasets_names is None:
        names = [name for name in after if name not in left] if left else None
    else:
        names = []
        for name in component.datasets_names:
            names += [name] if keep or name not in renamed else []
            names += [renamed[name]] if name in renamed and name not in folded else []
    measured = [name for name, total in folded.items() if total is None]
    if measured:
        return [_unfolded(revision, component, measured[0], on_orphan if names == [] else None)]
    is_gone = names == [] and (on_orphan != "keep" or component.role is Role.COUNTS)
    ending = _gone(revision, component, left) if is_gone else ""
    edits = []
    for name, total in folded.items():
        text = f"its {total:.6g} predicted counts in the region joined the fixed background of {renamed[name]}{ending}"
        data = {"dataset": renamed[name], "predicted": total, "gone": is_gone}
        edits.append(Edit("folded", component.name, text, data))
    if not is_gone and names is not None and names != list(component.datasets_names or ()):
        edits.append(set_scope(revision, component, names))
    return edits


def _gone(revision: Revision, component: Component, results: Collection[str]) -> str:
    """A folded component that no other dataset needs; gives the words for it."""
    revision.drop(component.name, f"folded into the background of {', '.join(sorted(results))}")
    priors = [p.name for p in component.parameters if p.prior is not None]
    return "; it goes, as no dataset is left" + (f", {dropped_priors(priors)}" if priors else "")


def _unfolded(revision: Revision, component: Component, dataset: str, on_orphan: OnOrphan | None) -> Edit:
    """A component that no dataset is left for, since a measured background takes no predicted counts."""
    reason = f"the background of {dataset} is measured, not predicted"
    if on_orphan is None:
        raise Refused(
            f"{component.name} cannot be folded: {reason}",
            f"name it in target: [{component.name}, ...], or take it off the dataset by its datasets_names; "
            "on_orphan says what becomes of a component that has no other dataset",
        )
    if on_orphan == "keep":
        return set_scope(revision, component, ())
    revision.drop(component.name, reason)
    return Edit("dropped", component.name, f"no dataset is left for it: {reason}", {"reason": reason})
