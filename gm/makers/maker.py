"""What all makers share: a dataset of one observation in, the same dataset with more of its parts out."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np

from gm.arrays import BoolArray
from gm.datasets import MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.models import BackgroundIRFModel

Made: TypeAlias = tuple[Any, BackgroundIRFModel | None]
"""A new dataset, and the component of the global model that corrects its background, where there is one."""


class Maker(Protocol):
    """One step of a reduction: a pure function of a dataset and the observation that it comes from."""

    def run(self, dataset: Any, observation: Any, /) -> Made:
        """The dataset with what this step adds. Raises `NoBackground`, `DataError`."""


class NothingLeft(DataError):
    """An observation says nothing about what it is reduced to; the message says why."""


class NoBackground(NothingLeft):
    """The background of an observation cannot be measured; the message says why."""


def safe_bins(dataset: MapDataset | MapDatasetOnOff | SpectrumDataset | SpectrumDatasetOnOff) -> BoolArray:
    """The safe mask, in the shape of the counts; all bins without one."""
    return np.ones(dataset.counts.shape, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
