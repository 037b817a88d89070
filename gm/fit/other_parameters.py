"""All parameters but some, minimised again and again along a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.ellipses import TURN
from gm.fit.minimizer import Minimizer, Minimum, Progress
from gm.fit.objective import Objective
from gm.matrices import Hessian


@final
@dataclass(eq=False)
class OtherParameters:
    """Minimises over parameters of a vector (n_free,) within limits (n_free,).

    amplitudes : (n_free,) see `score`; orientations : (n_free,) those that go a turn at most, to each side: of a shape
    that is round they have no effect, and rounding leads them anywhere; points_are_near : the information at the last
    minimum of the same parameters says whether a start is the minimum already

    Without exact second derivatives, which cost as much as the few steps that a profile takes from its start.
    """

    lower: Array
    upper: Array
    amplitudes: BoolArray
    orientations: BoolArray
    progress: Progress | None
    points_are_near: bool = False
    _last: dict[bytes, Hessian] = field(default_factory=dict)

    def __call__(self, objective: Objective, start: Array, others: BoolArray) -> Minimum:
        """From an objective over the ``others`` (n_free,), and where they start."""
        room = np.where(self.orientations[others], TURN, np.inf)
        lower, upper = np.maximum(self.lower[others], start - room), np.minimum(self.upper[others], start + room)
        minimizer = Minimizer(
            objective, lower, upper, self.amplitudes[others], self.progress, n_cut_off=objective.n_cut_off
        )
        found = minimizer.minimize(start, self._last.get(others.tobytes()))
        if self.points_are_near and found.information is not None:
            self._last = {others.tobytes(): found.information}
        return found
