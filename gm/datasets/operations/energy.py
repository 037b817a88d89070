"""Energy bins chosen by their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import IntArray, distinct
from gm.datasets.base import Dataset
from gm.datasets.kinds import has_counts
from gm.datasets.operations.outcome import Refused
from gm.maps.axes import SAME_ENERGY, EnergyAxis


def snapped(axis: EnergyAxis, energies: Sequence[float]) -> IntArray:
    """The edges of an axis nearest to energies [TeV] in the logarithm, by number, (n,): increasing, each once.

    Half-way goes to the even edge; beyond the axis is its end. Source: Gammapy 2.1, ``MapAxis.group_table``.
    """
    return distinct(_nearest(axis, energies))


def _nearest(axis: EnergyAxis, energies: ArrayLike) -> IntArray:
    position = np.interp(np.log(energies), np.log(axis.edges), np.arange(len(axis.edges)))
    return np.round(position).astype(np.intp)


def between(axis: EnergyAxis, low: float | None, high: float | None, dataset: str) -> IntArray:
    """First and last edge, (2,), of bins between two energies [TeV]; None: the end of the axis. Raises `Refused`."""
    first = axis.edges[0] if low is None else low
    last = axis.edges[-1] if high is None else high
    if not first < last:
        raise Refused(f"min {first:g} TeV is not below max {last:g} TeV")
    edges = snapped(axis, [first, last])
    if len(edges) < 2:
        raise Refused(
            f"dataset {dataset} has no energy bin between {first:g} and {last:g} TeV",
            f"its bins reach from {axis.edges[0]:g} to {axis.edges[-1]:g} TeV; edges are moved to the nearest of them",
        )
    return edges


def moved_edges(dataset: Dataset, asked: Sequence[float | None]) -> str:
    """Which energies [TeV] of those asked for are no edges of the bins of a dataset, and where they went, in words."""
    if not has_counts(dataset):
        return ""
    energies = np.array([energy for energy in asked if energy is not None])
    found = dataset.energy.edges[_nearest(dataset.energy, energies)]
    pairs = [
        f"{was:.4g} -> {now:.4g}"
        for was, now in zip(energies.tolist(), found.tolist(), strict=True)
        if not np.isclose(was, now, rtol=SAME_ENERGY, atol=0.0)
    ]
    return f"moved to the nearest edges: {', '.join(pairs)} TeV" if pairs else ""


def every(axis: EnergyAxis, factor: int, dataset: str) -> IntArray:
    """The edges (n,) that stay where ``factor`` bins at a time are joined. Raises `Refused` when they do not divide."""
    if axis.n_bins % factor:
        raise Refused(
            f"dataset {dataset}: {axis.n_bins} energy bins cannot be joined {factor} by {factor}",
            "take a divisor, or resample_energy with edges",
        )
    return np.arange(0, axis.n_bins + 1, factor)
