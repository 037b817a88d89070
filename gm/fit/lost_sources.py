"""Sources that a fit has lost: of next to nothing no derivative tells where it should be, nor of one wide as the map.

Far from where a source is the data want nothing of it: its flux goes to 0, and then its position and its spectrum to
anywhere; or it grows until it is a background. Such a source is put where the counts exceed most what everything else
predicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from gm.arrays import Array
from gm.datasets import Datasets, MapDatasetOnOff
from gm.datasets.kinds import is_map
from gm.fit.sizes import free_sizes
from gm.io.allocator import give_back_freed_memory
from gm.likelihood import JointLikelihood
from gm.maps.rotation import rotate
from gm.models import Layout, Models, SkyModel

_NOTHING = 2.0  # standard deviations of an amplitude
_PLACE = "lon_0", "lat_0"
_BOXES = 3, 5, 9  # pixels wide, in which counts are added


def found_again(likelihood: JointLikelihood, vector: Array, scale: Array, start: Models) -> Models | None:
    """Where to go on from ``vector`` (n_free,) with components of which next to nothing is left there, as they started.

    scale : (n_free,) about a standard deviation of each parameter. None: there are no such components, or no maps.
    """
    models, layout = likelihood.models, likelihood.layout
    lost = {component.name: k for component, k in _movable(models, layout) if abs(vector[k]) < _NOTHING * scale[k]}
    return _put(likelihood, vector, lost, models.with_values(layout.own(vector)), start) if lost else None


def narrowed(likelihood: JointLikelihood, vector: Array, start: Models) -> Models | None:
    """Where to start again with components that are as wide as the maps, which no limit of the user's kept them from
    and in which they took the place of a background: everything else as it started. None as in `found_again`."""
    models, layout = likelihood.models, likelihood.layout
    widest = {k for k in layout.not_own["upper"] if vector[k] >= layout.upper[k]}
    movable = _movable(models, layout)
    wide = {component.name: k for component, k in movable if not widest.isdisjoint(free_sizes(component, layout))}
    return _put(likelihood, vector, wide, start, start) if wide else None


def _movable(models: Models, layout: Layout) -> Iterator[tuple[SkyModel, int]]:
    """Components with a free position and amplitude, and which element of the vector that is."""
    for component in models.sources():
        position = component.spectral_model.amplitude_position()
        if component.spatial_model is None or position is None:
            continue
        paths, first = component.spatial_model.paths, layout.slots(component.name, "spatial").start
        slots = [first + paths.index(name) for name in _PLACE if name in paths]
        free = [layout.free_position(slot) for slot in slots]
        amplitude = layout.free_position(layout.slots(component.name, "spectral").start + position)
        if amplitude is not None and len(free) == len(_PLACE) and None not in free:
            yield component, amplitude


def _put(
    likelihood: JointLikelihood, vector: Array, lost: Mapping[str, int], models: Models, start: Models
) -> Models | None:
    """The models with the lost components as they started, but at the largest excess of the counts over what all else
    predicts at ``vector`` (n_free,); None: there are no maps.

    lost : which elements of the vector are their amplitudes
    """
    without = vector.copy()
    without[list(lost.values())] = 0.0
    rest = likelihood.each_predicted(np.clip(without, likelihood.layout.lower, likelihood.layout.upper))
    place = _brightest(likelihood.datasets, rest)
    give_back_freed_memory()  # whole maps were predicted, of which no fit needs as much
    if place is None:
        return None
    lon, lat, frame = place
    flat = list(models.parameters)
    for name in lost:
        shape = start[name].spatial_model
        assert shape is not None
        moved = dict(zip(_PLACE, map(float, rotate(lon, lat, frame, shape.frame)), strict=True))
        flat[models.slots()[name, None]] = [
            replace(p, value=min(max(moved[p.name], p.min), p.max)) if p.name in moved else p
            for p in start[name].parameters
        ]
    return models.with_flat(flat)


def _brightest(datasets: Datasets, predicted: Iterable[tuple[int, Array]]) -> tuple[float, float, str] | None:
    """Position [deg] and frame of the largest excess in units of what it fluctuates by."""
    best, place = 0.0, None
    for number, expected in predicted:
        dataset = datasets[number]
        if not is_map(dataset):
            continue
        if isinstance(dataset, MapDatasetOnOff):
            off = np.where(dataset.mask, dataset.acceptance_off, 1.0)
            expected = expected + np.where(dataset.mask, dataset.acceptance / off * dataset.counts_off, 0.0)
        counts = np.where(dataset.mask, dataset.counts, 0.0).sum(axis=0, dtype=np.float64)
        expected = np.where(dataset.mask, expected, 0.0).sum(axis=0)
        for width in _BOXES:
            noise = np.sqrt(np.maximum(_summed(np.maximum(expected, 0.0), width), 1.0))
            excess = _summed(counts - expected, width) / noise
            y, x = np.unravel_index(int(np.argmax(excess)), excess.shape)
            if excess[y, x] > best:
                best, (lon, lat) = float(excess[y, x]), dataset.geometry.sky(x, y)
                place = float(lon), float(lat), dataset.geometry.frame
    return place


def _summed(image: Array, width: int) -> Array:
    """Over the square of so many pixels around each, (n_y, n_x)."""
    for axis in (0, 1):
        image = np.apply_along_axis(np.convolve, axis, image, np.ones(width), "full")
        image = np.take(image, np.arange(width // 2, image.shape[axis] - width // 2), axis=axis)
    return image
