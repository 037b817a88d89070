"""Another start for fits in which a spectrum went where nothing changes it: a cut-off beyond all data, to 1e64 TeV.

Far from the minimum all parameters step at a time, and where one of them has next to no effect yet its step may be
anything. So it is held at its start until all else is fitted; then such parameters are freed one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gm.arrays import BoolArray
from gm.fit.objective import spectral_shapes
from gm.fit.run import FitRun
from gm.models import Models

_FAR = 10.0  # times the start, or where that is 0
_PART = 0.1  # weight in a direction in which nothing changes


def went_nowhere(run: FitRun) -> BoolArray:
    """Which parameters (n_active,) of spectra have no effect where they are, or went far, to where their error, if
    there is one, is larger than they are."""
    active, size = run.objective.active, np.abs(run.minimum.vector)
    start = np.abs(run.layout.start[active])
    far = size > _FAR * np.where(start > 0, start, 1.0)
    in_directions = np.zeros(size.size, dtype=bool)
    for direction in run.errors.degenerate:
        in_directions |= np.abs(direction.of(run.names)) >= _PART
    covariance = run.errors.whole_covariance()
    error = np.zeros(size.size) if covariance is None else np.sqrt(covariance.diagonal())
    is_lost = in_directions | (far & ~(run.errors.kept & (error > 0) & (error < size)))
    return np.asarray(is_lost & spectral_shapes(run.likelihood.models, run.layout)[active])


def one_by_one(begin: Callable[[Models], FitRun], models: Models, lost: BoolArray) -> Models:
    """``models`` with all else fitted, the amplitudes first, then also with one after the other of what was ``lost``,
    (n_active,). ``begin`` : a fit of models"""
    run = begin(models)
    stages = [] if (first := run.amplitudes).all() else [first]
    stages += [~lost] + [~lost | (np.arange(lost.size) <= k) for k in np.flatnonzero(lost)[:-1]]
    for stage in stages:
        if stage.any():
            part = run.part(stage)
            part.minimize()
            run = begin(part.models_at(part.minimum.vector))
    return run.likelihood.models
