"""How much memory a fit takes: the arrays as they are stored, and what the likelihood keeps of each source on each map.

An estimate from above, from sizes alone: nothing is folded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gm.datasets import Dataset
from gm.datasets.finer_bins import FinerBins
from gm.datasets.kinds import has_counts, is_map
from gm.datasets.map_dataset import SkyMap
from gm.irf.psf_kernel import CONTAINMENT
from gm.maps.axes import EnergyAxis
from gm.models import Layout, Models, SkyModel

BASE = 100e6  # the interpreter with NumPy, SciPy and astropy.wcs
_HELD = 1.2  # what the process holds for each byte in use
_MARGIN, _GROWTH = 0.1, 1.5  # of windows, as the likelihood places them
_KEPT = 3  # shapes of which responses are kept
_FREQUENCIES = 0.5  # at which images have light, of all that their transforms have


def fit_memory(datasets: Iterable[Dataset], models: Models) -> float:
    """Estimated peak of the memory of a fit [bytes]."""
    layout, seen = Layout(models), set[int]()
    total, passing = 0.0, [0.0]
    for dataset in datasets:
        total += sum(_stored(dataset, seen))
        if is_map(dataset):
            kept, needed = _map(dataset, models, layout)
            total += kept
            passing += needed
        elif has_counts(dataset):
            total += 8.0 * dataset.energy.n_bins * (dataset.energy_true.n_bins + 20)  # folded with the exposure
    return BASE + _HELD * (total + sum(sorted(passing)[-(os.cpu_count() or 1) :]))


def _stored(value: Any, seen: set[int]) -> Iterator[float]:
    """Bytes of all arrays in a dataset, each counted once however many datasets share it."""
    if isinstance(value, np.ndarray):
        if id(value) not in seen:
            seen.add(id(value))
            yield float(value.nbytes)
    else:
        for name in _field_names(value.__class__):
            yield from _stored(getattr(value, name), seen)


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _map(dataset: SkyMap, models: Models, layout: Layout) -> tuple[float, list[float]]:
    """What the likelihood of a map keeps, and what it needs in passing for each source [bytes]."""
    bins = FinerBins.of(dataset)
    n_energy, n_true = bins.energy.n_bins, dataset.energy_true.n_bins
    n_rows = float(np.count_nonzero(dataset.counts))
    kept, passing = float(dataset.counts.size) + 100 * n_rows, list[float]()  # the mask, and the bins with counts
    n_rows *= max(1.0, bins.mask.size / dataset.counts.size)  # with the finer bins that each is a sum of
    for component in models.sources(dataset.name):
        slots = layout.slots(component.name, "spatial") if component.spatial_model is not None else slice(0, 0)
        free = sum(layout.free_position(k) is not None for k in range(slots.start, slots.stop))
        rows, columns, kernel = _window(bins, dataset.energy_true, component, layout, free > 0)
        n_pixels = float(rows * columns)
        response = 8 * n_true * n_rows * n_pixels / bins.mask[0].size
        window = n_pixels * (n_true * bins.exposure.itemsize + n_energy)
        if free:
            folded = n_true * (_FREQUENCIES * 8 * n_pixels + 4.0 * kernel**2)
            kept += window + folded + (_KEPT + 2 * free + 2) * response
            passing.append(16 * n_true * n_pixels)
        else:
            kept += response
            passing.append(window + 8.0 * n_true * (2 * n_pixels + (rows + kernel) * (columns + kernel)))
    return kept, passing


def _window(
    bins: FinerBins, energy_true: EnergyAxis, component: SkyModel, layout: Layout, is_free: bool
) -> tuple[int, int, int]:
    """Rows and columns of the map that a component reaches, and the width of its PSF kernel [pixels]."""
    shape, scale = component.spatial_model, max(bins.geometry.pixel_scales())
    values = layout.expand(layout.start)[layout.slots(component.name, "spatial")] if shape is not None else None
    place = shape.position(values) if shape is not None and values is not None else None
    radius = shape.evaluation_radius(values) if shape is not None and values is not None else None
    kernel = 0
    if bins.psf is not None and component.apply_irf["psf"]:
        at = (*place, shape.frame) if place is not None and shape is not None else (None, None, None)
        axis = bins.energy if bins.psf.is_reco else energy_true
        kernel = 2 * int(np.ceil(bins.psf.containment_radius(CONTAINMENT, axis.center, *at).max() / scale)) + 1
    n_rows, n_columns = bins.geometry.shape
    if place is None or radius is None:
        return n_rows, n_columns, kernel
    width = int(2 * (radius * (_GROWTH if is_free else 1.0) + _MARGIN) / scale) + kernel + 1
    return min(width, n_rows), min(width, n_columns), kernel
