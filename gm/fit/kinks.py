"""Points and the kinks of their statistic: minima on the other side of lines of pixel centres.

A point is spread bilinearly over four pixels (``conventions: gammapy``), so in its position the statistic is smooth
between the lines through pixel centres only, and each side of a line may hold a minimum of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from gm.arrays import Array
from gm.likelihood import PixelLattice

_NEAR = 0.15  # pixels from a line
_SIGMAS = 3.0  # or standard deviations
_BEYOND = (0.1, 0.25, 0.5)  # pixels on the other side of a line
_CORNER = 0.3  # pixels; across two lines at once only this far
_WIDER = 2.0  # than a step: differences stay clear of a line
_ON = 1e-6  # pixels from a line at which both sides are another one


def across_kinks(lattices: Sequence[PixelLattice], vector: Array, sigma: Array) -> Iterator[Array]:
    """Vectors (n_free,) with a position mirrored at a near line of pixel centres, or a little beyond it.

    sigma : (n_free,) errors of the parameters, which say what is near.
    """
    for lattice in lattices:
        free = [lattice.lon, lattice.lat]
        place, jacobian = lattice.place(vector)
        if not (np.isfinite(place).all() and np.isfinite(jacobian).all()) or np.linalg.det(jacobian) == 0:
            continue
        spread = np.sqrt((jacobian**2) @ sigma[free] ** 2)
        along_x, along_y = (_shifts(float(at), float(error)) for at, error in zip(place, spread, strict=True))
        corner = [(x, y) for x, y in product(along_x, along_y) if max(abs(x), abs(y)) <= _CORNER]
        for shift in [*((x, 0.0) for x in along_x), *((0.0, y) for y in along_y), *corner]:
            probe = vector.copy()
            probe[free] += np.linalg.solve(jacobian, np.array(shift))
            yield probe


def stepped_across(lattices: Sequence[PixelLattice], vector: Array, steps: Array) -> set[int]:
    """The positions that a step in them, (n_free,), takes onto a line of pixel centres or across."""
    found = set[int]()
    for lattice in lattices:
        place, jacobian = lattice.place(vector)
        to_line = np.abs(np.rint(place) - place)
        for k, moves in zip((lattice.lon, lattice.lat), np.abs(jacobian.T), strict=True):
            if (to_line <= _WIDER * moves * steps[k]).any():
                found.add(k)
    return found


def _shifts(at: float, error: float) -> list[float]:
    """Steps [pixel] from a coordinate across the nearest line, when it is near."""
    to_line = float(np.rint(at)) - at
    if abs(to_line) > max(_NEAR, min(_SIGMAS * error, 0.5)):
        return []
    signs = (1.0, -1.0) if abs(to_line) < _ON else (float(np.sign(to_line)),)
    return [*([2 * to_line] if abs(to_line) >= _ON else []), *(to_line + s * d for s in signs for d in _BEYOND)]
