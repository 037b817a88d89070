"""Likelihood profiles of parameters, of pairs of them and of derived quantities, everything else fitted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators.profile_result import LikelihoodProfile, ProfileAxis, ProfileRow
from gm.estimators.profile_space import ON_A_LINE, Space, parameter_space, quantity_space
from gm.estimators.quantity import Quantity
from gm.estimators.upper_limits import check_levels
from gm.fit import Fit
from gm.fit.intervals import contour_rise
from gm.fit.parts import Contour
from gm.fit.profile import LowerMinimum, ProfilePoint
from gm.fit.run import FitRun
from gm.likelihood import Engine
from gm.models import Models
from gm.values import read_only

Progress = Callable[[str, float], None]
_LOWER_MINIMA = 5
_LARGEST = 1_000_000  # points
_LOWER = "a lower minimum was found along the profile, and is what it starts from: its statistic is {:.6g} lower"


@read_only("make another ProfileEstimator")
@dataclass(frozen=True, kw_only=True)
class ProfileEstimator:
    """The profile of one of the ``parameters`` by address, the surface of two, or the profile of a ``quantity``.

    The axis of each has ``n`` values from ``-sigma`` to ``sigma`` errors around the minimum, within the limits, or the
    ``values`` that are given: a sequence of numbers in the unit of the axis, for two parameters a pair of sequences. At
    each the others are fitted again, with the exact gradient, from what they were at the point before.

    quantity : as ``flux(crab, 1 TeV, 10 TeV)``, ``eflux(...)`` or ``dnde(crab, 1 TeV)``, or a `Quantity`
    levels : in standard deviations: of one axis its interval, where -2 ln L has risen by their square; of two the
    contour that holds both as often
    """

    parameters: str | Sequence[str] = ()
    quantity: str | Quantity | None = None
    sigma: float = 3.0
    n: int | Sequence[int] = 31
    values: Sequence[object] | None = None
    levels: Sequence[float] = (1.0, 2.0)
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma, **{f"levels {level}": level for level in self.levels})
        if min([self.n] if isinstance(self.n, int) else self.n, default=1) < 1:
            raise UsageError(f"n is {self.n}, expected at least one value of an axis")
        object.__setattr__(self, "conventions", Conventions(self.conventions))
        if isinstance(self.parameters, str):
            object.__setattr__(self, "parameters", (self.parameters,))
        if isinstance(self.quantity, str):
            object.__setattr__(self, "quantity", Quantity.parse(self.quantity))
        if (len(self.parameters) in (1, 2)) == (self.quantity is not None):
            raise UsageError("a profile is of one parameter, of two, or of a quantity")

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> LikelihoodProfile:
        """The profile around the minimum near ``models``, which stay as they are.

        Raises `UsageError` for an axis that cannot be varied, and what a fit raises.
        """
        fit, told, first = Fit(datasets, self.conventions, self.engine), list[str](), None
        for _ in range(_LOWER_MINIMA):
            run = fit.converge(models)
            first = run.statistic_start if first is None else first
            space = self._space(run)
            try:
                return self._around(run, space, first, told, progress)
            except LowerMinimum as lower:
                models = run.models_at(space.back(lower.vector))
                told[:] = [_LOWER.format(run.minimum.value - run.objective.value(space.back(lower.vector)))]
        raise UsageError("profiles lead to ever lower minima; start from a better fit")

    def _space(self, run: FitRun) -> Space:
        if isinstance(self.quantity, Quantity):
            return quantity_space(run, self.quantity)
        return parameter_space(run, self.parameters)

    def _around(
        self, run: FitRun, space: Space, first: float, told: Sequence[str], progress: Progress | None
    ) -> LikelihoodProfile:
        """Raises `LowerMinimum`."""
        axes = [self._axis(space, axis) for axis in range(len(space.chosen))]
        quantity = None if self.quantity is None else str(self.quantity)
        status, message = run.verdict()
        why = "" if status in ("converged", "at_limit") else f"the fit did not converge: {message}"
        if why:
            rows = [ProfileRow(values, "failed", why, None, None) for values in _grid(axes)]
            warnings = (*told, *run.warnings)
            return LikelihoodProfile(tuple(axes), tuple(rows), run.statistic, first, (), {}, {}, warnings, quantity)
        rows = list(_scanned(space, axes, run, progress))
        intervals = {} if len(axes) > 1 else {level: space.interval(level**2) for level in self.levels}
        contours = {} if len(axes) < 2 else dict(self._contours(space))
        found = tuple(run.names), intervals, contours, (*told, *run.warnings), quantity
        return LikelihoodProfile(tuple(axes), tuple(rows), run.statistic, first, *found)

    def _axis(self, space: Space, axis: int) -> ProfileAxis:
        n = self.n if isinstance(self.n, int) else self.n[axis]
        best, error = space.best(axis), space.error(axis)
        if self.values is not None:
            values = space.numbers(axis, self.values if len(space.chosen) == 1 else self.values[axis])
        else:
            values = np.linspace(*space.between(axis, self.sigma), n)
        if values.size > _LARGEST:
            raise UsageError(f"{values.size} values, at most {_LARGEST}")
        return ProfileAxis(space.names[axis], space.units[axis], best, error, values)

    def _contours(self, space: Space) -> Iterator[tuple[float, Contour]]:
        """By level. Raises `LowerMinimum`."""
        levels = sorted(self.levels)
        rows = space.rays([contour_rise(level) for level in levels])
        first, second = space.names
        for level, (rise, points, why) in zip(levels, rows, strict=True):
            yield level, Contour((first, second), rise, points, why)


def _grid(axes: Sequence[ProfileAxis]) -> list[tuple[float, ...]]:
    """All points, in C order."""
    mesh = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    return [tuple(point) for point in np.stack(mesh, axis=-1).reshape(-1, len(axes)).tolist()]


def _scanned(space: Space, axes: Sequence[ProfileAxis], run: FitRun, progress: Progress | None) -> Iterator[ProfileRow]:
    """All points in C order; found from the minimum outwards. Raises `LowerMinimum`."""
    points, sizes = _grid(axes), [axis.values.size for axis in axes]
    found: dict[tuple[int, ...], ProfilePoint] = {}
    for done, place in enumerate(_outwards(axes)):
        if progress is not None:
            progress(f"{done} of {len(points)}", done / len(points))
        values = tuple(float(axis.values[k]) for axis, k in zip(axes, place, strict=True))
        found[place] = space.at(values, list(_starts(found, place)))
    for place, values in zip(np.ndindex(*sizes), points, strict=True):
        point = found[place]
        if point.reason:
            yield ProfileRow(values, "failed", point.reason, None, None)
        else:
            stat = run.statistic + max(point.value - run.minimum.value, 0.0)
            yield ProfileRow(values, "ok", None, stat, space.back(point.vector))


def _outwards(axes: Sequence[ProfileAxis]) -> list[tuple[int, ...]]:
    """The places of a grid, each after a neighbour that is nearer to the best values."""
    ranks = []
    for axis in axes:
        order = np.argsort(axis.values, kind="stable")
        steps = np.empty(order.size, dtype=int)
        middle = int(np.argmin(np.abs(axis.values[order] - axis.best)))
        steps[order] = np.abs(np.arange(order.size) - middle)
        ranks.append(steps)
    places = np.ndindex(*(axis.values.size for axis in axes))
    return sorted(places, key=lambda place: sum(int(rank[k]) for rank, k in zip(ranks, place, strict=True)))


def _starts(found: dict[tuple[int, ...], ProfilePoint], place: tuple[int, ...]) -> Iterator[list[ProfilePoint]]:
    """Neighbours that are known, each with those behind it on the same line as far as they are known, nearest first."""
    for axis in range(len(place)):
        for side in (-1, 1):
            line = list[ProfilePoint]()
            for n in range(1, ON_A_LINE + 1):
                point = found.get(tuple(k + n * side * (a == axis) for a, k in enumerate(place)))
                if point is None or point.reason:
                    break
                line.append(point)
            if line:
                yield line
