"""Impacts: how far a parameter moves when each nuisance is moved by its error, and everything else is fitted again.

The nuisance is held one error from where the fit has it. Its error after the fit gives the post-fit impact, the width
of its prior the pre-fit impact, as in analyses with HistFactory (cabinetry 0.6, ``cabinetry.fit.ranking``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators.impacts_result import Impact, Impacts, NuisancePrior, Shift
from gm.estimators.profile_space import Space, parameter_space
from gm.fit import Fit
from gm.fit.profile import LowerMinimum
from gm.fit.run import FitRun
from gm.likelihood import Engine
from gm.models import Models
from gm.models.asked import check_asked
from gm.values import read_only

Progress = Callable[[str, float], None]
_LOWER_MINIMA = 5
_LOWER = "a lower minimum was found when {} was moved, and is what impacts are around: its statistic is {:.6g} lower"


@read_only("make another ImpactEstimator")
@dataclass(frozen=True, kw_only=True)
class ImpactEstimator:
    """The impacts on a ``parameter``, by address, of ``nuisances``: patterns of free parameters, by default all others.

    Each is held at its best value minus and plus its error, no further than its limits, and all else is fitted again
    from there with the exact gradient.
    """

    parameter: str
    nuisances: Sequence[str] = ("*",)
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", Conventions(self.conventions))
        if isinstance(self.nuisances, str):
            object.__setattr__(self, "nuisances", (self.nuisances,))

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> Impacts:
        """The impacts around the minimum near ``models``, which stay as they are.

        Raises `UsageError` for a parameter that cannot be varied, `ModelError` for a pattern that nothing matches, and
        what a fit raises.
        """
        check_asked(models, self.nuisances, (), ())
        fit, told = Fit(datasets, self.conventions, self.engine), list[str]()
        for _ in range(_LOWER_MINIMA):
            run = fit.converge(models)
            space = parameter_space(run, [self.parameter])
            moving = [""]
            try:
                return self._around(run, space, told, moving, progress)
            except LowerMinimum as lower:
                models = run.models_at(lower.vector)
                told[:] = [_LOWER.format(moving[0], run.minimum.value - run.objective.value(lower.vector))]
        raise UsageError("impacts lead to ever lower minima; start from a better fit")

    def _around(
        self, run: FitRun, space: Space, told: Sequence[str], moving: list[str], progress: Progress | None
    ) -> Impacts:
        """``moving`` holds the name of the nuisance that is moved. Raises `LowerMinimum`."""
        status, message = run.verdict()
        warnings = (*told, *run.warnings)
        parameter = space.names[0], space.units[0], space.best(0), space.error(0)
        if status not in ("converged", "at_limit"):
            return Impacts(*parameter, None, (), f"the fit did not converge: {message}", warnings)
        chosen, rows = self._chosen(run, space), list[Impact]()
        for done, k in enumerate(chosen):
            moving[0] = run.names[k]
            if progress is not None:
                progress(run.names[k], done / len(chosen))
            rows.append(_impact(run, space, k))
        rows.sort(key=lambda row: -row.size)
        return Impacts(*parameter, _error_fixed(space, chosen), tuple(rows), warnings=warnings)

    def _chosen(self, run: FitRun, space: Space) -> list[int]:
        """The active parameters that are nuisances, but for the one that decides the parameter."""
        models = run.likelihood.models
        indices = {index for pattern in self.nuisances for index in models.match(pattern)}
        positions = {run.layout.free_position(index) for index in indices}
        active = np.flatnonzero(run.objective.active).tolist()
        return [k for k, position in enumerate(active) if position in positions and k != space.chosen[0]]


def _impact(run: FitRun, space: Space, k: int) -> Impact:
    """Of the active parameter ``k``. Raises `LowerMinimum`."""
    free = int(np.flatnonzero(run.objective.active)[k])
    parameter = run.likelihood.models.parameters[int(run.layout.free[free])]
    unit, prior = str(parameter.unit), parameter.prior
    own = replace(
        space, names=(run.names[k],), units=(unit,), chosen=(k,), scale=np.ones(1), offset=np.zeros(1)
    )  # the same minimum, along the nuisance
    error, linear, reason = own.error(0), None, ""
    if error is None or space.covariance is None:
        reason = "it has no error" + (", it is at a limit" if run.errors.at_lower[k] or run.errors.at_upper[k] else "")
    else:
        linear = float(space.scale[0]) * float(space.covariance[space.chosen[0], k]) / error
    post_fit = None if error is None else _both(space, own, error)
    pre_fit = None if prior is None or prior.width is None else _both(space, own, prior.width)
    told = None if prior is None else NuisancePrior.of(prior)
    return Impact(run.names[k], unit, own.best(0), error, told, post_fit, pre_fit, linear, reason)


def _both(space: Space, own: Space, step: float) -> tuple[Shift, Shift]:
    """Down and up. Raises `LowerMinimum`."""
    down, up = (_moved(space, own, sign * step) for sign in (-1.0, 1.0))
    return down, up


def _moved(space: Space, own: Space, step: float) -> Shift:
    """Of the parameter of ``space``, when that of ``own`` is held a step from where it is. Raises `LowerMinimum`."""
    k, best = own.chosen[0], own.best(0)
    value = float(np.clip(best + step, own.lower[k], own.upper[k]))
    limit = "" if value == best + step else "lower" if step < 0 else "upper"
    if value == best:
        return Shift(value, None, limit, f"it is at its {limit} limit")
    point = own.at((value,))
    if point.reason:
        return Shift(value, None, limit, point.reason)
    chosen = space.chosen[0]
    return Shift(value, float(space.scale[0] * (point.vector[chosen] - space.profile.vector[chosen])), limit)


def _error_fixed(space: Space, chosen: Sequence[int]) -> float | None:
    """The error of the parameter with others held: its variance given theirs, which the covariance tells."""
    if space.covariance is None or space.error(0) is None:
        return None
    own, known = space.chosen[0], list(_with_variance(space, chosen))
    variance = float(space.covariance[own, own])
    if known:
        places = np.array(known)
        among: Array = np.asarray(space.covariance[places[:, None], places])
        beside: Array = np.asarray(space.covariance[own, places])
        sizes = np.sqrt(among.diagonal())
        variance -= float(beside / sizes @ np.linalg.solve(among / np.outer(sizes, sizes), beside / sizes))
    return abs(float(space.scale[0])) * float(np.sqrt(variance)) if variance > 0 else None


def _with_variance(space: Space, chosen: Sequence[int]) -> Iterator[int]:
    assert space.covariance is not None
    diagonal = space.covariance.diagonal()
    return (k for k in chosen if diagonal[k] > 0)
