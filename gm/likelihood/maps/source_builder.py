"""One sky component on one map dataset: where it is, its responses there, and the source made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, final

import numpy as np

from gm.arrays import Array
from gm.datasets import overlap_matrix
from gm.irf.point_spread import PointSpread
from gm.irf.psf import PsfMap
from gm.irf.psf_kernel import PsfKernel
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.instruments import Effects
from gm.likelihood.maps.folding.convolution import Convolver
from gm.likelihood.maps.folding.folding import Folding, RecoEnergyFolding, TrueEnergyFolding
from gm.likelihood.maps.folding.shared_kernels import SharedKernels
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.exact import ROOM, ExactParts
from gm.likelihood.maps.sources.fixed import CountsSource, FixedSource
from gm.likelihood.maps.sources.image import ImageSource, MapSource
from gm.likelihood.maps.sources.losses import DISPLACED, KernelLoss, exposed_shape
from gm.likelihood.maps.sources.point import PointSource, Shared
from gm.likelihood.maps.sources.shape_image import GROWTH, MARGIN, ShapeImage, ShapeReach, SmoothImage, sub_pixels
from gm.likelihood.maps.sources.shared_image import Image, SharedImage
from gm.likelihood.maps.sources.summed import FinerSource
from gm.likelihood.maps.view import View
from gm.likelihood.times import times_of
from gm.likelihood.treatment import Treatment
from gm.maps.pixel_grid import PixelGrid
from gm.models import Layout, SkyModel
from gm.models.spatial.base import RadialModel
from gm.models.spatial.point import PointSpatialModel

_SMALL = 1 << 17  # numbers of an image that are kept for predictions of whole maps
_At = tuple[float | None, float | None, str | None]


@final
@dataclass(frozen=True, eq=False)
class Asked:
    """How a dataset is compiled: the flux vector's columns, positions of parameters, and what acts on the dataset."""

    plan: FluxPlan
    layout: Layout
    treatment: Treatment
    effects: Effects


