"""From datasets and a global model to flux columns and likelihood terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets import Dataset, Datasets, FluxPointsDataset, SpectrumDataset, SpectrumDatasetOnOff, overlap_matrix
from gm.likelihood.fluxes import Block, FluxPlan, as_slice
from gm.likelihood.term import DiagonalFold, Fold, MatrixFold, Term
from gm.models import BackgroundIRFModel, Component, Models, SkyModel
from gm.statistics import Cash, Chi2, Distribution, Profile, Statistic, WStat

_LARGEST_ALPHA = 1e30  # an acceptance of 0 in the off region

Measured = tuple[Array | BoolArray, ...]  # what a statistic is made of
TermKey = tuple[type[Statistic], int]


def compile_terms(datasets: Datasets, models: Models) -> tuple[FluxPlan, list[Term]]:
    """The flux columns that the datasets need, and one term per statistic.

    Datasets whose bins fall under the same statistic share a term, and those with the same components on the same axis
    share one matrix product.
    """
    plan = FluxPlan()
    builders: dict[TermKey, _TermBuilder] = {}
    for index, dataset in enumerate(datasets):
        components = models.select(dataset.name)
        statistic, arrays, bins = _measured(dataset)
        if not bins.size:
            continue
        builder = builders.setdefault((statistic, arrays[-1].ndim and arrays[-1][0].size), _TermBuilder(statistic))
        offset = _add_folds(builder, plan, dataset, components, bins)
        builder.add_bins(index, bins, arrays, offset)
    return plan, [builder.build(plan.n_columns) for builder in builders.values()]


class _TermBuilder:
    """Gathers the bins of the datasets of one term."""

    def __init__(self, statistic: type[Statistic]) -> None:
        self.n_rows = 0
        self._statistic = statistic
        self._arrays: list[Measured] = []
        self._offsets: list[Array] = []
        self._datasets: list[IntArray] = []
        self._bins: list[IntArray] = []
        self._matrices: dict[Block, list[tuple[IntArray, Array]]] = defaultdict(list)
        self._diagonals: list[tuple[IntArray, IntArray, Array]] = []

    def add_bins(self, dataset: int, bins: IntArray, arrays: Measured, offset: Array) -> None:
        self.n_rows += bins.size
        self._datasets.append(np.full(bins.size, dataset))
        self._bins.append(bins)
        self._arrays.append(arrays)
        self._offsets.append(offset)

    def add_matrix(self, block: Block, matrix: Array) -> None:
        """``matrix`` (n_bins, n_columns of the block) for the bins that are added next."""
        self._matrices[block].append((np.arange(self.n_rows, self.n_rows + len(matrix)), matrix))

    def add_diagonal(self, block: Block, bins: IntArray, weight: Array) -> None:
        rows = np.arange(self.n_rows, self.n_rows + bins.size)
        self._diagonals.append((rows, block.columns.start + bins, weight))

    def build(self, n_columns: int) -> Term:
        folds: list[Fold] = [_matrix_fold(block, parts) for block, parts in self._matrices.items()]
        if self._diagonals:
            folds.append(DiagonalFold(*(np.concatenate(parts) for parts in zip(*self._diagonals, strict=True))))
        statistic = self._statistic(*(np.concatenate(parts) for parts in zip(*self._arrays, strict=True)))
        dataset, bins = np.concatenate(self._datasets), np.concatenate(self._bins)
        return Term(statistic, folds, np.concatenate(self._offsets), dataset, bins, n_columns)


def _matrix_fold(block: Block, parts: list[tuple[IntArray, Array]]) -> MatrixFold:
    """One product for all datasets on this block, without the true energies that none of them sees."""
    rows = np.concatenate([rows for rows, _ in parts])
    matrix = np.concatenate([matrix for _, matrix in parts])
    seen = np.flatnonzero(matrix.any(axis=0))
    first, last = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0)
    columns = slice(block.columns.start + first, block.columns.start + last)
    return MatrixFold(as_slice(rows), columns, np.ascontiguousarray(matrix[:, first:last]))


def _measured(dataset: Dataset) -> tuple[type[Statistic], Measured, IntArray]:
    """The statistic of a dataset, the arrays it is made of in the bins that enter, and those bins."""
    if isinstance(dataset, FluxPointsDataset):
        return _measured_points(dataset)
    if isinstance(dataset, SpectrumDatasetOnOff):
        alpha = dataset.alpha()
        # Where alpha is 0 or not finite the profiled background is undefined; by convention such a bin adds nothing.
        bins = np.flatnonzero(dataset.mask & (alpha > 0) & (alpha < _LARGEST_ALPHA))
        return WStat, (dataset.counts[bins], dataset.counts_off[bins], alpha[bins]), bins
    bins = np.flatnonzero(dataset.mask)
    return Cash, (dataset.counts[bins],), bins


def _measured_points(dataset: FluxPointsDataset) -> tuple[type[Statistic], Measured, IntArray]:
    points = dataset.points
    bins = np.flatnonzero(dataset.valid())
    if dataset.stat_type == "profile":
        assert points.stat_scan is not None  # a profile dataset without them cannot be made
        assert points.norm_scan is not None
        assert points.stat is not None
        delta = np.abs(points.stat_scan - points.stat[:, None])
        return Profile, (points.dnde_ref[bins], points.norm_scan[bins], delta[bins]), bins
    if dataset.stat_type == "distrib":
        low, high = points.errors()
        return Distribution, (points.dnde[bins], low[bins], high[bins], points.dnde_ul[bins], points.is_ul[bins]), bins
    return Chi2, (points.dnde[bins], points.error()[bins]), bins


def _add_folds(
    builder: _TermBuilder, plan: FluxPlan, dataset: Dataset, components: Iterable[Component], bins: IntArray
) -> Array:
    """Register how each component reaches the dataset's bins; returns what is predicted without a model, (n_bins,)."""
    sky = [component for component in components if isinstance(component, SkyModel)]
    if isinstance(dataset, FluxPointsDataset):
        if sky:
            names = tuple(component.name for component in sky)
            builder.add_diagonal(plan.block("point", names, dataset.points.energy), bins, np.ones(bins.size))
        return np.zeros(bins.size)
    for (exposure, edisp), names in _by_response(sky).items():
        block = plan.block("integral", names, dataset.energy_true.edges)
        builder.add_matrix(block, _response(dataset, bins, exposure=exposure, edisp=edisp))
    if isinstance(dataset, SpectrumDatasetOnOff) or dataset.background is None:
        return np.zeros(bins.size)
    background = [component.name for component in components if isinstance(component, BackgroundIRFModel)]
    if not background:
        return dataset.background[bins]
    builder.add_diagonal(plan.block("point", (background[0],), dataset.energy.center), bins, dataset.background[bins])
    return np.zeros(bins.size)


def _by_response(sky: Iterable[SkyModel]) -> dict[tuple[bool, bool], tuple[str, ...]]:
    """Names of the sky components by whether they see the exposure and the energy dispersion."""
    groups: dict[tuple[bool, bool], tuple[str, ...]] = {}
    for component in sky:
        key = component.apply_irf["exposure"], component.apply_irf["edisp"]
        groups[key] = (*groups.get(key, ()), component.name)
    return groups


def _response(dataset: SpectrumDataset | SpectrumDatasetOnOff, bins: IntArray, *, exposure: bool, edisp: bool) -> Array:
    """Counts in each bin per unit flux in each true-energy bin, (n_bins, n_energy_true) [cm2 s]."""
    kernel = dataset.edisp if edisp else None
    matrix = overlap_matrix(dataset.energy_true, dataset.energy) if kernel is None else kernel
    return np.asarray(matrix[:, bins].T * (dataset.exposure if exposure else 1.0))
