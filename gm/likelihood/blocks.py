"""Blocks of datasets: which are compiled together, wherever that is, so that sums do not depend on where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gm.arrays import IntArray
from gm.datasets import Dataset
from gm.datasets.kinds import is_map
from gm.datasets.map_dataset import SkyMap
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models
from gm.models.spatial.point import PointSpatialModel

SPECTRA = 1000  # and flux points, one after the other: their bins are summed together
MAPS = 64  # one after the other: those that see the same free images may fold them together

_GRID = ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2")  # equal for all parts of a grid, and for coarser ones


def blocks(datasets: Iterable[Dataset], models: Models, layout: Layout, treatment: Treatment) -> list[IntArray]:
    """The smallest parts that can be compiled apart without a change of any bit, by their first.

    Each as positions of its datasets, (n,). Maps stay together where they may see the same free image of a component on
    the same pixels.
    """
    maps, others = list[tuple[int, SkyMap]](), list[int]()
    for index, dataset in enumerate(datasets):
        if is_map(dataset):
            maps.append((index, dataset))
        else:
            others.append(index)
    found = [others[start : start + SPECTRA] for start in range(0, len(others), SPECTRA)]
    for start in range(0, len(maps), MAPS):
        found += _tied(maps[start : start + MAPS], models, layout, treatment)
    return [np.array(block, dtype=np.intp) for block in sorted(found)]


def _tied(
    maps: Iterable[tuple[int, SkyMap]], models: Models, layout: Layout, treatment: Treatment
) -> Iterator[list[int]]:
    """Maps by the images that they may share."""
    groups: list[tuple[list[int], set[Any]]] = []
    for index, dataset in maps:
        positions, keys = [index], set(_images(dataset, models, layout, treatment))
        for group in [group for group in groups if group[1] & keys]:
            groups.remove(group)
            positions, keys = group[0] + positions, keys | group[1]
        groups.append((sorted(positions), keys))
    return (positions for positions, _ in groups)


def _images(dataset: SkyMap, models: Models, layout: Layout, treatment: Treatment) -> Iterator[Any]:
    """What is equal for all maps that may share the image of a free component, for each of these."""
    if treatment.frozen_shapes:
        return
    cards = dataset.geometry.cards
    grid = tuple(cards.get(name) for name in _GRID), dataset.energy_true.edges.tobytes()
    for component in models.sources(dataset.name):
        shape = component.spatial_model
        if shape is None or isinstance(shape, PointSpatialModel):
            continue
        slots = layout.slots(component.name, "spatial")
        if any(layout.free_position(k) is not None for k in range(slots.start, slots.stop)):
            yield component.name, grid