class SourceBuilder:
    """One sky component on one map dataset: where it is, its responses there, and its source."""

    def __init__(
        self,
        view: View,
        component: SkyModel,
        asked: Asked,
        shared: Shared,
    ) -> None:
        plan, layout, treatment = asked.plan, asked.layout, asked.treatment
        self.view, self.component, self.shared, self.conventions = view, component, shared, treatment.conventions
        self.shape = component.spatial_model
        self.loss: KernelLoss | None = None
        self.values = self._start(layout)
        moves = np.array([layout.free_position(k) is not None for k in self._slots(layout)], dtype=bool)
        self.may_move = bool(moves.any())
        self.is_free, self.moves = self.may_move and not treatment.frozen_shapes, moves & (not treatment.frozen_shapes)
        self.counts_alone = treatment.counts_alone
        self.is_smooth = treatment.for_fit and self.is_free and not self.conventions.is_exact
        self.is_smooth &= isinstance(self.shape, RadialModel)
        times = times_of(component, view.dataset)
        factors = asked.effects.exposure if component.apply_irf["exposure"] else ()
        edges = view.dataset.energy_true.edges
        self.columns = plan.block("integral", (component.name,), edges, times, factors).columns
        self.shape_columns = slice(0, 0)
        if self.is_free:
            self.shape_columns = plan.shape(component.name, self.values.size).columns

    @classmethod
    def of(
        cls,
        view: View,
        finest: View,
        component: SkyModel,
        asked: Asked,
        shared: Shared,
    ) -> SourceBuilder:
        """On the bins as they are, or turned where the ends of a map all around the sky would cut the component."""
        builder = cls(finest, component, asked, shared)
        if not (finest.dataset.geometry.is_closed and builder._is_cut):
            return builder
        return cls(view.turned(), component, asked, shared)

    @property
    def _is_cut(self) -> bool:
        """Whether it is at both ends of the map."""
        place = None if self.shape is None else self.shape.position(self.values)
        return place is not None and self.extent[1] == slice(0, self.view.dataset.geometry.shape[1])

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
        return not (self.is_free or self.counts_alone or isinstance(self.shape, PointSpatialModel))

    def is_like(self, other: SourceBuilder) -> bool:
        """Whether both, of models that differ in values alone, build sources of the same fixed shape."""
        return not (self.may_move or other.may_move) and self.values.tobytes() == other.values.tobytes()

    def take(self, other: SourceBuilder) -> None:
        """What another one like it has found of the responses."""
        found = "_kernel", "_point_spread", "extent"
        self.__dict__.update({name: other.__dict__[name] for name in found if name in other.__dict__})

    def build(self) -> MapSource:
        """The source; one with a fixed shape keeps no more than its response."""
        if self.counts_alone:
            counted = CountsSource(self.columns, partial(SourceBuilder._again, self))
            counted.name = self.component.name
            return counted
        source = self._summed_source()
        source.name = self.component.name
        if self.is_free and self.shape is not None:
            source.moves = self.moves
            reach = ShapeReach(self.shape, self.values, self._pixel)
            source.reach = self.shared.reaches.setdefault((self.component.name, self._pixel), reach)
            source.loss, source.has_integrals = self.loss, self.is_smooth and self._pixel is None
            return source
        return self.fixed(*source.in_full(np.zeros(self.columns.stop)))

    def fixed(self, response: Response, totals: Array) -> FixedSource:
        """The source of a fixed shape, from its response and counts in all bins, (n_energy, n_energy_true)."""
        fixed = FixedSource(self.columns, response, totals, partial(SourceBuilder._again, self))
        fixed.name, fixed.loss = self.component.name, self.loss
        return fixed

    def built_before(self, other: SourceBuilder, source: FixedSource) -> FixedSource:
        """The source that another one like it has built, in the rows of this one's bins."""
        self.loss, response = source.loss, source.response(np.empty(0))
        if self.view.sums is None:
            rows = np.searchsorted(self.view.bins.positions(), other.view.bins.positions())
            response = replace(response, rows=rows[response.rows])
        return self.fixed(response, source.totals(np.empty(0)))

    def _again(self, around: tuple[int, int, int, int] | None) -> MapSource | None:
        """The source, or what it predicts in the rows and columns from first to last + 1, where that takes less."""
        if around is None or self.view.sums is not None or self._is_exact:
            return self._summed_source()
        beyond = self._kernel.shape[0] // 2 if self._is_spread else 0
        starts, stops = (around[0], around[2]), (around[1], around[3])
        y, x = (
            slice(max(own.start, start - beyond), min(own.stop, stop + beyond))
            for own, start, stop in zip(self.extent, starts, stops, strict=True)
        )
        return self._source((y, x)) if y.start < y.stop and x.start < x.stop else None

    def _summed_source(self) -> MapSource:
        source, sums = self._source(self.extent), self.view.sums
        if sums is None:
            return source
        source.moves = self.moves
        return FinerSource(source, sums)

    @cached_property
    def _at(self) -> _At:
        """The position, and its frame."""
        place = None if self.shape is None else self.shape.position(self.values)
        return (*place, self.shape.frame) if place is not None and self.shape is not None else (None, None, None)

    @property
    def _is_spread(self) -> bool:
        return self.view.dataset.psf is not None and self.component.apply_irf["psf"]

    @property
    def _is_exact(self) -> bool:
        """Whether it is folded as the responses say."""
        return self.conventions.is_exact and (self._is_spread or not isinstance(self.shape, PointSpatialModel))

    @cached_property
    def extent(self) -> tuple[slice, slice]:
        """Rows and columns of the map that the component can reach."""
        scale = float(max(self.view.dataset.geometry.pixel_scales()))
        if not self._is_spread:  # exactly: with the pixels between which the exposure is interpolated
            return self._extent(4 * scale if self._is_exact else 0.0)
        if self._is_exact:
            splines = (ROOM + 1) * scale if isinstance(self.shape, RadialModel) else 0.0
            return self._extent(2 * max(float(self._point_spread.radii.max()) + scale, splines))
        return self._extent(self._kernel.shape[0] * scale)

    def _source(self, extent: tuple[slice, slice]) -> MapSource:
        """On some rows and columns of the map."""
        dataset, apply = self.view.dataset, self.component.apply_irf
        edisp = self._edisp(self._at) if apply["edisp"] else None
        if edisp is None:
            edisp = overlap_matrix(dataset.energy_true, dataset.energy)
        if self._is_exact:
            return self._exact_source(extent, edisp)
        kernel = self._kernel if self._is_spread else None
        if kernel is not None:
            self._take_loss(kernel.fraction_lost, edisp)
        y, x = extent
        window = self.view.window(y, x, edisp, apply["exposure"])
        is_reco = dataset.psf is not None and dataset.psf.is_reco and kernel is not None
        where = self.columns, self.shape_columns
        if isinstance(self.shape, PointSpatialModel):
            point = self.shared.point(self.component.name, self.shape, dataset.geometry, self.values, self.is_free)
            kernels = np.ones((dataset.energy_true.n_bins, 1, 1)) if kernel is None else kernel.data.astype(np.float64)
            return PointSource(*where, point, window, kernels, reco_psf=is_reco)
        grid = self.view.grid(y, x)
        support = (
            None if self.shape is None else self.shared.support(self.component.name, self.shape, grid, self.values)
        )
        image, shared = self._image(grid if support is None else PixelGrid(grid.geometry.window(*support)))
        folding: Folding
        if is_reco and kernel is not None:
            folding = RecoEnergyFolding(window, Convolver(kernel.data, window.shape, support))
        else:
            folding = TrueEnergyFolding(window, None if kernel is None else kernel.data, support, shared)
        return ImageSource(*where, image, folding)

    @cached_property
    def _pixel(self) -> float | None:
        """The pixel [deg] that is cut into as many parts in the whole fit; None where that is no question."""
        if not self.is_smooth or not isinstance(self.shape, RadialModel) or self.shape.resolution(self.values) is None:
            return None
        return float(max(self.view.dataset.geometry.pixel_scales()))

    def _image(self, grid: PixelGrid) -> tuple[SharedImage, SharedKernels]:
        """The image on a grid, which all datasets share whose pixels are there."""
        energy = self.view.dataset.energy_true.center
        make: Callable[[], Image] = partial(ShapeImage, self.shape, grid, energy, None if self.is_free else self.values)
        if self.is_smooth and isinstance(self.shape, RadialModel):
            if self._pixel is None:
                make = partial(SmoothImage, self.shape, grid, self.values, self.moves)
            else:
                cut = PixelGrid(grid.geometry, factor=sub_pixels(self.shape, self._pixel, self.values))
                make = partial(ShapeImage, self.shape, cut, energy, None)
        changes = self.shape is not None and self.shape.is_energy_dependent
        n_numbers = int(np.prod(grid.shape)) * (energy.size if changes else 1)
        return self._shared((grid.geometry.key, energy.tobytes()), make, int(n_numbers <= _SMALL))

    def _shared(self, key: tuple[Any, ...], make: Callable[[], Image], n: int) -> tuple[SharedImage, SharedKernels]:
        """An image that many datasets may see; that of a shape which nobody moves keeps its pixels where ``n`` is 1."""
        if not self.may_move:
            return SharedImage(make(), n), SharedKernels()
        image, kernels = self.shared.image((self.component.name, *key), make)
        return image, kernels if self.is_free else SharedKernels()

    def _exact_source(self, extent: tuple[slice, slice], edisp: Array) -> MapSource:
        dataset, apply, spread = self.view.dataset, self.component.apply_irf, None
        is_reco = dataset.psf is not None and dataset.psf.is_reco
        if self._is_spread:
            spread = self._point_spread
            self._take_loss(np.where(spread.radii > 0, 0.0, 1.0), edisp)
        y, x = extent
        return ExactParts(
            shape=self.shape,
            values=self.values,
            moves=self.moves,
            n_maps=self.shared.n_maps,
            geometry=dataset.geometry,
            window=self.view.window(y, x, edisp, apply["exposure"]),
            energy=dataset.energy_true.center,
            spread=spread,
            is_reco=is_reco and spread is not None,
            reach=self._reach(),
            share=lambda key, make: self._shared(key, make, 0)[0],
        ).source(self.columns, self.shape_columns)

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

    @cached_property
    def _kernel(self) -> PsfKernel:
        psf, dataset = self._psf, self.view.dataset
        axis = dataset.energy if psf.is_reco else dataset.energy_true
        return psf.kernel(dataset.geometry, axis, *self._at, self.conventions, self.shared.kernels)

    @cached_property
    def _point_spread(self) -> PointSpread:
        psf, dataset = self._psf, self.view.dataset
        return psf.spread((dataset.energy if psf.is_reco else dataset.energy_true).center, *self._at)

    @property
    def _psf(self) -> PsfMap:
        psf = self.view.dataset.psf
        assert psf is not None
        return psf

    def _reach(self) -> float | None:
        """How far [deg] the shape may extend from its position, None: everywhere. Gammapy cuts the tails of a shape."""
        radius = None if self.shape is None else self.shape.evaluation_radius(self.values)
        if radius is None:
            return None
        return (radius * GROWTH if self.may_move or self.conventions.is_exact else radius) + MARGIN

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
