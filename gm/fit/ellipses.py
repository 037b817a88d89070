"""Elongated shapes that a fit has made round: there no derivative tells which way to turn and stretch them.

With the elongation e and the orientation phi, -2 ln L rises by ``e^2 (a + b cos 2 (phi - phi_0))``: a shape turned the
wrong way becomes round, where both slopes vanish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from gm.arrays import Array, BoolArray
from gm.models import Layout, Models

_ROUND = 0.1  # elongation below which it is tried
_ELONGATIONS = 0.2, 0.5
TURN = 180.0  # deg, after which a shape is the same
_TURNS = 0.0, 45.0, 90.0, 135.0  # deg


def free_ellipses(models: Models, layout: Layout) -> list[tuple[int, int]]:
    """Positions in the vector of the elongation and orientation of shapes in which both are free."""
    found = []
    for component in models.sources():
        if component.spatial_model is None:
            continue
        first, paths = layout.slots(component.name, "spatial").start, component.spatial_model.paths
        if "e" in paths and "phi" in paths:
            e, phi = (layout.free_position(first + paths.index(name)) for name in ("e", "phi"))
            if e is not None and phi is not None:
                found.append((e, phi))
    return found


def orientations(models: Models, layout: Layout, active: BoolArray) -> BoolArray:
    """Which of the parameters that are ``active`` (n_free,) turn an elongated shape, (n_active,)."""
    found = np.zeros(active.size, dtype=bool)
    found[[phi for _, phi in free_ellipses(models, layout)]] = True
    return np.asarray(found[active])


def turned(ellipses: Sequence[tuple[int, int]], vector: Array) -> Iterator[Array]:
    """Vectors (n_free,) with a shape that is nearly round turned and elongated."""
    for e, phi in ellipses:
        if abs(vector[e]) < _ROUND:
            for elongation, turn in product(_ELONGATIONS, _TURNS):
                probe = vector.copy()
                probe[e], probe[phi] = elongation, vector[phi] % TURN + turn
                yield probe


def upright(ellipses: Sequence[tuple[int, int]], vector: Array, lower: Array, upper: Array) -> Array:
    """The vector with orientations of less than a whole turn, where their limits allow that: the same shapes."""
    whole = vector.copy()
    for _, phi in ellipses:
        turned = vector[phi] % TURN
        if not 0.0 <= vector[phi] < 360.0 and lower[phi] <= turned <= upper[phi]:
            whole[phi] = turned
    return whole
