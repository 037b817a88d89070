"""The kinds of datasets that operations tell apart."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.operations.on_off import unmeasured_note
from gm.datasets.operations.outcome import Refused
from gm.datasets.reading import Dataset
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff

Spectrum = SpectrumDataset | SpectrumDatasetOnOff
Maps = MapDataset | MapDatasetOnOff
Counts = Spectrum | Maps


def as_counts(dataset: Dataset, operation: str) -> Counts:
    """The dataset, when it has counts; flux points have none, and are refused."""
    if isinstance(dataset, FluxPointsDataset):
        raise Refused(
            f"dataset {dataset.name} holds flux points, which {operation} cannot sum",
            "leave it out of the pattern; flux points can be copied, sliced and masked",
        )
    return dataset


def as_map(dataset: Dataset, operation: str) -> Maps:
    """The dataset, when it is a map; others have no pixels, and are refused."""
    if not isinstance(dataset, MapDataset | MapDatasetOnOff):
        raise Refused(
            f"dataset {dataset.name} is a {dataset.type}: it has no pixels to {operation}",
            "leave it out of the pattern; a spectrum can be sliced, resampled and stacked",
        )
    return dataset


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
