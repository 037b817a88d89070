"""A map dataset as its likelihood sees it: the bins that enter, windows of its pixels, its background."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gm.arrays import Array, MapArray
from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import MapDataset, SkyMap
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.instruments import Effects
from gm.likelihood.maps.bins import MapBackground, MapBins
from gm.likelihood.maps.folding.window import MapWindow
from gm.likelihood.maps.sources.counts import has_free_shape
from gm.likelihood.maps.sources.summed import Sums
from gm.maps.pixel_grid import PixelGrid
from gm.models import BackgroundIRFModel, Layout, Models

_LARGE = 1 << 20  # bytes of exposure in a window: more, if it is most of the map, is not copied


def bins_of(dataset: SkyMap) -> MapBins | None:
    """The bins that enter, and those with counts among them."""
    mask = dataset.mask
    if not mask.any():
        return None
    return MapBins.of(mask, dataset.counts, dataset.measurement().statistic)


@dataclass(frozen=True, eq=False)
class View:
    """A dataset with its position, and its bins with counts."""

    index: int
    dataset: SkyMap
    bins: MapBins
    sums: Sums | None = None
    _grids: dict[tuple[int, int, int, int], PixelGrid] = field(default_factory=dict)
    _turned: list[View] = field(default_factory=list)

    def finest(self) -> View:
        """The bins that sources are predicted in, with how they are summed."""
        return self if self.dataset.finer is None else self._in(self.dataset.finer)

    def turned(self) -> View:
        """The bins that sources are predicted in, half-way around the sky from the ends of a map that closes it."""
        if not self._turned:
            finer = FinerBins.of(self.dataset)
            self._turned.append(self._in(finer.turned(finer.geometry.shape[1] // 2)))
        return self._turned[0]

    def _in(self, finer: FinerBins) -> View:
        dataset = self.dataset
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
        return View(self.index, inside, parts, sums)

    def grid(self, y: slice, x: slice) -> PixelGrid:
        """The pixels of these rows and columns, which components share."""
        return self._grids.setdefault((y.start, y.stop, x.start, x.stop), PixelGrid(self.dataset.geometry.window(y, x)))

    def window(self, y: slice, x: slice, edisp: Array, has_exposure: bool) -> MapWindow:
        """The window of these rows and columns. edisp : (n_energy_true, n_energy)"""
        dataset, bins = self.dataset, self.bins
        n_x = dataset.geometry.shape[1]
        row, column = np.divmod(bins.pixel, n_x)
        inside = (row >= y.start) & (row < y.stop) & (column >= x.start) & (column < x.stop)
        rows = np.flatnonzero(inside)
        exposed = dataset.exposure[:, y, x]
        if exposed.nbytes < _LARGE or 2 * exposed.size < dataset.exposure.size:
            exposed = np.ascontiguousarray(exposed)
        return MapWindow(
            y=y,
            x=x,
            exposed=exposed if has_exposure else np.ones_like(exposed),
            edisp=np.ascontiguousarray(edisp),
            mask=bins.mask[:, y, x].reshape(dataset.energy.n_bins, -1),
            rows=rows,
            energy=bins.energy[rows],
            pixel=(row[rows] - y.start) * (x.stop - x.start) + column[rows] - x.start,
        )


def correction_of(
    view: View, models: Models, plan: FluxPlan, layout: Layout, effects: Effects
) -> tuple[MapArray | None, BackgroundIRFModel | None, slice | None]:
    """Background counts (n_energy, n_y, n_x) of the dataset, what corrects them, and the columns of its factors.

    No counts with On/Off data, where they are profiled, nor with a free shape, which makes them a source.
    """
    dataset = view.dataset
    model = models.backgrounds().get(dataset.name)
    stored = dataset.known_background
    corrected_by = effects.corrected_by(model)
    if stored is None or corrected_by is None:
        return stored, None, None
    if model is not None and has_free_shape(model, layout):
        return None, None, None
    block = plan.block("point", (corrected_by,), dataset.energy.center, factors=effects.background)
    return stored, model, block.columns


def background_of(
    view: View, stored: MapArray | None, model: BackgroundIRFModel | None, columns: slice | None
) -> MapBackground:
    """The background of a dataset from what `correction_of` gives. stored : (n_energy, n_y, n_x)"""
    bins = view.bins
    counts = np.zeros(bins.mask.shape, dtype=np.float32) if stored is None else stored
    if model is not None and model.spatial_model is not None:
        counts = counts * model.spatial_factor(view.dataset.geometry)
    totals = np.where(bins.mask, counts, 0.0).sum(axis=(1, 2), dtype=np.float64)
    rows = counts.reshape(len(counts), -1)[bins.energy, bins.pixel].astype(np.float64)
    is_negative = bool(counts.min() < 0)
    return MapBackground(columns, rows, totals, counts, is_negative)
