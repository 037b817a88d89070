"""Operations on datasets that keep the predicted counts: pure functions (datasets, models) -> `Outcome`."""

from __future__ import annotations

from gm.datasets.operations.functions import (
    copy,
    cutout,
    downsample,
    pad,
    resample_energy,
    slice_energy,
    stack,
    to_image,
    to_masked,
)
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Product, Refused
from gm.datasets.operations.to_spectrum import to_spectrum_dataset

__all__ = [
    "Edit",
    "Outcome",
    "Predict",
    "Product",
    "Refused",
    "copy",
    "cutout",
    "downsample",
    "pad",
    "resample_energy",
    "slice_energy",
    "stack",
    "to_image",
    "to_masked",
    "to_spectrum_dataset",
]
