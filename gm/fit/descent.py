"""The way to a minimum: the minimiser, and where derivatives do not lead.

Those are the other side of a line of pixel centres, an ellipse turned, a shape grown, and out of kinks of bins that
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gm.arrays import Array
from gm.fit.ellipses import free_ellipses, turned, upright
from gm.fit.kinks import across_kinks
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.no_minimum import NOTHING_LEFT, WITHOUT_COUNTS, is_without_counts
from gm.fit.objective import Restricted, amplitudes
from gm.fit.simplex import Simplex
from gm.fit.sizes import free_sizes, grown
from gm.likelihood import JointLikelihood

_GAIN = 1e-3  # of -2 ln L, worth another minimisation
_SIMPLEXES = 4  # that look for a way out of kinks


class Descent:
    """One search in progress, over the ``objective``'s part of the parameters of a likelihood.

    minimizer : that found the lowest point; build : a new one
    """

    def __init__(
        self,
        likelihood: JointLikelihood,
        objective: Restricted,
        minimizer: Minimizer,
        build: Callable[[], Minimizer],
    ) -> None:
        active, layout = objective.active, likelihood.layout
        self._likelihood, self._objective, self._build = likelihood, objective, build
        self._lower, self._upper = layout.lower[active], layout.upper[active]
        self._ellipses = [pair for pair in free_ellipses(likelihood.models, layout) if active[list(pair)].all()]
        sizes = {k for component in likelihood.models.sources() for k in free_sizes(component, layout)}
        self._sizes = [k for k in sorted(sizes) if active[k]]
        self.minimizer, self._positions = minimizer, list[int]()

    def minimum(self, start: Array) -> Minimum:
        """The lowest point from ``start`` (n_active,) on."""
        found = self.minimizer.minimize(start)
        while (beyond := self._beyond(found)) is not None:
            other = self._build()
            another = other.minimize(beyond)
            if not another.value < found.value - _GAIN:
                break
            self.minimizer, found = other, another
        if found.valid:
            found = self._upright(found)
        self._positions = self._in_kinks() if found.kinks else []
        return self._counted(self._out_of_kinks(found), start)

    def _counted(self, found: Minimum, start: Array) -> Minimum:
        """No minimum where there are no counts, and an amplitude without a limit of 0 has gone to where that leads."""
        if (found.vector > NOTHING_LEFT * np.abs(start)).all():
            return found
        likelihood = self._likelihood
        may_be_negative = amplitudes(likelihood.models, likelihood.layout)[self._objective.active] & (self._lower < 0)
        point = found.vector, found.value, start, may_be_negative
        if not is_without_counts(likelihood.datasets, self._objective, *point):
            return found
        return replace(found, valid=False, is_lost=True, endless=None, message=WITHOUT_COUNTS)

    def told(self, found: Minimum, names: Sequence[str]) -> list[str]:
        """Which parameters, by their ``names``, lie in kinks of the statistic at what was ``found``."""
        return [
            f"{names[k]} lies in a kink of the statistic{' (a pixel centre)' if k in self._positions else ''}: "
            "its error is where that rises by 1"
            for k in found.kinks
        ]

    def _beyond(self, found: Minimum) -> Array | None:
        """A better point where derivatives do not lead: a position beyond a line of pixel centres that is near, an
        ellipse turned that has become round, or a shape grown that has become small; None when there is none."""
        active, vector = self._objective.active, self._objective.full(found.vector)
        layout = self._likelihood.layout
        lattices = [lattice for lattice in self._likelihood.lattices() if active[lattice.lon] and active[lattice.lat]]
        if not (lattices or self._ellipses or self._sizes):
            return None
        sigma = np.zeros(active.size)
        sigma[active] = self.minimizer.scale
        beyond = (
            *across_kinks(lattices, vector, sigma),
            *turned(self._ellipses, vector),
            *grown(self._sizes if found.valid else (), vector, layout.lower, layout.upper),
        )
        probes = [np.clip(probe[active], self._lower, self._upper) for probe in beyond]
        values = [self._objective.value(probe) for probe in probes]
        best = int(np.argmin(np.nan_to_num(values, nan=np.inf))) if values else 0
        return probes[best] if values and values[best] < found.value - _GAIN else None

    def _upright(self, found: Minimum) -> Minimum:
        """With orientations of less than a whole turn, of the same shapes."""
        vector, layout = self._objective.full(found.vector), self._likelihood.layout
        whole = upright(self._ellipses, vector, layout.lower, layout.upper)
        if (whole != vector).any():
            other = self._build()
            another = other.minimize(whole[self._objective.active])
            if another.value < found.value + _GAIN:
                self.minimizer = other
                return another
        return found

    def _in_kinks(self) -> list[int]:
        """Which of the active parameters are positions in which the statistic has kinks."""
        active = self._objective.active
        found = {k for lattice in self._likelihood.lattices() for k in (lattice.lon, lattice.lat) if active[k]}
        return [int(np.count_nonzero(active[:k])) for k in sorted(found)]

    def _out_of_kinks(self, found: Minimum) -> Minimum:
        """To where a simplex finds something lower than kinks of bins that end; positions have others.

        So small that they are not seen are the kinks of a break that passes the nodes of Gammapy's integrals.
        """
        every = np.ones(found.vector.size, dtype=bool)
        for _ in range(_SIMPLEXES):
            has_kinks = bool(set(found.kinks) - set(self._positions))
            is_close = found.edm < _GAIN and not found.is_lost
            if not has_kinks and (found.valid or not is_close):
                return found
            simplex = Simplex(self._objective, self._lower, self._upper, self.minimizer.scale)
            value, start = simplex.lowest([found.vector], every)
            if not value < found.value - _GAIN:
                if found.valid or is_close:
                    return replace(found, valid=True, message=f"the minimum was found{', in a kink' * has_kinks}")
                return found
            self.minimizer = self._build()
            found = self.minimizer.minimize(start)
        return replace(found, valid=False, message="the statistic goes on falling along kinks")
