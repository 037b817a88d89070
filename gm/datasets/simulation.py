"""Datasets drawn from responses and predicted counts.

A `Template` is a dataset without data: responses, axes and the expected background. Whoever evaluates models predicts
its counts; `draw` turns the prediction into data. The random stream of a dataset depends on the seed and on the name of
the dataset alone, so that adding, removing or reordering datasets changes no other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from gm.arrays import Array, BoolArray, MapArray
from gm.datasets.datasets import Dataset, Datasets, read_dataset
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.map_simulation import map_of_instrument, no_counts, scaled, stored
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.irf.parametric import Instrument, log_normal_edisp
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry


@dataclass(frozen=True, kw_only=True)
class FormulaRecipe:
    """Datasets of a parametrised instrument: what ``response: iact`` says. With a ``geometry`` they are maps."""

    names: tuple[str, ...]
    instrument: Instrument
    on_off: bool
    livetime: float
    energy: EnergyAxis
    energy_true: EnergyAxis
    acceptance: float = 1.0
    acceptance_off: float = 10.0
    geometry: WcsGeometry | None = None


@dataclass(frozen=True, kw_only=True)
class FileRecipe:
    """Datasets with the responses of an existing one; ``None`` means as in the file."""

    names: tuple[str, ...]
    path: Path
    file_type: str
    on_off: bool
    livetime: float | None = None
    acceptance: float | None = None
    acceptance_off: float | None = None


Recipe = FormulaRecipe | FileRecipe
_Counts: TypeAlias = SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff
_Kind = TypeVar("_Kind", bound=SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What to simulate. ``recipes`` is None when the datasets of the analysis are to be drawn again."""

    seed: int = 0
    asimov: bool = False
    recipes: tuple[Recipe, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the datasets that the recipes make."""
        return tuple(name for recipe in self.recipes or () for name in recipe.names)

    @property
    def filenames(self) -> tuple[Path, ...]:
        """Files that the recipes read, each once."""
        return tuple(dict.fromkeys(r.path for r in self.recipes or () if isinstance(r, FileRecipe)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Template:
    """A dataset without data.

    ``dataset`` has no masks, and all its bins are to be predicted. A spectrum is always a `SpectrumDataset` here and a
    map a `MapDataset`, with zero counts and the expected ON background; it becomes an On/Off dataset when the
    acceptances, in the shape of the counts, are given. Flux points keep their errors: the widths to draw with.
    """

    dataset: SpectrumDataset | MapDataset | FluxPointsDataset
    acceptance: MapArray | None = None
    acceptance_off: MapArray | None = None
    mask_safe: BoolArray | None = None

    @property
    def name(self) -> str:
        """Name of the dataset that will be drawn."""
        return self.dataset.name

    def named(self, name: str) -> Template:
        """The same template for a dataset of another name."""
        return replace(self, dataset=self.dataset.with_(name=name))


def build_templates(simulation: Simulation, datasets: Datasets | None = None) -> list[Template]:
    """Templates of a simulation in order; ``datasets`` are those to draw again where there are no recipes.

    Reads each response file once. Raises `DataError` when a file cannot be used.
    """
    if simulation.recipes is None:
        return [template_of(dataset) for dataset in datasets or ()]
    templates = []
    for recipe in simulation.recipes:
        first = _from_file(recipe) if isinstance(recipe, FileRecipe) else _from_formula(recipe)
        templates += [first.named(name) for name in recipe.names]
    return templates


def template_of(dataset: Dataset) -> Template:
    """The template of an existing dataset: its responses and, as the expected background, the one that it measured."""
    if isinstance(dataset, FluxPointsDataset):
        return Template(dataset=dataset.with_(mask_fit=None, mask_safe=None), mask_safe=dataset.mask_safe)
    blank = _without_data(dataset)
    if not isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        return Template(dataset=blank, mask_safe=dataset.mask_safe)
    return Template(
        dataset=blank,
        acceptance=dataset.acceptance,
        acceptance_off=dataset.acceptance_off,
        mask_safe=dataset.mask_safe,
    )


def _without_data(dataset: _Counts) -> SpectrumDataset | MapDataset:
    """The responses of a dataset, without masks; its background is the one that it has, or measured."""
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        background: MapArray | None = scaled(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
    else:
        background = dataset.background
    changes = {"background": background, "mask_safe": None, "mask_fit": None}
    if isinstance(dataset, MapDataset | MapDatasetOnOff):
        return _as(MapDataset, dataset, counts=no_counts(dataset.energy, dataset.geometry), **changes)
    return _as(SpectrumDataset, dataset, counts=np.zeros(dataset.energy.n_bins), **changes)


def _as(kind: type[_Kind], dataset: _Counts, **changes: Any) -> _Kind:
    """A dataset of another kind with the fields that both have, some of them replaced."""
    shared = {field.name for field in fields(kind)} & {field.name for field in fields(dataset)} - changes.keys()
    return kind(**{name: getattr(dataset, name) for name in shared}, **changes)


def _from_formula(recipe: FormulaRecipe) -> Template:
    """Template of a parametrised instrument."""
    name, instrument, livetime = recipe.names[0], recipe.instrument, recipe.livetime
    if recipe.geometry is not None:
        blank_map = map_of_instrument(name, instrument, recipe.geometry, recipe.energy, recipe.energy_true, livetime)
        return Template(dataset=blank_map)
    edges, true_edges = recipe.energy.edges, recipe.energy_true.edges
    blank = SpectrumDataset(
        name=name,
        energy=recipe.energy,
        energy_true=recipe.energy_true,
        counts=np.zeros(recipe.energy.n_bins),
        exposure=instrument.exposure(true_edges, livetime),
        edisp=log_normal_edisp(true_edges, edges, instrument.resolution, instrument.bias),
        background=instrument.background(true_edges, edges, livetime),
        livetime=livetime,
    )
    if not recipe.on_off:
        return Template(dataset=blank)
    n_energy = recipe.energy.n_bins
    return Template(
        dataset=blank,
        acceptance=np.full(n_energy, recipe.acceptance),
        acceptance_off=np.full(n_energy, recipe.acceptance_off),
    )


def _from_file(recipe: FileRecipe) -> Template:
    """Template with the responses of a file, scaled to the recipe's livetime."""
    source = read_dataset(recipe.file_type, recipe.path, recipe.names[0])
    template = template_of(source)
    blank = template.dataset
    if isinstance(blank, FluxPointsDataset):
        raise DataError(f"{recipe.path}: flux points have no response to simulate with")
    if recipe.livetime is not None:
        if not blank.livetime:
            raise DataError(f"{recipe.path}: no livetime in the file, so its exposure cannot be scaled to another one")
        scale = recipe.livetime / blank.livetime
        background = None if blank.background is None else blank.background * scale
        if isinstance(blank, MapDataset) and blank.finer is not None:
            blank = blank.with_(finer=blank.finer.exposed(scale))
        blank = blank.with_(exposure=blank.exposure * scale, background=background, livetime=recipe.livetime)
    if not recipe.on_off:
        return replace(template, dataset=blank, acceptance=None, acceptance_off=None)
    return replace(
        template,
        dataset=blank,
        acceptance=_acceptance(recipe.acceptance, template.acceptance, 1.0, blank.counts.shape),
        acceptance_off=_acceptance(recipe.acceptance_off, template.acceptance_off, 10.0, blank.counts.shape),
    )


def _acceptance(given: float | None, stored: MapArray | None, default: float, shape: tuple[int, ...]) -> MapArray:
    if given is None and stored is not None:
        return stored
    return np.full(shape, default if given is None else given)


def _doubles(values: MapArray) -> Array:
    return values.astype(np.float64, copy=False)


def draw(template: Template, predicted: Array, seed: int, asimov: bool = False) -> Dataset:
    """A dataset with data drawn around a prediction, or with the expected data when ``asimov``.

    predicted : total expected counts of ``template.dataset``, signal and background, in every bin, in the shape of its
    counts; for flux points (n,) the flux [cm-2 s-1 TeV-1]. Counts are Poisson, OFF counts around background *
    acceptance_off / acceptance; fluxes are Gaussian around the prediction. Raises `DataError` for a prediction that is
    not finite or is too large.
    """
    random = stream(seed, template.name)
    if isinstance(template.dataset, FluxPointsDataset):
        return _draw_flux_points(template.dataset, template.mask_safe, predicted, random, asimov)
    blank = template.dataset
    poisson = _poisson(template.name, random, asimov)
    counts, is_map = poisson(predicted), isinstance(blank, MapDataset)
    filled = {"counts": stored(counts) if is_map else counts, "mask_safe": template.mask_safe}
    if template.acceptance is None or template.acceptance_off is None:
        return blank.with_(**filled)
    background = np.zeros(counts.shape) if blank.background is None else blank.background
    counts_off = poisson(_doubles(scaled(background, template.acceptance_off, template.acceptance)))
    off = {
        "counts_off": stored(counts_off) if is_map else counts_off,
        "acceptance": template.acceptance,
        "acceptance_off": template.acceptance_off,
    }
    kind: type[MapDatasetOnOff | SpectrumDatasetOnOff] = MapDatasetOnOff if is_map else SpectrumDatasetOnOff
    return _as(kind, blank, **filled, **off)


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of a dataset: a function of the seed and of its name, and of nothing else."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    return np.random.default_rng(np.random.SeedSequence([seed, key]))


def _poisson(name: str, random: np.random.Generator, asimov: bool) -> Callable[[Array], Array]:
    """Expected counts to counts; a negative expectation, from a negative component, is zero."""

    def counts(expected: Array) -> Array:
        if not np.isfinite(expected).all():
            raise DataError(f"dataset {name}: the models predict counts that are not finite; check their parameters")
        expected = np.maximum(expected, 0.0)
        if asimov:
            return expected
        if expected.max(initial=0.0) > 1e15:
            raise DataError(
                f"dataset {name}: the models predict {expected.max():.3g} counts in a bin, too many to draw"
            )
        return random.poisson(expected).astype(np.float64)

    return counts


def _draw_flux_points(
    dataset: FluxPointsDataset, mask_safe: BoolArray | None, predicted: Array, random: np.random.Generator, asimov: bool
) -> FluxPointsDataset:
    """Flux points around a prediction; upper limits, and points without an error or a prediction, stay as they are."""
    if dataset.stat_type == "profile":
        raise DataError(f"{dataset.name}: flux points with likelihood profiles cannot be drawn; use stat_type chi2")
    points = dataset.points
    error = points.error()
    drawn = predicted if asimov else predicted + error * random.standard_normal(predicted.size)
    measured = np.isfinite(points.dnde) & np.isfinite(drawn) & np.isfinite(error) & ~points.is_ul
    dnde = np.where(measured, drawn, points.dnde)
    points = replace(
        points, dnde=dnde, ts=None, sqrt_ts=None, stat=None, stat_null=None, norm_scan=None, stat_scan=None
    )
    return dataset.with_(points=points, mask_safe=mask_safe)
