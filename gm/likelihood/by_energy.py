"""Counts and predictions of all datasets by energy, at one point of the parameter space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import Datasets
from gm.likelihood.report import EnergyReport


@final
@dataclass(frozen=True, eq=False)
class ComponentByEnergy:
    """What one sky component predicts: ``row`` (n,) of those of all datasets, and ``predicted`` (n,)."""

    row: IntArray
    predicted: Array


@final
@dataclass(frozen=True, eq=False)
class ByEnergy:
    """A row for each energy bin that is fitted, in the order of datasets and energies; maps are summed over the sky.

    names : of the datasets; dataset : (n_rows,) position of each row's among them; e_min, e_max : (n_rows,) [TeV];
    n_bins : (n_rows,) how many bins were summed; counts : (n_rows,), NaN for flux points; predicted, background :
    (n_rows,) counts, of flux points [cm-2 s-1 TeV-1]; residual : (n_rows,) in standard deviations, see
    `Statistic.residuals`; bin : (n_rows,) number of the energy bin, or point; components : by name; images : of
    maps, by name of the dataset, what is predicted summed over energies
    """

    names: tuple[str, ...]
    dataset: IntArray
    bin: IntArray
    e_min: Array
    e_max: Array
    n_bins: IntArray
    counts: Array
    predicted: Array
    background: Array
    residual: Array
    components: Mapping[str, ComponentByEnergy]
    images: Mapping[str, Array]

    @classmethod
    def of(cls, datasets: Datasets, reports: Sequence[EnergyReport], applied: Mapping[str, Sequence[int]]) -> ByEnergy:
        """From what the terms say; ``applied``: the datasets, by position, that each sky component is for."""

        def column(name: str) -> Array:
            return np.concatenate([np.empty(0), *(getattr(report, name) for report in reports)])

        dataset, bins = column("dataset").astype(np.intp), column("bin").astype(np.intp)
        order = np.lexsort((bins, dataset))
        counted = [np.full(r.bin.size, np.nan) if r.counts is None else r.counts for r in reports]
        dataset, bins = dataset[order], bins[order]
        first = np.searchsorted(dataset, np.arange(len(datasets) + 1))
        edges = [one.energy_edges() for one in datasets]
        own = [slice(a, b) for a, b in pairwise(first.tolist())]
        low, high = (
            np.concatenate([np.empty(0), *(ends[side][bins[at]] for ends, at in zip(edges, own, strict=True))])
            for side in (0, 1)
        )
        components = {}
        for name, positions in applied.items():
            rows = np.concatenate([np.empty(0, np.intp), *(np.arange(first[k], first[k + 1]) for k in positions)])
            predicted = np.concatenate([np.empty(0), *(report.components[name] for report in reports)])
            components[name] = ComponentByEnergy(rows, predicted[order][rows])
        images = {datasets[k].name: image for report in reports for k, image in report.images.items()}
        return cls(
            names=tuple(one.name for one in datasets),
            dataset=dataset,
            bin=bins,
            e_min=low,
            e_max=high,
            n_bins=column("n_bins").astype(np.intp)[order],
            counts=np.concatenate([np.empty(0), *counted])[order],
            predicted=column("predicted")[order],
            background=column("background")[order],
            residual=column("residual")[order],
            components=components,
            images=images,
        )

    def deviances(self) -> list[tuple[float, int]]:
        """Of each dataset the sum of squared residuals, and of how many."""
        total = np.bincount(self.dataset, self.residual**2, len(self.names))
        return list(zip(total.tolist(), np.bincount(self.dataset, minlength=len(self.names)).tolist(), strict=True))
