"""The joint likelihood of all datasets under one global model, as a function of one vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.left_out import LeftOut, left_out
from gm.likelihood.bending import bent_by_component, bent_pairs, bent_priors, moves_of
from gm.likelihood.by_energy import ByEnergy
from gm.likelihood.dark import DarkBins
from gm.likelihood.engine import Engine, LocalEngine
from gm.likelihood.flux_slopes import FluxSlopes
from gm.likelihood.fluxes import FluxBank
from gm.likelihood.lattice import Lattice
from gm.likelihood.maps.limits import keep_apart
from gm.likelihood.own_parameters import OwnParameters, own_parameters, spectra_apart
from gm.likelihood.remarks import remarks
from gm.likelihood.report import TermReport
from gm.likelihood.summary import DatasetSummary
from gm.likelihood.terms import Terms
from gm.likelihood.treatment import Treatment
from gm.matrices import BorderedHessian, Matrix
from gm.models import Component, Layout, Models

_KEPT = 4  # points of which is kept what is known: where a step began, and those that it may lead to


@final
@dataclass(frozen=True, eq=False)
class PixelLattice:
    """A free position on a grid of pixels.

    lon, lat : where it is in the vector of free parameters; first : where its longitude is among all of the ``layout``
    """

    lon: int
    lat: int
    first: int
    lattice: Lattice
    layout: Layout

    def place(self, vector: Array) -> tuple[Array, Array]:
        """Its pixel coordinates (x, y), and their derivatives by both elements of the vector, (2, 2)."""
        own = slice(self.first, self.first + 2)
        place, jacobian = self.lattice.place(self.layout.expand(vector)[own])
        follows, slope = (part[own] for part in self.layout.followed())
        by_free = np.where(follows[:, None] == [self.lon, self.lat], slope[:, None], 0.0)
        return place, jacobian @ by_free

    def is_like(self, other: PixelLattice) -> bool:
        """Whether it has its kinks where another one has them."""
        at, there = (lattice.place(self.layout.start)[0] % 1.0 for lattice in (self, other))
        return (self.lon, self.lat) == (other.lon, other.lat) and np.allclose(there, at, atol=1e-6)


@dataclass(eq=False)
class _Point:
    """What is known at one vector: all parameters, and once it was asked for the flux vector, its derivatives, -2 ln L
    of the terms with its derivative by the flux vector."""

    key: bytes
    values: Array
    flux: Array | None = None
    slopes: FluxSlopes | None = None
    pullback: tuple[float, Array] | None = None


class JointLikelihood:
    """-2 ln L of `datasets` under `models`, compiled: only the vector of free parameters changes afterwards.

    The ``vector`` (n_free,) holds the free parameters in their own units, in the order of ``layout.free_addresses``.
    Priors are included, each counted once per parameter.

    ``conventions``: ``gammapy``, or ``exact`` for predicted counts as the responses say. ``for_fit``: free shapes are
    sampled so that the statistic is smooth in their parameters, and these stay between what the maps can tell apart.
    ``frozen_shapes``: they stay as they are in ``models`` whatever the vector says, which is all that is needed there.
    ``counts_alone``: so do they, and nothing but `predicted` may be asked for, which takes less then.
    ``engine`` compiles the terms, by default in this process, and may take over what has not moved since ``before``,
    the terms of models that differ in values alone.

    own : which parameters are each dataset's own, where there are many; second derivatives are a `BorderedHessian` then
    """

    def __init__(
        self,
        datasets: Datasets,
        models: Models,
        conventions: Conventions | str = Conventions.GAMMAPY,
        *,
        for_fit: bool = False,
        frozen_shapes: bool = False,
        counts_alone: bool = False,
        engine: Engine | None = None,
        before: Terms | None = None,
    ) -> None:
        self.datasets, self.models, self.conventions = datasets, models, Conventions(conventions)
        self.layout, self._engine = Layout(models), engine or LocalEngine()
        if for_fit:
            keep_apart(datasets, models, self.layout, self.conventions)
        treatment = Treatment(self.conventions, for_fit, frozen_shapes or counts_alone, counts_alone)
        plan, self.terms = self._engine.compile(datasets, models, self.layout, treatment, before)
        self.own = own_parameters([dataset.name for dataset in datasets], models, self.layout)
        apart = frozenset[str]() if self.own is None else spectra_apart(models)
        self.bank = FluxBank(plan, models, self.layout, self.conventions, apart)
        self._followed = self.layout.followed()
        self._points: list[_Point] = []
        self._last_slopes: _Point | None = None
        self._last_value: tuple[bytes, float] | None = None
        self._last: tuple[bytes, float, Array] | None = None

    @property
    def n_bins(self) -> int:
        """Number of bins that enter the statistic."""
        return self.terms.n_bins

    def value(self, vector: Array) -> float:
        """-2 ln L at ``vector`` (n_free,); the last one is kept."""
        key = vector.tobytes()
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        if self._last_value is None or self._last_value[0] != key:
            with _untold():
                point = self._at(vector)
                value = self._pullback(point)[0] if self.terms.is_light else self.terms.value(self._flux(point))
                value += self.layout.prior_value(vector)
            self._last_value = key, value
        return self._last_value[1]

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        """-2 ln L and its exact gradient, (n_free,); the last ones are kept."""
        key = vector.tobytes()
        if self._last is None or self._last[0] != key:
            with _untold():
                point = self._at(vector)
                slopes = self._slopes(point)
                value, d_flux = self._pullback(point)
                value += self.layout.prior_value(vector)
                gradient = self.layout.reduce(slopes.pullback(d_flux))
                if self.layout.has_priors:
                    gradient += self.layout.prior_gradient(vector)
            self._last = key, value, gradient
        return self._last[1], self._last[2].copy()

    def _at(self, vector: Array) -> _Point:
        """What is known at a vector; kept are the last ones, and the derivatives of fluxes at the last that has any."""
        key = vector.tobytes()
        for point in self._points:
            if point.key == key:
                return point
        slopes = self._last_slopes
        point = slopes if slopes is not None and slopes.key == key else _Point(key, self.layout.expand(vector))
        self._points = [point, *self._points[: _KEPT - 1]]
        return point

    def _flux(self, point: _Point) -> Array:
        if point.flux is None:
            point.flux = self.bank.fluxes(point.values)
        return point.flux

    def _slopes(self, point: _Point) -> FluxSlopes:
        """The flux vector with its derivatives."""
        if point.slopes is None:
            if self._last_slopes is not None:
                self._last_slopes.slopes = None
            point.slopes = self.bank.slopes(point.values)
            self._last_slopes = point
            if point.flux is None:
                point.flux = point.slopes.flux
        return point.slopes

    def _pullback(self, point: _Point) -> tuple[float, Array]:
        """-2 ln L of the terms, and its derivative by the flux vector."""
        if point.pullback is None:
            point.pullback = self.terms.pullback(self._flux(point))
        return point.pullback

    def _jacobian(self, slopes: FluxSlopes) -> Array:
        """Derivatives of the flux vector by that of free parameters, (n_columns, n_free)."""
        return slopes.narrow_jacobian(*self._followed, self.layout.n_free)

    def gradient(self, vector: Array) -> Array:
        """Exact gradient of -2 ln L, (n_free,)."""
        return self.value_and_gradient(vector)[1]

    def information(self, vector: Array, *, expected: bool = False) -> Matrix:
        """Approximate second derivatives of -2 ln L, (n_free, n_free): ``J^T diag(d2 W / d mu2) J`` and the priors'."""
        with _untold():
            point, prior = self._at(vector), self.layout.prior_curvature(vector)
            if self.own is not None:
                narrow = self.own.narrow_jacobian(self._slopes(point))
                flux, n_shared = self._flux(point), self.own.n_shared
                parts = self.terms.information_by_dataset(flux, narrow, n_shared, expected=expected)
                return self.own.hessian(parts).plus_diagonal(prior)
            jacobian = self._jacobian(self._slopes(point))
            information = np.diag(prior)
            for block in self.terms.information(self._flux(point), jacobian, expected=expected):
                block.add_to(information)
        return information

    def second_derivatives(self, vector: Array, steps: Array) -> Matrix | None:
        """Second derivatives of -2 ln L, (n_free, n_free), where all terms know theirs, else None.

        Nothing is folded again for them: only fluxes and shapes are differenced, over ``steps`` (n_free,).
        """
        if self.own is not None:
            return self._second_by_dataset(self.own, vector, steps)
        if not self.terms.knows_second_derivatives:
            return None
        with _untold():
            point = self._at(vector)
            slopes = self._slopes(point)
            jacobian = self._jacobian(slopes)
            by_parameter = self.layout.reduce(np.eye(len(point.values)))
            steps_of_flux = np.abs(jacobian) @ steps
            blocks = self.terms.second_derivatives(self._flux(point), jacobian, steps_of_flux)
            if blocks is None:
                return None
            _, d_flux = self._pullback(point)
            steps_of_all = np.abs(by_parameter) @ steps
            bent = bent_by_component(self.bank, self.models, self.layout, point.values, slopes, d_flux, steps_of_all)
            total = by_parameter.T @ bent @ by_parameter + np.diag(bent_priors(self.layout, vector, steps))
            for block in blocks:
                block.add_to(total)
            return np.asarray(0.5 * (total + total.T))

    def _second_by_dataset(self, own: OwnParameters, vector: Array, steps: Array) -> BorderedHessian | None:
        """The same without a matrix over all parameters."""
        with _untold():
            point = self._at(vector)
            narrow, (first, rest) = own.narrow_jacobian(self._slopes(point)), own.grouping.split(steps)
            reach = np.abs(narrow) @ np.concatenate([first, rest.max(axis=0, initial=0.0)])
            reach[self.bank.columns] = moves_of(self.layout, steps)[self.bank.carried]
            found = self.terms.second_derivatives_by_dataset(self._flux(point), narrow, own.n_shared, reach)
            if found is None:
                return None
            parts, apart = found
            hessian = own.hessian(parts).plus_diagonal(bent_priors(self.layout, vector, steps))
            _, d_flux = self._pullback(point)
            hessian.add(*bent_pairs(self.bank, self.models, self.layout, point.values, d_flux, steps, apart))
            return hessian.symmetric()

    def own_values(self, vector: Array) -> Array:
        """Of each dataset that has parameters of its own, -2 ln L and their priors, (n_groups,)."""
        assert self.own is not None
        with _untold():
            values = self.own.sums(*self.terms.values_by_dataset(self._flux(self._at(vector))))
        own = self.layout.prior_values(vector)
        return np.asarray(values + self.own.grouping.split(own)[1].sum(axis=1))

    def energy_bins(self) -> list[IntArray]:
        """The energy bins of each dataset, or its flux points, that enter the statistic, in order, (n,) each."""
        found = dict(self.terms.energy_bins())
        return [found.get(k, np.empty(0, dtype=np.intp)) for k in range(len(self.datasets))]

    def n_cut_off(self, vector: Array) -> int:
        """Bins with counts in which parameters make the prediction 0 or negative: there -2 ln L has no slope."""
        flux = self._flux(self._at(vector))
        return self.terms.n_cut_off(flux)

    def dark(self, vector: Array) -> list[DarkBins]:
        """Bins with counts in which nothing is predicted at ``vector`` (n_free,), by dataset."""
        return self.terms.dark(self._flux(self._at(vector)))

    def left_behind(self, vector: Array) -> list[str]:
        """Components that have gone beyond the reach of the responses taken where they started."""
        flux = self._flux(self._at(vector))
        return self.terms.left_behind(flux)

    def is_current(self, vector: Array) -> bool:
        """Whether shapes are sampled as they would be if a fit started at ``vector``."""
        flux = self._flux(self._at(vector))
        return self.terms.is_current(flux)

    def forget(self) -> None:
        """Let go of what was made along the way and can be made again: for another likelihood beside this one."""
        self.terms.forget()

    def under_conventions(self, models: Models) -> JointLikelihood:
        """The one of ``models``, which differ in values alone, with their shapes, where it is another one; else itself.

        It is where shapes are integrated for a fit, and where responses would be taken at other positions.
        """
        if self.terms.has_integrals or self._has_moved(models):
            return JointLikelihood(
                self.datasets,
                models,
                self.conventions,
                frozen_shapes=True,
                engine=self._engine,
                before=self.terms,
            )
        return self

    def _has_moved(self, models: Models) -> bool:
        """Whether a component would be seen with other responses where it is in ``models``."""
        for old, new in zip(self.models, models, strict=True):
            shape, then, now = old.spatial_model, _position(old), _position(new)
            if shape is None or then is None or now is None:
                continue
            datasets = [dataset for dataset in self.datasets if old.applies_to(dataset.name)]
            if not all(dataset.same_responses(then, now, shape.frame, self.conventions) for dataset in datasets):
                return True
        return False

    @property
    def is_smooth(self) -> bool:
        """Whether the statistic has no kinks."""
        return not self.terms.lattices()

    def lattices(self) -> list[PixelLattice]:
        """Free positions whose statistic has kinks at pixel centres; each grid of pixels once."""
        found: list[PixelLattice] = []
        for lattice in self.terms.lattices():
            first = self.bank.parameter_at(lattice.column)
            lon, lat = self.layout.free_position(first), self.layout.free_position(first + 1)
            if lon is None or lat is None:
                continue
            mine = PixelLattice(lon, lat, first, lattice, self.layout)
            if not any(mine.is_like(other) for other in found):
                found.append(mine)
        return found

    def depends_on(self) -> BoolArray:
        """Which free parameters any bin or prior depends on, (n_free,); the others cannot be fitted."""
        depends = self.layout.has_peak()
        for slots in self.bank.slots():
            for index in range(slots.start, slots.stop):
                if (position := self.layout.free_position(index)) is not None:
                    depends[position] = True
        return depends

    def predicted(self, vector: Array) -> list[Array]:
        """What is predicted in each bin of each dataset, in the shape of its mask; 0 in bins that do not enter."""
        found = dict(self.each_predicted(vector))
        return [found.get(k, np.zeros(dataset.mask.shape)) for k, dataset in enumerate(self.datasets)]

    def each_predicted(self, vector: Array) -> Iterator[tuple[int, Array]]:
        """The same of one dataset after the other, with its position; those of which no bin enters are left out."""
        for part in self.terms.predicted(self._flux(self._at(vector))):
            predicted = np.zeros(self.datasets[part.dataset].mask.shape)
            np.put(predicted, part.bins, part.values)
            yield part.dataset, predicted

    def summarize(self, vector: Array) -> list[DatasetSummary]:
        """Counts, predicted counts and statistic of every dataset, in the order of the datasets."""
        point = self._at(vector)
        sky = [c.name for c in self.models if c.role.is_sky]
        by_component = {name: self.bank.fluxes(point.values, [name]) for name in sky}
        with _untold():
            reports = {report.dataset: report for report in self.terms.report(self._flux(point), by_component)}
        applied = ([component.name for component in self.models.select(name)] for name in self.datasets.names)
        rows = zip(self.datasets, applied, self._left_out, strict=True)
        return [DatasetSummary.of(*row, reports.get(k, TermReport(k, 0, 0.0, 0.0, {}))) for k, row in enumerate(rows)]

    def by_energy(self, vector: Array) -> ByEnergy:
        """Counts and predictions of every dataset by energy; takes as long as predicting all bins of all maps."""
        point = self._at(vector)
        sky = [c for c in self.models if c.role.is_sky]
        below = self.bank.fluxes(point.values, [c.name for c in self.models if not c.role.is_sky])
        by_component = {c.name: self.bank.fluxes(point.values, [c.name]) for c in sky}
        with _untold():
            reports = self.terms.by_energy(self._flux(point), below, by_component)
        applied = {c.name: [k for k, one in enumerate(self.datasets) if c.applies_to(one.name)] for c in sky}
        return ByEnergy.of(self.datasets, reports, applied)

    def warnings(self, vector: Array) -> list[str]:
        """Predicted counts that are lost or displaced by PSF kernels, by component and dataset."""
        return [text for summary in self.summarize(vector) for text in summary.warnings()]

    def remarks(self, models: Models | None = None) -> list[str]:
        """What the predictions take for granted or leave out, for models with other values than at the start."""
        return remarks(self.datasets, models or self.models, self.conventions, self._left_out)

    @cached_property
    def _left_out(self) -> list[tuple[LeftOut, ...]]:
        """What masks keep and the statistic cannot use, of each dataset."""
        return [left_out(dataset) for dataset in self.datasets]


def _untold() -> np.errstate:
    """A step too far is told by a value that is not finite."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _position(component: Component) -> tuple[float, float] | None:
    """Where the responses of a component are taken, (lon, lat) [deg]."""
    shape = component.spatial_model
    return None if shape is None else shape.position(shape.values())
