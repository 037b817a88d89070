"""From datasets and a global model to flux columns and likelihood terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.datasets import (
    Dataset,
    Datasets,
    FluxPointsDataset,
    SpectrumDataset,
    SpectrumDatasetOnOff,
    overlap_matrix,
)
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.likelihood.contract import LikelihoodTerm
from gm.likelihood.fluxes import Block, FluxPlan, as_slice
from gm.likelihood.spectra.term import DiagonalFold, Fold, MatrixFold, Term
from gm.likelihood.terms import LocalTerms
from gm.likelihood.times import check_light, times_of
from gm.models import BackgroundIRFModel, Component, Layout, Models, SkyModel
from gm.models.temporal.intervals import TimeIntervals
from gm.statistics import Cash, Chi2, Distribution, Profile, Statistic, WStat

Measured = tuple[Array | BoolArray, ...]  # what a statistic is made of
OneDimensional = SpectrumDataset | SpectrumDatasetOnOff | FluxPointsDataset
TermKey = tuple[type[Statistic], int]


def compile_terms(
    datasets: Datasets,
    models: Models,
    layout: Layout,
    conventions: Conventions,
    *,
    for_fit: bool,
    frozen_shapes: bool = False,
) -> tuple[FluxPlan, LocalTerms]:
    """The flux columns that the datasets need; one term for each map, and one per statistic for all other datasets.

    Datasets whose bins fall under the same statistic share a term, and those with the same components on the same axis
    share one matrix product.
    """
    check_light(datasets, models)
    plan = FluxPlan()
    builders: dict[TermKey, _TermBuilder] = {}
    maps: list[tuple[int, MapDataset | MapDatasetOnOff]] = []
    for index, dataset in enumerate(datasets):
        if isinstance(dataset, (MapDataset, MapDatasetOnOff)):
            maps.append((index, dataset))
            continue
        components = models.select(dataset.name)
        statistic, arrays, bins = _measured(dataset)
        if not bins.size:
            continue
        builder = builders.setdefault((statistic, arrays[-1].ndim and arrays[-1][0].size), _TermBuilder(statistic))
        offset = _add_folds(builder, plan, dataset, components, bins)
        builder.add_bins(index, bins, arrays, offset)
    terms: list[LikelihoodTerm] = []
    if maps:
        from gm.likelihood.maps.compilation import compile_maps

        shapes = {"for_fit": for_fit, "frozen_shapes": frozen_shapes}
        terms.extend(compile_maps(maps, models, plan, layout, conventions, **shapes))
    terms.extend(builder.build(plan.n_columns) for builder in builders.values())
    return plan, LocalTerms(terms, plan.n_columns)


class _TermBuilder:
    """Gathers the bins of the datasets of one term."""

    def __init__(self, statistic: type[Statistic]) -> None:
        self.n_rows = 0
        self._statistic = statistic
        self._arrays: list[Measured] = []
        self._offsets: list[Array] = []
        self._datasets: list[IntArray] = []
        self._bins: list[IntArray] = []
        self._responses: dict[Block, list[_Response]] = defaultdict(list)
        self._diagonals: list[tuple[IntArray, IntArray, Array]] = []

    def add_bins(self, dataset: int, bins: IntArray, arrays: Measured, offset: Array) -> None:
        self.n_rows += bins.size
        self._datasets.append(np.full(bins.size, dataset))
        self._bins.append(bins)
        self._arrays.append(arrays)
        self._offsets.append(offset)

    def add_response(self, block: Block, bins: IntArray, exposure: Array | None, edisp: Array) -> None:
        """Exposure (n_columns,) and energy dispersion (n_columns, n_energy) for the bins that are added next."""
        self._responses[block].append(_Response(self.n_rows, as_slice(bins), bins.size, exposure, edisp))

    def add_diagonal(self, block: Block, bins: IntArray, weight: Array) -> None:
        rows = np.arange(self.n_rows, self.n_rows + bins.size)
        self._diagonals.append((rows, block.columns.start + bins, weight))

    def build(self, n_columns: int) -> Term:
        folds: list[Fold] = [_matrix_fold(block, responses) for block, responses in self._responses.items()]
        if self._diagonals:
            folds.append(DiagonalFold(*(np.concatenate(parts) for parts in zip(*self._diagonals, strict=True))))
        statistic = self._statistic(*(np.concatenate(parts) for parts in zip(*self._arrays, strict=True)))
        dataset, bins = np.concatenate(self._datasets), np.concatenate(self._bins)
        return Term(statistic, folds, np.concatenate(self._offsets), dataset, bins, n_columns)


@dataclass(frozen=True, eq=False)
class _Response:
    """Counts per unit flux in some bins of one dataset: rows of a fold, not multiplied out yet."""

    first_row: int
    bins: IntArray | slice
    n_bins: int
    exposure: Array | None
    edisp: Array

    def seen(self) -> BoolArray:
        """(n_columns,) true energies from which any count can come."""
        seen = self.edisp[:, self.bins].any(axis=1)
        return np.asarray(seen if self.exposure is None else seen & (self.exposure != 0))

    def fill(self, matrix: Array, columns: slice) -> None:
        """Write the rows, (n_bins, n_columns kept)."""
        exposure = 1.0 if self.exposure is None else self.exposure[columns]
        np.multiply(self.edisp[columns, self.bins].T, exposure, out=matrix)


def _matrix_fold(block: Block, responses: list[_Response]) -> MatrixFold:
    """One product for all datasets on this block, without the true energies that none of them sees."""
    seen = np.flatnonzero(np.logical_or.reduce([response.seen() for response in responses]))
    columns = slice(int(seen[0]), int(seen[-1]) + 1) if seen.size else slice(0, 0)
    matrix = np.empty((sum(response.n_bins for response in responses), columns.stop - columns.start))
    rows, start = [], 0
    for response in responses:
        response.fill(matrix[start : start + response.n_bins], columns)
        rows.append(np.arange(response.first_row, response.first_row + response.n_bins))
        start += response.n_bins
    first = block.columns.start
    return MatrixFold(as_slice(np.concatenate(rows)), slice(first + columns.start, first + columns.stop), matrix)


def _measured(dataset: OneDimensional) -> tuple[type[Statistic], Measured, IntArray]:
    """The statistic of a dataset, the arrays it is made of in the bins that enter, and those bins."""
    if isinstance(dataset, FluxPointsDataset):
        return _measured_points(dataset)
    if isinstance(dataset, SpectrumDatasetOnOff):
        bins = np.flatnonzero(dataset.mask)
        alpha = dataset.acceptance[bins] / dataset.acceptance_off[bins]
        return WStat, (dataset.counts[bins], dataset.counts_off[bins], alpha), bins
    bins = np.flatnonzero(dataset.mask)
    return Cash, (dataset.counts[bins],), bins


def _measured_points(dataset: FluxPointsDataset) -> tuple[type[Statistic], Measured, IntArray]:
    points = dataset.points
    bins = np.flatnonzero(dataset.valid())
    if dataset.stat_type == "profile":
        delta = points.profile()
        assert delta is not None  # a profile dataset without one cannot be made
        assert points.norm_scan is not None
        return Profile, (points.dnde_ref[bins], points.norm_scan[bins], delta[bins]), bins
    if dataset.stat_type == "distrib":
        low, high = points.errors()
        return Distribution, (points.dnde[bins], low[bins], high[bins], points.dnde_ul[bins], points.is_ul[bins]), bins
    return Chi2, (points.dnde[bins], points.error()[bins]), bins


def _add_folds(
    builder: _TermBuilder, plan: FluxPlan, dataset: OneDimensional, components: Iterable[Component], bins: IntArray
) -> Array:
    """Register how each component reaches the dataset's bins; returns what is predicted without a model, (n_bins,)."""
    sky = [component for component in components if isinstance(component, SkyModel)]
    if isinstance(dataset, FluxPointsDataset):
        for (_, _), names, times in _by_response(sky, dataset):
            builder.add_diagonal(plan.block("point", names, dataset.points.energy, times), bins, np.ones(bins.size))
        return np.zeros(bins.size)
    for (exposure, edisp), names, times in _by_response(sky, dataset):
        block = plan.block("integral", names, dataset.energy_true.edges, times)
        kernel = dataset.edisp if edisp else None
        if kernel is None:
            kernel = overlap_matrix(dataset.energy_true, dataset.energy)
        builder.add_response(block, bins, dataset.exposure if exposure else None, kernel)
    if isinstance(dataset, SpectrumDatasetOnOff) or dataset.background is None:
        return np.zeros(bins.size)
    background = [component.name for component in components if isinstance(component, BackgroundIRFModel)]
    if not background:
        return dataset.background[bins]
    builder.add_diagonal(plan.block("point", (background[0],), dataset.energy.center), bins, dataset.background[bins])
    return np.zeros(bins.size)


def _by_response(
    sky: Iterable[SkyModel], dataset: Dataset
) -> list[tuple[tuple[bool, bool], tuple[str, ...], TimeIntervals | None]]:
    """Names of the sky components by whether they see exposure and energy dispersion, variable ones with times."""
    steady: dict[tuple[bool, bool], tuple[str, ...]] = {}
    variable: list[tuple[tuple[bool, bool], tuple[str, ...], TimeIntervals | None]] = []
    for component in sky:
        key = component.apply_irf["exposure"], component.apply_irf["edisp"]
        times = times_of(component, dataset)
        if isinstance(dataset, FluxPointsDataset):
            key = True, True
        if times is None:
            steady[key] = (*steady.get(key, ()), component.name)
        else:
            variable.append((key, (component.name,), times))
    return [(key, names, None) for key, names in steady.items()] + variable
