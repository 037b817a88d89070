"""From a map dataset and the components that apply to it to its term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import overlap_matrix
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.irf.psf_kernel import PsfKernel
from gm.likelihood.convolution import Convolver
from gm.likelihood.counts_source import has_free_shape, stored_sources
from gm.likelihood.exact_sources import ExactParts
from gm.likelihood.finer_source import FinerSource, Sums
from gm.likelihood.fluxes import FluxPlan
from gm.likelihood.folding import Folding, MapWindow, RecoEnergyFolding, TrueEnergyFolding
from gm.likelihood.losses import DISPLACED, KernelLoss, exposed_shape
from gm.likelihood.map_sources import FixedSource, ImageSource, MapSource, SharedImage
from gm.likelihood.map_term import MapBackground, MapBins, MapTerm
from gm.likelihood.parallel import side_by_side
from gm.likelihood.point_source import PointSource, Shared
from gm.likelihood.spectra import Spectra
from gm.likelihood.times import times_of
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import unit_vectors
from gm.models import (
    BackgroundIRFModel,
    Layout,
    Models,
    PointSpatialModel,
    SkyModel,
    SpatialModel,
)
from gm.models.spatial import RadialModel
from gm.statistics import Cash, Statistic, WStat

AnyMapDataset = MapDataset | MapDatasetOnOff
_At = tuple[float | None, float | None, str | None]

MARGIN = 0.1  # [deg] beyond the evaluation radius, as Gammapy has it
_NOTHING = 1e-10  # of a shape's flux
_GROWTH = 1.5  # how far a free shape may grow before its window is too small


def compile_maps(
    maps: Sequence[tuple[int, AnyMapDataset]], models: Models, plan: FluxPlan, layout: Layout, conventions: str
) -> list[MapTerm]:
    """The terms of map datasets, given with their positions; those whose masks leave nothing have none.

    Fixed images are folded at the same time, since the transforms release the interpreter; nothing else takes so long.
    """
    views = [_View(index, dataset, bins) for index, dataset in maps if (bins := _bins(dataset)) is not None]
    shared = Shared()
    builders = [
        [
            _Builder(finest, component, plan, layout, shared, conventions)
            for component in models.select(finest.dataset.name)
            if isinstance(component, SkyModel)
        ]
        for finest in (view.finest() for view in views)
    ]
    stored = [stored_sources(view.dataset, view.bins, models, plan, layout) for view in views]
    backgrounds = [_background(view, models, plan, layout) for view in views]
    folding = [builder for row in builders for builder in row if builder.is_folding]
    folded = dict(zip(map(id, folding), side_by_side(_Builder.build, folding), strict=True))
    sources = ([folded.get(id(builder)) or builder.build() for builder in row] for row in builders)
    return [
        MapTerm(view.index, view.dataset.counts, view.bins, [*row, *more], background)
        for view, row, more, background in zip(views, sources, stored, backgrounds, strict=True)
    ]


def _bins(dataset: AnyMapDataset) -> MapBins | None:
    """The bins that enter, and those with counts among them."""
    mask = dataset.mask
    if isinstance(dataset, MapDatasetOnOff):
        # Without acceptance on either side the profiled background is undefined; by convention such a bin adds nothing.
        mask = mask & (dataset.acceptance > 0) & (dataset.acceptance_off > 0)
    if not mask.any():
        return None
    counts = dataset.counts.ravel()
    if isinstance(dataset, MapDatasetOnOff):
        off, acceptance, acceptance_off = (
            a.ravel() for a in (dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
        )

        def w_statistic(bins: IntArray) -> Statistic:
            on, away = counts[bins].astype(np.float64), off[bins].astype(np.float64)
            return WStat(on, away, acceptance[bins].astype(np.float64) / acceptance_off[bins])

        return MapBins.of(mask, dataset.counts, w_statistic)
    return MapBins.of(mask, dataset.counts, lambda bins: Cash(counts[bins].astype(np.float64)))


def _background(view: _View, models: Models, plan: FluxPlan, layout: Layout) -> MapBackground:
    """Background counts of the dataset; none with On/Off counts, where they are profiled, nor with a free shape."""
    dataset, bins = view.dataset, view.bins
    model = next((c for c in models.select(dataset.name) if isinstance(c, BackgroundIRFModel)), None)
    stored = None if isinstance(dataset, MapDatasetOnOff) else dataset.background
    if model is not None and has_free_shape(model, layout):
        stored = None
    counts = np.zeros(bins.mask.shape, dtype=np.float32) if stored is None else stored
    columns = None
    if model is not None and stored is not None:
        if model.spatial_model is not None:
            counts = counts * model.spatial_factor(dataset.geometry)
        columns = plan.block("point", (model.name,), dataset.energy.center).columns
    totals = np.where(bins.mask, counts, 0.0).sum(axis=(1, 2), dtype=np.float64)
    rows = counts.reshape(len(counts), -1)[bins.energy, bins.pixel].astype(np.float64)
    is_negative = bool(counts.min() < 0)
    return MapBackground(columns, rows, totals, lambda: counts[bins.mask].astype(np.float64), is_negative)


@dataclass(frozen=True, eq=False)
class _View:
    """A dataset with its position, and its bins with counts."""

    index: int
    dataset: AnyMapDataset
    bins: MapBins
    sums: Sums | None = None
    _grids: dict[tuple[int, int, int, int], PixelGrid] = field(default_factory=dict)

    def finest(self) -> _View:
        """The bins that sources are predicted in, with how they are summed."""
        dataset, finer = self.dataset, self.dataset.finer
        if finer is None:
            return self
        sums, parts = Sums.of(finer, self.bins)
        unseen = np.broadcast_to(np.float32(0.0), parts.mask.shape)
        inside = MapDataset(
            name=dataset.name,
            geometry=finer.geometry,
            energy=finer.energy,
            energy_true=dataset.energy_true,
            counts=unseen,
            exposure=finer.exposure,
            psf=finer.psf,
            edisp=finer.edisp,
            gti=dataset.gti,
        )
        return _View(self.index, inside, parts, sums)

    def grid(self, y: slice, x: slice) -> PixelGrid:
        """The pixels of these rows and columns, which components share."""
        return self._grids.setdefault((y.start, y.stop, x.start, x.stop), PixelGrid(self.dataset.geometry.window(y, x)))

    def window(self, y: slice, x: slice, edisp: Array, exposed: bool) -> MapWindow:
        """The window of these rows and columns."""
        dataset, bins = self.dataset, self.bins
        n_x = dataset.geometry.shape[1]
        row, column = np.divmod(bins.pixel, n_x)
        inside = (row >= y.start) & (row < y.stop) & (column >= x.start) & (column < x.stop)
        rows = np.flatnonzero(inside)
        exposure = dataset.exposure[:, y, x].reshape(dataset.energy_true.n_bins, -1)
        return MapWindow(
            y=y,
            x=x,
            exposure=exposure if exposed else np.ones_like(exposure),
            edisp=edisp,
            mask=bins.mask[:, y, x].reshape(dataset.energy.n_bins, -1),
            rows=rows,
            energy=bins.energy[rows],
            pixel=(row[rows] - y.start) * (x.stop - x.start) + column[rows] - x.start,
        )


class _Builder:
    """One sky component on one map dataset: where it is, its responses there, and its source."""

    def __init__(
        self,
        view: _View,
        component: SkyModel,
        plan: FluxPlan,
        layout: Layout,
        shared: Shared,
        conventions: str,
    ) -> None:
        self.view, self.component, self.shared, self.conventions = view, component, shared, conventions
        self.shape = component.spatial_model
        self.loss: KernelLoss | None = None
        self._made: PsfKernel | None = None
        self.values = self._start(layout)
        self.moves = np.array([layout.free_position(k) is not None for k in self._slots(layout)], dtype=bool)
        self.is_free = bool(self.moves.any())
        times = times_of(component, view.dataset)
        self.columns = plan.block("integral", (component.name,), view.dataset.energy_true.edges, times).columns
        self.shape_columns = slice(0, 0)
        if self.is_free:
            self.shape_columns = plan.shape(component.name, self.values.size).columns

    def _slots(self, layout: Layout) -> range:
        if self.shape is None:
            return range(0)
        slots = layout.slots(self.component.name, "spatial")
        return range(slots.start, slots.stop)

    def _start(self, layout: Layout) -> Array:
        return layout.expand(layout.start)[list(self._slots(layout))]

    @property
    def is_folding(self) -> bool:
        """Whether an image is folded when the source is built."""
        return not self.is_free and not isinstance(self.shape, PointSpatialModel)

    def build(self) -> MapSource:
        """The source; one with a fixed shape keeps no more than its response."""
        source = self._summed_source()
        source.name = self.component.name
        if self.is_free and self.shape is not None:
            source.moves = self.moves
            source.reach, source.loss = _Reach(self.shape, self.values), self.loss
            return source
        still = np.zeros(self.columns.stop)
        again = partial(_Builder._summed_source, self)
        fixed = FixedSource(self.columns, *source.in_full(still), again)
        fixed.name, fixed.loss = self.component.name, self.loss
        return fixed

    def _summed_source(self) -> MapSource:
        source, sums = self._source(), self.view.sums
        if sums is None:
            return source
        source.moves = self.moves
        return FinerSource(source, sums)

    def _source(self) -> MapSource:
        dataset, apply = self.view.dataset, self.component.apply_irf
        place = None if self.shape is None else self.shape.position(self.values)
        at = (*place, self.shape.frame) if place is not None and self.shape is not None else (None, None, None)
        edisp = self._edisp(at) if apply["edisp"] else None
        if edisp is None:
            edisp = overlap_matrix(dataset.energy_true, dataset.energy)
        is_spread = dataset.psf is not None and apply["psf"]
        if self.conventions == "exact" and (is_spread or not isinstance(self.shape, PointSpatialModel)):
            return self._exact_source(at, edisp)
        kernel = self._kernel(at) if is_spread else None
        if kernel is not None:
            self._take_loss(kernel.fraction_lost, edisp)
        y, x = self._extent(0.0 if kernel is None else kernel.shape[0] * max(dataset.geometry.pixel_scales()))
        window = self.view.window(y, x, edisp, apply["exposure"])
        is_reco = dataset.psf is not None and dataset.psf.is_reco and kernel is not None
        where = self.columns, self.shape_columns
        if isinstance(self.shape, PointSpatialModel):
            point = self.shared.point(self.component.name, self.shape, dataset.geometry, self.values, self.is_free)
            kernels = np.ones((dataset.energy_true.n_bins, 1, 1)) if kernel is None else kernel.data.astype(np.float64)
            return PointSource(*where, point, window, kernels, reco_psf=is_reco)
        grid = self.view.grid(y, x)
        support = None if self.shape is None else _support(self.shape, grid, self.values)
        image, spectra = self._image(grid if support is None else PixelGrid(grid.geometry.window(*support)))
        folding: Folding
        if is_reco and kernel is not None:
            folding = RecoEnergyFolding(window, Convolver(kernel.data, window.shape, support, spectra))
        else:
            folding = TrueEnergyFolding(window, None if kernel is None else kernel.data, support, spectra)
        return ImageSource(*where, image, folding)

    def _image(self, grid: PixelGrid) -> tuple[SharedImage, Spectra]:
        """The image on a grid, which all datasets share whose pixels are there."""
        energy = self.view.dataset.energy_true.center
        make = partial(_Image, self.shape, grid, energy, None if self.is_free else self.values)
        key = self.component.name, grid.geometry.key, energy.tobytes()
        return self.shared.image(key, make) if self.is_free else (SharedImage(make(), 0), Spectra())

    def _exact_source(self, at: _At, edisp: Array) -> MapSource:
        dataset, apply, spread = self.view.dataset, self.component.apply_irf, None
        is_reco = dataset.psf is not None and dataset.psf.is_reco
        if dataset.psf is not None and apply["psf"]:
            axis = dataset.energy if is_reco else dataset.energy_true
            spread = dataset.psf.spread(axis.center, *at)
            self._take_loss(np.where(spread.radii > 0, 0.0, 1.0), edisp)
        y, x = self._extent(0.0 if spread is None else 2 * (float(spread.radii.max()) + self._pixel_scale()))
        return ExactParts(
            shape=self.shape,
            values=self.values,
            is_free=self.is_free,
            geometry=dataset.geometry,
            window=self.view.window(y, x, edisp, apply["exposure"]),
            energy=dataset.energy_true.center,
            spread=spread,
            is_reco=is_reco and spread is not None,
            reach=self._reach(),
        ).source(self.columns, self.shape_columns)

    def _pixel_scale(self) -> float:
        return float(max(self.view.dataset.geometry.pixel_scales()))

    def _take_loss(self, fraction: Array, edisp: Array) -> None:
        """Keep what the kernels lose of the counts, where it is worth telling."""
        dataset = self.view.dataset
        if fraction.max(initial=0.0) > DISPLACED:
            energy = dataset.energy_true.center
            sent = exposed_shape(dataset.geometry, dataset.exposure, self.shape, self.values, energy)
            bins = np.asarray(self.view.bins.mask.any(axis=(1, 2)), dtype=np.float64)
            is_reco = dataset.psf is not None and dataset.psf.is_reco
            self.loss = KernelLoss.of(sent, edisp, bins, fraction, is_reco=is_reco)

    def _edisp(self, at: _At) -> Array | None:
        dataset = self.view.dataset
        return None if dataset.edisp is None else dataset.edisp.kernel(dataset.energy, *at, self.conventions)

    def _kernel(self, at: _At) -> PsfKernel | None:
        dataset = self.view.dataset
        if dataset.psf is not None and self._made is None:
            axis = dataset.energy if dataset.psf.is_reco else dataset.energy_true
            self._made = dataset.psf.kernel(dataset.geometry, axis, *at, self.conventions, self.shared.kernels)
        return self._made

    def _reach(self) -> float | None:
        """How far [deg] the shape may extend from its position, None: everywhere. Gammapy cuts the tails of a shape."""
        radius = None if self.shape is None else self.shape.evaluation_radius(self.values)
        if radius is None:
            return None
        return (radius * _GROWTH if self.is_free or self.conventions == "exact" else radius) + MARGIN

    def _extent(self, psf_width: float) -> tuple[slice, slice]:
        """Rows and columns of the map that the component can reach with a PSF of full width ``psf_width`` [deg]."""
        geometry = self.view.dataset.geometry
        everything = slice(0, geometry.shape[0]), slice(0, geometry.shape[1])
        place = None if self.shape is None else self.shape.position(self.values)
        reach = self._reach()
        if self.shape is None or place is None or reach is None:
            return everything
        cutout = geometry.cutout(*place, 2 * reach + psf_width, self.shape.frame, odd=True)
        return everything if cutout is None else (cutout.y, cutout.x)


def _support(shape: SpatialModel, grid: PixelGrid, values: Array) -> tuple[slice, slice] | None:
    """Rows and columns of a window that hold all of a compact shape, with room to move and grow; None: everything."""
    place, radius = shape.position(values), shape.evaluation_radius(values)
    if place is None or radius is None or not isinstance(shape, RadialModel):
        return None
    around = grid.window(*place, shape.frame, 2 * (radius * _GROWTH + MARGIN), 1)
    if around is None:
        return None
    # A radial shape is nowhere brighter outside than on the border.
    y, x = np.arange(around.y0 - 1, around.y1 + 1), np.arange(around.x0 - 1, around.x1 + 1)
    border = [*((u, v) for u in (x[0], x[-1]) for v in y), *((u, v) for u in x for v in (y[0], y[-1]))]
    density = shape.evaluate(grid.sky(shape.frame, *np.array(border, dtype=np.float64).T), values)
    area = np.radians(grid.scale) ** 2 * grid.shape[0] * grid.shape[1]
    return around.slices if area * float(np.nan_to_num(density).max()) <= _NOTHING else None


class _Reach:
    """Responses are taken where a shape starts; they hold until it moves by its radius (now or then) and 0.1 deg."""

    def __init__(self, shape: SpatialModel, values: Array) -> None:
        self._shape, self._start = shape, values

    def covers(self, values: Array) -> bool:
        here, there = self._shape.position(values), self._shape.position(self._start)
        now, before = self._shape.evaluation_radius(values), self._shape.evaluation_radius(self._start)
        if here is None or there is None or now is None or before is None:
            return True
        if not np.isfinite(here).all():
            return False
        a, b = (
            unit_vectors(np.array([here[0]]), np.array([here[1]])),
            unit_vectors(np.array([there[0]]), np.array([there[1]])),
        )
        moved = float(np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b) / 2, 0, 1))))
        return moved <= min(before, now) + MARGIN and moved + now <= before * _GROWTH + MARGIN


class _Image:
    """The shape of a component on the pixels of a grid; no shape means the full flux in every pixel."""

    def __init__(self, shape: SpatialModel | None, grid: PixelGrid, energy: Array, values: Array | None) -> None:
        self._shape, self._grid, self._values = shape, grid, values
        self._energy = energy if shape is not None and shape.is_energy_dependent else None

    def pixels(self, values: Array) -> Array:
        if self._shape is None:
            return np.ones(self._grid.shape)
        return self._shape.integrate(self._grid, self._at(values), self._energy)

    def pixels_gradient(self, values: Array) -> Array:
        if self._shape is None:
            return np.zeros((0, *self._grid.shape))
        return self._shape.integrate_gradient(self._grid, self._at(values), self._energy)[1]

    def _at(self, values: Array) -> Array:
        return values if self._values is None else self._values
