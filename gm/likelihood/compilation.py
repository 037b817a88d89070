"""From datasets and a global model to flux columns and likelihood terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets import Datasets
from gm.datasets.base import OneDimensional
from gm.datasets.kinds import is_map, one_dimensional
from gm.datasets.map_dataset import SkyMap
from gm.datasets.measurement import Columns
from gm.errors import DataError
from gm.irf.scaled_edisp import ScaledDispersion
from gm.likelihood.blocks import SPECTRA
from gm.likelihood.contract import LikelihoodTerm
from gm.likelihood.flux_plan import Block, FluxPlan, Phase
from gm.likelihood.flux_shares import as_slice
from gm.likelihood.instruments import Effects, Instruments
from gm.likelihood.sky_fluxes import check_fluxes
from gm.likelihood.spectra.correlated import CorrelatedTerm
from gm.likelihood.spectra.folds import DiagonalFold, Fold, MatrixFold
from gm.likelihood.spectra.scaled_fold import ScaledFold
from gm.likelihood.spectra.term import Term
from gm.likelihood.terms import LocalTerms
from gm.likelihood.times import check_light, times_of
from gm.likelihood.treatment import Treatment
from gm.models import BackgroundIRFModel, Layout, Models, SkyModel
from gm.models.temporal.intervals import TimeIntervals
from gm.statistics import Statistic

TermKey = tuple[type[Statistic], int, int, int]


def compile_terms(
    datasets: Datasets,
    models: Models,
    layout: Layout,
    treatment: Treatment,
    before: LocalTerms | None = None,
) -> tuple[FluxPlan, LocalTerms]:
    """The flux columns that the datasets need; one term for each map, and one per statistic for all other datasets.

    What has not moved since ``before``, of the same datasets under models that differ in values alone, is taken over.
    Datasets of one block (`blocks`) whose bins fall under the same statistic share a term, unless their values are
    correlated, and those with the same
    components on the same axis share one matrix product.
    """
    check_light(datasets, models)
    check_fluxes(datasets, models)
    plan = FluxPlan()
    builders: dict[TermKey, _TermBuilder] = {}
    maps: list[tuple[int, SkyMap]] = []
    corrections, instruments = models.backgrounds(), Instruments(models, layout)
    for index, one in enumerate(datasets):
        if is_map(one):
            maps.append((index, one))
            continue
        dataset, block = one_dimensional(one), (index - len(maps)) // SPECTRA
        plan.turn(Phase.SPECTRA, index)
        bins = dataset.mask.nonzero()[0]
        if not bins.size:
            continue
        part, acting = as_slice(bins), instruments.on(one)
        measurement = dataset.measurement()
        arrays, covariance = measurement.columns(part), measurement.covariance(part)
        alone = -int(acting.energy is not None) if covariance is None else index + 1
        key = measurement.kind, arrays[-1].ndim and arrays[-1][0].size, block, alone
        if (builder := builders.get(key)) is None:
            builder = builders[key] = _TermBuilder(measurement.kind, covariance)
        seen_by = models.sources(one.name), corrections.get(one.name), acting
        builder.add_bins(index, bins, arrays, _add_folds(builder, plan, dataset, *seen_by, bins, part))
    terms: list[LikelihoodTerm] = []
    compiled = None
    if maps:
        from gm.likelihood.maps.compilation import CompiledMaps, compile_maps

        known = CompiledMaps() if before is None or before.maps is None else before.maps
        found, compiled = compile_maps(maps, models, plan, layout, instruments, treatment, known)
        terms.extend(found)
    terms.extend(builder.build(plan.n_columns) for builder in builders.values())
    return plan, LocalTerms(terms, plan.n_columns, compiled)


class _TermBuilder:
    """Gathers the bins of the datasets of one term; with a ``covariance`` (n_bins, n_bins) those of one dataset."""

    def __init__(self, statistic: type[Statistic], covariance: Array | None = None) -> None:
        self.n_rows = 0
        self._statistic, self._covariance = statistic, covariance
        self._arrays: list[Columns] = []
        self._offsets: list[Array] = []
        self._datasets: list[int] = []
        self._bins: list[IntArray] = []
        self._responses: dict[Block, list[_Response]] = defaultdict(list)
        self._diagonals: list[tuple[IntArray, IntArray, Array]] = []
        self._scaled: list[ScaledFold] = []

    def add_bins(self, dataset: int, bins: IntArray, arrays: Columns, offset: Array) -> None:
        self.n_rows += bins.size
        self._datasets.append(dataset)
        self._bins.append(bins)
        self._arrays.append(arrays)
        self._offsets.append(offset)

    def add_response(
        self, block: Block, bins: IntArray | slice, n_bins: int, exposure: Array | None, edisp: Array
    ) -> None:
        """Exposure (n_columns,) and energy dispersion (n_columns, n_energy) for the bins that are added next."""
        self._responses[block].append(_Response(self.n_rows, bins, n_bins, exposure, edisp))

    def add_scaled(
        self, block: Block, bins: IntArray, exposure: Array | None, edisp: ScaledDispersion, scale: int
    ) -> None:
        """As `add_response`, with the scale of energies in a column of the flux vector."""
        rows = np.arange(self.n_rows, self.n_rows + bins.size)
        seen = np.ones(block.columns.stop - block.columns.start) if exposure is None else exposure
        self._scaled.append(ScaledFold(rows, block.columns, scale, bins, np.asarray(seen, dtype=np.float64), edisp))

    def add_diagonal(self, block: Block, bins: IntArray, weight: Array) -> None:
        rows = np.arange(self.n_rows, self.n_rows + bins.size)
        self._diagonals.append((rows, block.columns.start + bins, weight))

    def build(self, n_columns: int) -> Term | CorrelatedTerm:
        folds: list[Fold] = [_matrix_fold(block, responses) for block, responses in self._responses.items()]
        folds += self._scaled
        if self._diagonals:
            folds.append(DiagonalFold(*(np.concatenate(parts) for parts in zip(*self._diagonals, strict=True))))
        statistic = self._statistic(*(np.concatenate(parts) for parts in zip(*self._arrays, strict=True)))
        dataset, bins = np.repeat(self._datasets, [part.size for part in self._bins]), np.concatenate(self._bins)
        term = Term(statistic, folds, np.concatenate(self._offsets), dataset, bins, n_columns)
        return term if self._covariance is None else CorrelatedTerm(term, self._covariance)


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
    seen = np.logical_or.reduce([response.seen() for response in responses]).nonzero()[0]
    columns = slice(int(seen[0]), int(seen[-1]) + 1) if seen.size else slice(0, 0)
    matrix = np.empty((sum(response.n_bins for response in responses), columns.stop - columns.start))
    rows, start = [], 0
    for response in responses:
        response.fill(matrix[start : start + response.n_bins], columns)
        rows.append(np.arange(response.first_row, response.first_row + response.n_bins))
        start += response.n_bins
    first = block.columns.start
    return MatrixFold(as_slice(np.concatenate(rows)), slice(first + columns.start, first + columns.stop), matrix)


def _add_folds(
    builder: _TermBuilder,
    plan: FluxPlan,
    dataset: OneDimensional,
    sources: Sequence[SkyModel],
    correction: BackgroundIRFModel | None,
    effects: Effects,
    bins: IntArray,
    part: IntArray | slice,
) -> Array:
    """Register how each component reaches the dataset's bins; returns what is predicted without a model, (n_bins,).

    ``part`` : the bins, as a slice where they come one after the other
    """
    for responses, names, times in _by_response(sources, dataset):
        seen = dataset.seen(responses)
        factors = effects.exposure if "exposure" in responses or not dataset.responses else ()
        block = plan.block(seen.quantity, names, seen.energy, times, factors)
        if seen.edisp is None:
            builder.add_diagonal(block, bins, np.ones(bins.size))
        elif effects.energy is not None and "edisp" in responses:
            scale = plan.nuisance(effects.energy, "energy_scale", "energy").columns.start
            builder.add_scaled(block, bins, seen.exposure, scaled_dispersion(dataset, seen.edisp), scale)
        else:
            builder.add_response(block, part, bins.size, seen.exposure, seen.edisp)
    if dataset.known_background is None:
        return np.zeros(bins.size)
    known = dataset.known_background[part].astype(np.float64, copy=False)
    corrected_by = effects.corrected_by(correction)
    if corrected_by is None:
        return known
    block = plan.block("point", (corrected_by,), dataset.energies(), factors=effects.background)
    builder.add_diagonal(block, bins, known)
    return np.zeros(bins.size)


def scaled_dispersion(dataset: OneDimensional, edisp: Array) -> ScaledDispersion:
    """The energy dispersion (n_energy_true, n_energy) of a dataset with a scale. Raises `DataError` without any."""
    low, high = dataset.energy_edges()
    scaled = ScaledDispersion(edisp, np.append(low, high[-1]))
    if "edisp" in dataset.missing_responses() or not scaled.is_resolved:
        raise DataError(
            f"dataset {dataset.name}: energy_scale needs an energy dispersion that the bins of energy resolve\n"
            "    remove energy_scale, or leave the dataset out of its datasets_names"
        )
    return scaled


def _by_response(
    sky: Iterable[SkyModel], dataset: OneDimensional
) -> list[tuple[frozenset[str], tuple[str, ...], TimeIntervals | None]]:
    """Names of the sky components by the responses that they go through, variable ones with times."""
    steady: dict[frozenset[str], tuple[str, ...]] = {}
    variable: list[tuple[frozenset[str], tuple[str, ...], TimeIntervals | None]] = []
    for component in sky:
        key = frozenset(name for name in dataset.responses if component.apply_irf[name])
        times = times_of(component, dataset)
        if times is None:
            steady[key] = (*steady.get(key, ()), component.name)
        else:
            variable.append((key, (component.name,), times))
    return [(key, names, None) for key, names in steady.items()] + variable
