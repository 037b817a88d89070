"""Shapes that a fit has made as small as they may be: larger ones may be lower, beyond sizes where -2 ln L rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gm.arrays import Array
from gm.models import Layout, SkyModel

_NAMES = "sigma", "r_0", "radius"
_GROWTHS = 2.0, 4.0, 8.0, 16.0


def free_sizes(component: SkyModel, layout: Layout) -> list[int]:
    """Positions in the vector of the free sizes of a component's shape."""
    if component.spatial_model is None:
        return []
    first, paths = layout.slots(component.name, "spatial").start, component.spatial_model.paths
    found = (layout.free_position(first + paths.index(name)) for name in _NAMES if name in paths)
    return [k for k in found if k is not None]


def grown(sizes: Sequence[int], vector: Array, lower: Array, upper: Array) -> Iterator[Array]:
    """Vectors (n_free,) with a shape that is at its smallest made larger, of the same flux."""
    for k in sizes:
        if 0 < vector[k] <= lower[k]:
            for size in (growth * vector[k] for growth in _GROWTHS):
                if size < upper[k]:
                    probe = vector.copy()
                    probe[k] = size
                    yield probe
