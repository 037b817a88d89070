"""Operations on datasets that keep the predicted counts: pure functions (datasets, models) -> `Outcome`."""

from __future__ import annotations

from gm.datasets.operations.functions import copy, downsample, resample_energy, slice_energy, stack, to_image, to_masked
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Product, Refused

__all__ = [
    "Edit",
    "Outcome",
    "Predict",
    "Product",
    "Refused",
    "copy",
    "downsample",
    "resample_energy",
    "slice_energy",
    "stack",
    "to_image",
    "to_masked",
]
