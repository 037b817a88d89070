"""The dataset operations: pure functions of (datasets, models) that keep the predicted counts.

``which`` is a name, a shell pattern or a list of them; the result is called ``name``, or the input's name with
``suffix``. Inputs are replaced by the results unless ``keep``. All raise `Refused` for what cannot be done as asked.
Energies are numbers in TeV, texts such as ``"30 GeV"``, or astropy quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from gm.arrays import IntArray
from gm.datasets.base import Dataset
from gm.datasets.counts import CountsDataset
from gm.datasets.datasets import Datasets
from gm.datasets.operations.backgrounds import Corrected, backgrounds, bake, carry, corrected, is_flat
from gm.datasets.operations.driver import Task, Treatment, Which, each
from gm.datasets.operations.energy import between, every, snapped
from gm.datasets.operations.kinds import as_counts, as_map, by_kind, masks_note
from gm.datasets.operations.naming import in_place, new_names, selected
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Product, Refused
from gm.datasets.operations.pixels import cut_out, joined_pixels, padded
from gm.datasets.operations.points import safe_points, sliced_points
from gm.datasets.operations.revision import Revision
from gm.datasets.operations.scopes import check_whole, copy_scoped, rescope
from gm.datasets.operations.stacking import masked, stacked
from gm.datasets.operations.templates import check_templates, collapse_shapes, stacked_template
from gm.models import Models
from gm.units import convert


def copy(
    datasets: Datasets, models: Models, which: Which, *, name: str | None = None, suffix: str | None = None
) -> Outcome:
    """A dataset once more under a new name, with a copy of its background component.

    Components of the original alone are copied too, shared ones apply to both; the original always stays.
    """
    task = Task.of(datasets, which, name, suffix)
    revision, edits = Revision(models), list[Edit]()
    known = backgrounds(models)
    made: list[tuple[tuple[str, ...], Dataset]] = []
    for dataset, new in zip(task.inputs, task.names, strict=True):
        edits += [carry(revision, known[dataset.name], new, keep=True)] if dataset.name in known else []
        edits += copy_scoped(revision, models, dataset.name, new)
        made.append(((dataset.name,), dataset.with_(name=new)))
    products = tuple(Product(names, output.name, masks_note([output], "carried")) for names, output in made)
    return Outcome(in_place(datasets, made, keep=True), revision.finish(), tuple(edits), products)


def stack(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    name: str,
    allow_partial: bool = False,
    keep: bool = False,
) -> Outcome:
    """Several datasets summed under their safe masks, with responses averaged by exposure.

    Their corrected backgrounds become one, with one neutral component. A sky component that is scoped to some of the
    inputs only would apply to the whole: refused, unless ``allow_partial``.
    """
    taken = selected(datasets, which)
    inputs = [dataset.name for dataset in taken]
    new_names(datasets.names, inputs[:1], name, None)
    check_templates(models, datasets, inputs, joined=True, keep=keep)
    if not allow_partial:
        check_whole(models, inputs, name)
    known = backgrounds(models)
    output = stacked([as_counts(corrected(d, known.get(d.name)), "stack") for d in taken], name)
    revision = Revision(models)
    edits = bake(revision, [known[n] for n in inputs if n in known], output, keep=keep)
    for component in models.counts_templates():
        if any(component.applies_to(n) for n in inputs):
            edits.append(stacked_template(revision, component, taken, output, stacked, keep=keep))
    edits += rescope(revision, models, dict.fromkeys(inputs, name), keep=keep)
    made: list[tuple[tuple[str, ...], Dataset]] = [(tuple(inputs), output)]
    product = Product(tuple(inputs), name, masks_note(taken, "combined by 'or'"))
    after = in_place(datasets, made, keep=keep)
    return Outcome(after, revision.finish(), tuple(edits), (product,), "responses averaged by exposure")


def to_image(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
    predict: Predict | None = None,
) -> Outcome:
    """All energy bins summed into one, safe bins only; the corrected background gets a neutral component.

    A shape that is a map with energies becomes an image when its component applies to nothing else; ``predict`` gives
    the counts that it has to keep.
    """

    def groups(dataset: CountsDataset) -> IntArray:
        return np.array([0, dataset.energy.n_bins])

    task = Task.of(datasets, which, name, suffix)
    outcome = _regroup(datasets, models, task, groups, "to_image", keep, baked=True)
    return collapse_shapes(datasets, outcome, predict)


def resample_energy(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    edges: Sequence[object],
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """Energy bins summed between ``edges``, which move to the nearest edges that exist; bins outside are left out."""
    energies = _increasing([convert(edge, "TeV") for edge in edges])

    def groups(dataset: CountsDataset) -> IntArray:
        found = snapped(dataset.energy, energies)
        if len(found) < 2:
            between(dataset.energy, energies[0], energies[-1], dataset.name)
        return found

    task = Task.of(datasets, which, name, suffix)
    return _regroup(datasets, models, task, groups, "resample_energy", keep, edges=energies)


def downsample(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    factor: int,
    axis: str | None = None,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """``factor`` bins at a time summed: pixels in both directions, or energy bins with ``axis="energy"``."""
    if factor < 1:
        raise Refused(f"factor {factor} is not 1 or more")
    if axis not in (None, "energy"):
        raise Refused(f"no axis '{axis}' to downsample", "axis: energy, or null for the pixels")
    task = Task.of(datasets, which, name, suffix)
    if axis == "energy":
        return _regroup(datasets, models, task, lambda d: every(d.energy, factor, d.name), "downsample", keep)

    def make(dataset: Dataset, new: str) -> Dataset:
        return joined_pixels(as_map(dataset, "join"), new, factor)

    def treatment(dataset: Dataset, component: Corrected) -> Treatment:
        return "carried" if component.spatial_model is None or factor == 1 else "baked"

    return each(datasets, models, task, make, treatment, keep=keep, masks="combined by 'or'")


def slice_energy(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    min: object = None,
    max: object = None,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """The energy bins between ``min`` and ``max``, which move to the nearest edges that exist."""
    low, high = (None if value is None else convert(value, "TeV") for value in (min, max))

    def cut(dataset: CountsDataset, new: str) -> CountsDataset:
        first, last = between(dataset.energy, low, high, dataset.name)
        return dataset.sliced(new, slice(int(first), int(last)))

    def make(dataset: Dataset, new: str) -> Dataset:
        return by_kind(
            dataset,
            "slice_energy",
            counts=lambda it: cut(it, new),
            points=lambda it: sliced_points(it, new, low, high),
        )

    task = Task.of(datasets, which, name, suffix)
    return each(datasets, models, task, make, _carried, keep=keep, masks="carried", edges=(low, high))


def to_masked(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """Everything outside the safe mask removed: counts, background, and responses where no bin is safe."""

    def make(dataset: Dataset, new: str) -> Dataset:
        return by_kind(dataset, "to_masked", counts=lambda it: masked(it, new), points=lambda it: safe_points(it, new))

    task = Task.of(datasets, which, name, suffix)
    return each(datasets, models, task, make, _carried, keep=keep, masks="carried")


def cutout(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    center: tuple[object, object],
    width: object,
    frame: str = "icrs",
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """The pixels in a window around a position; ``width`` is one angle, or one each in longitude and latitude."""
    position = (convert(center[0], "deg"), convert(center[1], "deg"), frame)
    size = _widths(width)

    def make(dataset: Dataset, new: str) -> Dataset:
        return cut_out(as_map(dataset, "cut out"), new, position, size)

    return each(datasets, models, Task.of(datasets, which, name, suffix), make, _carried, keep=keep, masks="carried")


def pad(
    datasets: Datasets,
    models: Models,
    which: Which,
    *,
    width: object,
    name: str | None = None,
    suffix: str | None = None,
    keep: bool = False,
) -> Outcome:
    """Empty pixels added on all sides, outside the safe mask; ``width`` as for `cutout`, of each side."""
    size = _widths(width)

    def make(dataset: Dataset, new: str) -> Dataset:
        return padded(as_map(dataset, "pad"), new, size)

    return each(datasets, models, Task.of(datasets, which, name, suffix), make, _carried, keep=keep, masks="carried")


def _widths(width: Any) -> tuple[float, float]:
    """(x, y) [deg]."""
    both = (width, width) if isinstance(width, str) or not hasattr(width, "__len__") else tuple(width)
    x, y = (convert(one, "deg") for one in both)
    if not (0 < x < 360 and 0 < y < 360):
        raise Refused(f"width {x:g} x {y:g} deg is no window on the sky")
    return x, y


def _carried(dataset: Dataset, component: Corrected) -> Treatment:
    return "carried"


def _regroup(
    datasets: Datasets,
    models: Models,
    task: Task,
    groups: Callable[[CountsDataset], IntArray],
    operation: str,
    keep: bool,
    *,
    baked: bool = False,
    edges: Sequence[float] = (),
) -> Outcome:
    """Energy bins summed; the background is carried only where its factor is one number in every joined bin."""

    def make(dataset: Dataset, new: str) -> Dataset:
        counts = as_counts(dataset, operation)
        return counts.joined(new, groups(counts))

    def treatment(dataset: Dataset, component: Corrected) -> Treatment:
        unchanged = np.diff(groups(as_counts(dataset, operation))).max() == 1
        return "carried" if not baked and (unchanged or is_flat(component)) else "baked"

    return each(datasets, models, task, make, treatment, keep=keep, masks="combined by 'or'", edges=edges)


def _increasing(energies: list[float]) -> list[float]:
    if len(energies) < 2 or any(low >= high for low, high in pairwise(energies)):
        raise Refused(f"edges {', '.join(f'{e:g}' for e in energies)} TeV", "at least two edges, increasing")
    return energies
