"""All parameters but some, minimised again and again along a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from gm.arrays import Array, BoolArray
from gm.fit.minimizer import Minimizer, Minimum, Progress
from gm.fit.objective import Objective
from gm.matrices import Hessian


@final
@dataclass(eq=False)
class OtherParameters:
    """Minimises over parameters of a vector (n_free,) within limits (n_free,).

    amplitudes : (n_free,) see `score`; points_are_near : the information at the last minimum of the same parameters
    says whether a start is the minimum already

    Without exact second derivatives, which cost as much as the few steps that a profile takes from its start.
    """

    lower: Array
    upper: Array
    amplitudes: BoolArray
    progress: Progress | None
    points_are_near: bool = False
    _last: dict[bytes, Hessian] = field(default_factory=dict)

    def __call__(self, objective: Objective, start: Array, others: BoolArray) -> Minimum:
        """From an objective over the ``others`` (n_free,), and where they start."""
        among = self.lower[others], self.upper[others], self.amplitudes[others]
        minimizer = Minimizer(objective, *among, self.progress, n_cut_off=objective.n_cut_off)
        found = minimizer.minimize(start, self._last.get(others.tobytes()))
        if self.points_are_near and found.information is not None:
            self._last = {others.tobytes(): found.information}
        return found
