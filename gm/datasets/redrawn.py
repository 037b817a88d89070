"""A dataset measured again: the same bins, masks and responses, other counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array
from gm.datasets.base import Dataset
from gm.datasets.kinds import has_counts
from gm.datasets.simulation import draw, poisson_counts, stream, template_of


@final
@dataclass(frozen=True, eq=False)
class Expectation:
    """What is expected in each bin of a dataset, in the shape of its mask: 0 in bins that do not enter.

    on : counts, signal and background together; for flux points the flux [cm-2 s-1 TeV-1]
    off : counts off the source, where the background is measured
    """

    dataset: Dataset
    on: Array
    off: Array | None

    @classmethod
    def of(cls, dataset: Dataset, predicted: Array) -> Expectation:
        """``predicted`` : by the models; a background that off counts measure is what is most likely under these.

        Raises `DataError` for counts that are not finite.
        """
        acceptance, acceptance_off = dataset.acceptances()
        if acceptance is None or acceptance_off is None:
            return cls(dataset, predicted, None)
        bins = np.flatnonzero(dataset.mask)
        profiled = dataset.measurement().statistic(bins).background(predicted.ravel()[bins])
        background, off = np.zeros(predicted.shape), np.zeros(predicted.shape)
        np.put(background, bins, profiled)
        np.put(off, bins, profiled * acceptance_off.ravel()[bins] / acceptance.ravel()[bins])
        return cls(dataset, predicted + background, off)

    def draw(self, seed: int) -> Dataset:
        """The dataset with counts that are Poisson around it; a function of the seed and of the dataset's name.

        Fluxes are Gaussian within their errors. Raises `DataError` where a prediction is not finite or too large, and
        for flux points with profiles.
        """
        dataset = self.dataset
        if not has_counts(dataset):
            return draw(template_of(dataset), self.on, seed)
        poisson = poisson_counts(dataset.name, stream(seed, dataset.name))
        counts = dataset.stored(poisson(self.on))
        if self.off is None:
            return dataset.with_(counts=counts)
        return dataset.with_(counts=counts, counts_off=dataset.stored(poisson(self.off)))
