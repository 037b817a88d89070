"""What each dataset holds in a band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gm.arrays import Array, IntArray
from gm.estimators.result import PointDataset
from gm.likelihood import JointLikelihood, TermReport, Terms


def reports_of(terms: Terms, best: Array, fluxes: Mapping[str, Array]) -> list[TermReport]:
    """Of the datasets that have bins in the terms, in their order, at the flux vector ``best`` (n_columns,); ``fluxes``
    are such vectors of parts with a norm of 1."""
    return sorted(terms.report(best, dict(fluxes)), key=lambda report: report.dataset)


def point_datasets(
    likelihood: JointLikelihood, ranges: IntArray, reports: Sequence[TermReport], source: str, norm: float
) -> dict[str, PointDataset]:
    """Energies, counts and predicted counts of each dataset; ranges : (n_datasets, 2) of its bins in the band."""
    found = {}
    for report in reports:
        dataset, (first, last) = likelihood.datasets[report.dataset], ranges[report.dataset]
        inside = np.zeros_like(dataset.mask)
        inside[first:last] = dataset.mask[first:last]
        energies, counts = dataset.energies_of(first, last), dataset.counts_in(inside)
        if counts is None:
            found[dataset.name] = PointDataset(*energies, None, None, None)
        else:
            excess = norm * report.components[source]
            found[dataset.name] = PointDataset(*energies, counts, report.predicted, excess)
    return found
