"""Parameters that have no effect where a fit ends: the tilt of a background whose norm is at a limit of 0, the shape of
a source whose amplitude is.

The data say nothing of them, and all that others are is the same whatever they are: no reason to call a fit a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.objective import Restricted
from gm.matrices import as_hessian
from gm.models import Layout, Models, Role

_FEW = 3  # names that are told


def of_backgrounds(models: Models, layout: Layout) -> BoolArray:
    """(n_free,) the free parameters of what corrects the background of one dataset."""
    found = np.zeros(layout.n_free, dtype=bool)
    slots = (layout.slots(component.name) for component in models if component.role is Role.BACKGROUND)
    positions = (layout.free_position(k) for its in slots for k in range(its.start, its.stop))
    found[[position for position in positions if position is not None]] = True
    return found


def of_sources(models: Models, layout: Layout, held: BoolArray) -> BoolArray:
    """(n_free,) the other free parameters of sources whose amplitudes are ``held`` (n_free,) at 0."""
    found = np.zeros(layout.n_free, dtype=bool)
    for component in models:
        position = component.spectral_model.amplitude_position() if component.role is Role.SOURCE else None
        if position is None:
            continue
        own, first = layout.slots(component.name), layout.slots(component.name, "spectral").start
        amplitude = layout.free_position(first + position)
        if amplitude is not None and held[amplitude]:
            free = {layout.free_position(k) for k in range(own.start, own.stop)} - {amplitude}
            found[[k for k in free if k is not None]] = True
    return found


def without_effect(objective: Restricted, vector: Array, start: Array, among: BoolArray) -> BoolArray:
    """Which parameters of those ``among`` (n_free,) could as well be where they are in ``start``, all of them at once,
    to the last bit of the value, and have neither slope nor curvature at ``vector``."""
    found: BoolArray = among & (objective.gradient(vector) == 0)
    if not found.any():
        return found
    found &= as_hessian(objective.information(vector)).diagonal() == 0
    value = objective.value(vector)
    if found.any() and objective.value(np.where(found, start, vector)) != value:
        there = vector.copy()
        for k in np.flatnonzero(found):  # one after the other: a norm and its tilt may each have no effect, but both
            there[k] = start[k]
            if objective.value(there) != value:
                there[k], found[k] = vector[k], False
    return found


def reasons(found: BoolArray, names: Sequence[str]) -> dict[int, str]:
    """Why such parameters (n_free,) have no error, by position."""
    idle = np.flatnonzero(found).tolist()
    return {k: f"it has no effect where {names[k].rpartition('.')[0]} predicts nothing" for k in idle}


def left_there(found: BoolArray, names: Sequence[str]) -> list[str]:
    """A sentence, if there are any, about which parameters, those ``found`` (n_free,), are where they started."""
    idle = [names[k] for k in np.flatnonzero(found).tolist()]
    some = ", ".join(idle[:_FEW]) + (f" and {len(idle) - _FEW} more" if len(idle) > _FEW else "")
    why = "no effect where the fit ends, since what they belong to predicts nothing there"
    return [f"{some}: {why}; left at the start"] if idle else []
