"""Datasets drawn from responses and predicted counts.

A `Template` is a dataset without data: responses, axes and the expected background. Whoever evaluates models predicts
its counts; `draw` turns the prediction into data. The random stream of a dataset depends on the seed and on the name of
the dataset alone, so that adding, removing or reordering datasets changes no other one.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, MapArray
from gm.datasets.acceptances import scaled
from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.datasets.files.formats import read_dataset
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.kinds import has_counts, is_points
from gm.datasets.map_simulation import map_of_instrument
from gm.datasets.sed_covariance import correlated, known
from gm.datasets.spectrum import SpectrumDataset
from gm.errors import DataError
from gm.irf.parametric import Instrument, log_normal_edisp
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry


@dataclass(frozen=True, eq=False, kw_only=True)
class Template:
    """A dataset without data.

    ``dataset`` has no masks, and all its bins are to be predicted; the masks here are those of what is drawn. A
    spectrum is always a `SpectrumDataset` here and a map a `MapDataset`, with zero counts and the expected ON
    background; it becomes an On/Off dataset when the acceptances, in the shape of the counts, are given. Flux points
    keep their errors: the widths to draw with.
    """

    dataset: Dataset
    acceptance: MapArray | None = None
    acceptance_off: MapArray | None = None
    mask_safe: BoolArray | None = None
    mask_fit: BoolArray | None = None

    @property
    def name(self) -> str:
        """Name of the dataset that will be drawn."""
        return self.dataset.name

    def named(self, name: str) -> Template:
        """The same template for a dataset of another name."""
        return replace(self, dataset=self.dataset.with_(name=name))


def template_of(dataset: Dataset) -> Template:
    """The template of an existing dataset: its responses and masks and, as the expected background, the one that it
    measured."""
    acceptance, acceptance_off = dataset.acceptances()
    return Template(
        dataset=dataset.without_data(),
        acceptance=acceptance,
        acceptance_off=acceptance_off,
        mask_safe=dataset.mask_safe,
        mask_fit=dataset.mask_fit,
    )


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """What datasets are simulated with; all ``names`` are made alike."""

    names: tuple[str, ...]
    on_off: bool

    def files(self) -> tuple[Path, ...]:
        """What it reads."""
        return ()

    @abstractmethod
    def template(self) -> Template:
        """The template of the first of its names. Raises `DataError` when a file cannot be used."""


@final
@dataclass(frozen=True, kw_only=True)
class FormulaRecipe(Recipe):
    """Datasets of a parametrised instrument: what ``response: iact`` says. With a ``geometry`` they are maps."""

    instrument: Instrument
    livetime: float
    energy: EnergyAxis
    energy_true: EnergyAxis
    acceptance: float = 1.0
    acceptance_off: float = 10.0
    geometry: WcsGeometry | None = None

    def template(self) -> Template:
        """A parametrised instrument."""
        name, instrument, livetime = self.names[0], self.instrument, self.livetime
        if self.geometry is not None:
            blank_map = map_of_instrument(name, instrument, self.geometry, self.energy, self.energy_true, livetime)
            return Template(dataset=blank_map)
        edges, true_edges = self.energy.edges, self.energy_true.edges
        blank = SpectrumDataset(
            name=name,
            energy=self.energy,
            energy_true=self.energy_true,
            counts=np.zeros(self.energy.n_bins),
            exposure=instrument.exposure(true_edges, livetime),
            edisp=log_normal_edisp(true_edges, edges, instrument.resolution, instrument.bias),
            background=instrument.background(true_edges, edges, livetime),
            livetime=livetime,
        )
        if not self.on_off:
            return Template(dataset=blank)
        n_energy = self.energy.n_bins
        return Template(
            dataset=blank,
            acceptance=np.full(n_energy, self.acceptance),
            acceptance_off=np.full(n_energy, self.acceptance_off),
        )


@final
@dataclass(frozen=True, kw_only=True)
class FileRecipe(Recipe):
    """Datasets with the responses of an existing one; ``None`` means as in the file."""

    path: Path
    file_type: str
    livetime: float | None = None
    acceptance: float | None = None
    acceptance_off: float | None = None

    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def template(self) -> Template:
        """The responses of the file, scaled to the livetime.

        Where off counts without an acceptance say nothing of the background it is unknown, and not 0: such bins are not
        safe in what takes the background as known, or gives another acceptance.
        """
        source = read_dataset(self.file_type, self.path, self.names[0])
        is_as_measured = self.on_off and self.acceptance is None and self.acceptance_off is None
        template = template_of(source if is_as_measured else source.where_measured())
        blank = template.dataset
        if not has_counts(blank):
            raise DataError(f"{self.path}: flux points have no response to simulate with")
        if self.livetime is not None:
            if not blank.livetime:
                raise DataError(
                    f"{self.path}: no livetime in the file, so its exposure cannot be scaled to another one"
                )
            blank = blank.exposed(self.livetime / blank.livetime, self.livetime)
        if not self.on_off:
            return replace(template, dataset=blank, acceptance=None, acceptance_off=None)
        return replace(
            template,
            dataset=blank,
            acceptance=_acceptance(self.acceptance, template.acceptance, 1.0, blank.counts.shape),
            acceptance_off=_acceptance(self.acceptance_off, template.acceptance_off, 10.0, blank.counts.shape),
        )


def _acceptance(given: float | None, stored: MapArray | None, default: float, shape: tuple[int, ...]) -> MapArray:
    if given is None and stored is not None:
        return stored
    return np.full(shape, default if given is None else given)


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
        return tuple(dict.fromkeys(file for recipe in self.recipes or () for file in recipe.files()))


def build_templates(simulation: Simulation, datasets: Datasets | None = None) -> list[Template]:
    """Templates of a simulation in order; ``datasets`` are those to draw again where there are no recipes.

    Reads each response file once. Raises `DataError` when a file cannot be used.
    """
    if simulation.recipes is None:
        return [template_of(dataset) for dataset in datasets or ()]
    templates = []
    for recipe in simulation.recipes:
        first = recipe.template()
        templates += [first.named(name) for name in recipe.names]
    return templates


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
    blank, masks = template.dataset, {"mask_safe": template.mask_safe, "mask_fit": template.mask_fit}
    if is_points(blank):
        return _draw_flux_points(blank, predicted, random, asimov).with_(**masks)
    if not has_counts(blank):
        raise DataError(f"{template.name}: a {blank.type} cannot be drawn")
    poisson = poisson_counts(template.name, random, asimov)
    counts = poisson(predicted)
    filled = {"counts": blank.stored(counts), **masks}
    if template.acceptance is None or template.acceptance_off is None:
        return blank.with_(**filled)
    known = blank.known_background
    background = np.zeros(counts.shape) if known is None else known
    return blank.with_off(
        counts_off=blank.stored(poisson(_doubles(scaled(background, template.acceptance_off, template.acceptance)))),
        acceptance=template.acceptance,
        acceptance_off=template.acceptance_off,
        **filled,
    )


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of a dataset: a function of the seed and of its name, and of nothing else."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    return np.random.default_rng(np.random.SeedSequence([seed, key]))


def poisson_counts(name: str, random: np.random.Generator, asimov: bool = False) -> Callable[[Array], Array]:
    """Expected counts of any shape to counts; a negative expectation, from a negative component, is zero."""

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
    dataset: FluxPointsDataset, predicted: Array, random: np.random.Generator, asimov: bool
) -> FluxPointsDataset:
    """Flux points around a prediction; upper limits, and points without an error or a prediction, stay as they are."""
    if dataset.stat_type == "profile":
        raise DataError(f"{dataset.name}: flux points with likelihood profiles cannot be drawn; use stat_type chi2")
    points = dataset.points
    error = points.error()
    normal = np.zeros(predicted.size) if asimov else random.standard_normal(predicted.size)
    drawn = predicted + (error * normal if points.covariance is None else correlated(points.covariance, normal))
    is_flux = ~points.is_ul if points.covariance is None else known(points.covariance)
    measured = np.isfinite(points.dnde) & np.isfinite(drawn) & np.isfinite(error) & is_flux
    dnde = np.where(measured, drawn, points.dnde)
    points = replace(
        points, dnde=dnde, ts=None, sqrt_ts=None, stat=None, stat_null=None, norm_scan=None, stat_scan=None
    )
    return dataset.with_(points=points)
