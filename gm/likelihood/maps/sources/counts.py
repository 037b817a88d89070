"""Stored counts times a factor of energy: templates of predicted counts, and backgrounds with a free shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.datasets.map_dataset import SkyMap
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.instruments import Effects
from gm.likelihood.maps.bins import MapBins
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.image import MapSource
from gm.maps.geometry import WcsGeometry
from gm.models import BackgroundIRFModel, Component, Layout, Models

Factor = Callable[[Array], Array]  # values of the shape -> (ny, nx), or (n_shape, ny, nx) for the derivatives


@final
class CountsSource(MapSource):
    """``counts[k, p] = flux[k] stored[k, p] factor[p]``: no response is applied.

    stored, mask : (n_energy, ny, nx); energy, pixel : (n_rows,) of the bins with counts; factor, slopes : factor of the
    position and its derivatives by the shape's values. The "fluxes" are the factors of the reconstructed energy.
    """

    def __init__(
        self,
        columns: slice,
        shape_columns: slice,
        stored: MapArray,
        mask: BoolArray,
        energy: IntArray,
        pixel: IntArray,
        factor: Factor | None = None,
        slopes: Factor | None = None,
    ) -> None:
        super().__init__(columns, shape_columns)
        self._stored, self._mask, self._factor, self._factor_slopes = stored, mask, factor, slopes
        self._energy, self._pixel = energy, pixel
        self._masked = np.where(mask, stored, 0.0).reshape(len(stored), -1)

    def _respond(self, values: Array) -> Response:
        factor = np.ones(self._stored.shape[1:]) if self._factor is None else self._factor(values)
        return replace(self._times(factor), is_negative=bool(factor.min() < 0 or self._stored.min() < 0))

    def _respond_slopes(self, values: Array) -> list[Response]:
        return [] if self._factor_slopes is None else [self._times(slope) for slope in self._factor_slopes(values)]

    def _times(self, factor: Array) -> Response:
        """The response for a factor of the position, (ny, nx)."""
        rows, n_energy = np.arange(self._energy.size), len(self._stored)
        matrix = np.zeros((rows.size, n_energy))
        at_rows = self._stored.reshape(n_energy, -1)[self._energy, self._pixel] * factor.ravel()[self._pixel]
        matrix[rows, self._energy] = at_rows
        return Response(rows, matrix, np.einsum("kp,p->k", self._masked, factor.ravel()))

    def totals(self, flux: Array) -> Array:
        return np.diag(self.response(flux).total)

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        _, n_y, n_x = self._stored.shape
        factor = 1.0 if self._factor is None else self._factor(flux[self.shape_columns])
        return slice(0, n_y), slice(0, n_x), flux[self.columns][:, None, None] * self._stored * factor

    def cut(self, kept: IntArray, first: int, last: int) -> CountsSource:
        mask = np.zeros_like(self._mask)
        mask[first:last] = self._mask[first:last]
        where, rows = (self.columns, self.shape_columns), (self._energy[kept], self._pixel[kept])
        cut = CountsSource(*where, self._stored, mask, *rows, self._factor, self._factor_slopes)
        cut.name = self.name
        return cut


@final
class Anywhere:
    """The reach of a shape that no response was made for, whatever its values (n_shape,)."""

    def covers(self, values: Array) -> bool:
        return True

    def is_current(self, values: Array) -> bool:
        return True


def has_free_shape(component: Component, layout: Layout) -> bool:
    """Whether a fit changes the spatial model of a component."""
    if component.spatial_model is None:
        return False
    slots = layout.slots(component.name, "spatial")
    return any(layout.free_position(k) is not None for k in range(slots.start, slots.stop))


def stored_sources(
    dataset: SkyMap, bins: MapBins, models: Models, plan: FluxPlan, layout: Layout, effects: Effects
) -> list[MapSource]:
    """The templates of predicted counts of a dataset, and its background when the factor of the position is free."""
    found: list[tuple[Component, MapArray, dict[str, Any]]] = [
        (component, component.template(dataset.geometry, dataset.energy), {})
        for component in models.counts_templates(dataset.name)
    ]
    correction, known = models.backgrounds().get(dataset.name), dataset.known_background
    if correction is not None and known is not None and has_free_shape(correction, layout):
        factor = partial(correction.spatial_factor, dataset.geometry)
        slopes = partial(_slopes, correction, dataset.geometry)
        found.append((correction, known, {"factor": factor, "slopes": slopes}))
    sources: list[MapSource] = []
    for component, stored, where in sorted(found, key=lambda row: models.names.index(row[0].name)):
        factors = effects.background if where else ()
        columns = plan.block("point", (component.name,), dataset.energy.center, factors=factors).columns
        shape = slice(0, 0)
        if where and component.spatial_model is not None:
            shape = plan.shape(component.name, len(component.spatial_model.parameters)).columns
        source = CountsSource(columns, shape, stored, bins.mask, bins.energy, bins.pixel, **where)
        source.name, source.reach = component.name, Anywhere()
        sources.append(source)
    return sources


def _slopes(component: BackgroundIRFModel, geometry: WcsGeometry, values: Array) -> Array:
    return component.spatial_factor_gradient(geometry, values)[1]
