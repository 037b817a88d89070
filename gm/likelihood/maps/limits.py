"""Limits of free shapes in a fit: what the pixels of the maps that see them can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot

from gm.conventions import Conventions
from gm.datasets import Dataset
from gm.datasets.kinds import is_map
from gm.models import Layout, Models
from gm.models.spatial.base import RadialModel

_LEAST = {Conventions.GAMMAPY: 0.35, Conventions.EXACT: 0.02}  # pixels, the smallest size that a fit gives to a shape


def keep_apart(datasets: Iterable[Dataset], models: Models, layout: Layout, conventions: Conventions) -> None:
    """Limit free shapes to what the pixels of the maps that see them can tell apart, and to the widest of these.

    Gammapy's sums do not see where in its pixel a smaller shape is: its position would not change the statistic.
    """
    maps = [dataset for dataset in datasets if is_map(dataset)]
    for component in models.sources():
        seen = [m.geometry for m in maps if component.applies_to(m.name)]
        shape = component.spatial_model
        if not seen or not isinstance(shape, RadialModel):
            continue
        pixel = float(min(max(geometry.pixel_scales()) for geometry in seen))
        widest = float(max(hypot(*geometry.width()) for geometry in seen))
        first = layout.slots(component.name, "spatial").start
        for name, limits in shape.told_apart(pixel, _LEAST[conventions] * pixel, widest).items():
            layout.tighten(first + shape.paths.index(name), *limits)
