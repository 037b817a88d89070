"""The kinds of datasets that operations tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gm.datasets.base import Dataset
from gm.datasets.counts import CountsDataset
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.kinds import has_counts, is_map, is_points
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.outcome import Refused


def as_counts(dataset: Dataset, operation: str) -> CountsDataset:
    """The dataset, when it has counts; others are refused."""
    if not has_counts(dataset):
        raise Refused(
            f"dataset {dataset.name} is a {dataset.type}, which {operation} cannot sum",
            "leave it out of the pattern; flux points can be copied, sliced and masked",
        )
    return dataset


def as_map(dataset: Dataset, operation: str) -> SkyMap:
    """The dataset, when it is a map; others have no pixels, and are refused."""
    if not is_map(dataset):
        raise Refused(
            f"dataset {dataset.name} is a {dataset.type}: it has no pixels to {operation}",
            "leave it out of the pattern; a spectrum can be sliced, resampled and stacked",
        )
    return dataset


def by_kind(
    dataset: Dataset,
    operation: str,
    *,
    counts: Callable[[CountsDataset], Dataset],
    points: Callable[[FluxPointsDataset], Dataset],
) -> Dataset:
    """What one of the functions makes of the dataset. Raises `Refused` for a kind that there is no function for."""
    if has_counts(dataset):
        return counts(dataset)
    if is_points(dataset):
        return points(dataset)
    raise Refused(f"dataset {dataset.name} is a {dataset.type}, for which there is no {operation}")


def masks_note(datasets: Sequence[Dataset], how: str) -> str:
    """What becomes of the masks, as far as there are some, and which bins are left out where bins are joined."""
    there = [
        word
        for word, key in (("safe", "mask_safe"), ("fit", "mask_fit"))
        if any(getattr(dataset, key) is not None for dataset in datasets)
    ]
    masks = f"{' and '.join(there)} mask{'s' if len(there) > 1 else ''} {how}" if there else ""
    unmeasured = "" if how == "carried" else unmeasured_note(datasets)
    return "; ".join(part for part in (masks, unmeasured) if part)


def unmeasured_note(datasets: Sequence[Dataset]) -> str:
    """What is left out of joined bins since its background is not known, in words."""
    parts = []
    for dataset in datasets:
        measured = dataset.where_measured().mask_safe
        if measured is not None:
            gone = ~measured if dataset.mask_safe is None else dataset.mask_safe & ~measured
            if gone.any():
                parts.append(f"{dataset.name}: {gone.sum()} bins with {dataset.counts_in(gone):g} counts")
    return f"left out without an off acceptance: {', '.join(parts)}" if parts else ""
