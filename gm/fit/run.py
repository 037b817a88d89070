"""One fit in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from gm.arrays import Array, BoolArray, anywhere
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.left_out import no_bin_is_left
from gm.errors import DataError
from gm.fit.beside import lowest_beside
from gm.fit.covariance import Errors, listed, measure_errors
from gm.fit.descent import Descent
from gm.fit.ellipses import orientations
from gm.fit.ellipsoid import Ellipsoid
from gm.fit.intervals import Around, Intervals
from gm.fit.kinks import stepped_across
from gm.fit.lost_sources import found_again, narrowed
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.near_limits import beyond_limits, beyond_own_limits
from gm.fit.no_minimum import culprits
from gm.fit.objective import NothingToFit, Restricted, amplitudes
from gm.fit.other_parameters import OtherParameters
from gm.fit.own_rises import rises_around
from gm.fit.parts import MinimizerReport, Status
from gm.fit.profile import LowerMinimum, Profile
from gm.fit.report import fitted_components, fitted_parameters
from gm.fit.result import FitResult
from gm.fit.rises import Rises
from gm.fit.runaways import runaways
from gm.fit.simplex import Simplex
from gm.fit.without_effect import left_there, of_backgrounds, of_sources, reasons, without_effect
from gm.likelihood import Engine, JointLikelihood
from gm.likelihood.dark import DarkBins
from gm.models import Models

Progress = Callable[[str, float], None]
_GAIN = 1e-3  # of -2 ln L, worth another minimisation
_TINY = 0.1  # of a conditional error


class FitRun:
    """One fit in progress: its compiled likelihood, the minimum once it is found, and what is measured around that."""

    def __init__(self, likelihood: JointLikelihood, active: BoolArray, progress: Progress | None) -> None:
        layout = likelihood.layout
        self.likelihood, self.layout = likelihood, layout
        self.objective = Restricted(likelihood, layout.start, active)
        self.names = [name for name, used in zip(layout.free_addresses, active, strict=True) if used]
        self.lower, self.upper = layout.lower[active], layout.upper[active]
        self._value_start = likelihood.value(layout.start)
        self.warnings = [
            f"{name} is free, but no dataset depends on it: left at its value"
            for name, used in zip(layout.free_addresses, active, strict=True)
            if not used
        ]
        self.warnings += beyond_own_limits(likelihood.models, layout)
        self.amplitudes, self._progress = amplitudes(likelihood.models, layout)[active], progress
        self._is_left = partial(_is_left, likelihood, self.objective)
        self.minimizer = self._build_minimizer(self._is_left if self._has_shapes else None)
        self.minimum = Minimum(layout.start[active], self._value_start, True, 0.0, 1, 0, 0, "nothing is free")
        inside = np.zeros(len(self.names), dtype=bool)
        self.errors = Errors(inside, inside, None, [])
        self.shapes: dict[int, float] = {}

    @classmethod
    def start(
        cls,
        datasets: Datasets,
        models: Models,
        conventions: Conventions | str,
        progress: Progress | None,
        *,
        need_free: bool = True,
        engine: Engine | None = None,
    ) -> FitRun:
        likelihood = JointLikelihood(datasets, models, conventions, for_fit=True, engine=engine)
        if not likelihood.n_bins:
            raise DataError(no_bin_is_left(datasets))
        start = likelihood.layout.start  # of which a fit wants the gradient, too
        if not np.isfinite(likelihood.value_and_gradient(start)[0] if start.size else likelihood.value(start)):
            raise DataError(f"the statistic is not finite at the start: {culprits(likelihood)}")
        active = likelihood.depends_on()
        if need_free and not active.any():
            raise NothingToFit("no dataset depends on any free parameter" if active.size else "no parameter is free")
        return cls(likelihood, active, progress)

    @cached_property
    def told(self) -> JointLikelihood:
        """The likelihood whose numbers are told of the minimum: what the conventions give there."""
        if not np.isfinite(self.minimum.value) or not self._has_shapes:
            return self.likelihood
        return self.likelihood.under_conventions(self.models_at(self.minimum.vector))

    @property
    def statistic(self) -> float:
        """-2 ln L at the minimum."""
        return self.minimum.value if self.told is self.likelihood else self.told.value(self.told.layout.start)

    @cached_property
    def statistic_start(self) -> float:
        """-2 ln L at the start."""
        told = self.likelihood.under_conventions(self.likelihood.models)
        return self._value_start if told is self.likelihood else told.value(told.layout.start)

    def dark(self) -> list[DarkBins]:
        """Bins with counts in which nothing is predicted at the minimum, by dataset."""
        return self.likelihood.dark(self.objective.full(self.minimum.vector))

    def part(self, chosen: BoolArray) -> FitRun:
        """The fit of some of the parameters, (n_active,), alone."""
        active = self.objective.active.copy()
        active[active] = chosen
        return FitRun(self.likelihood, active, self._progress)

    @property
    def is_doubtful(self) -> bool:
        """Whether another start may end better: there is no minimum, or nothing is known of it."""
        if self.minimum.endless is not None:
            return False
        says_nothing = bool(self.errors.vague) and self.errors.covariance is None
        return not self.minimum.valid or bool(self.errors.degenerate) or says_nothing

    def is_better_than(self, other: FitRun) -> bool:
        """Whether it ended lower, or as low and is not doubtful, as the other is."""
        gain = other.minimum.value - self.minimum.value
        return gain > _GAIN or (gain > -_GAIN and other.is_doubtful and not self.is_doubtful)

    def minimize(self) -> None:
        """From the start to the minimum."""
        if not self.names:
            return
        descent = Descent(self.likelihood, self.objective, self.minimizer, self._build_minimizer)
        self.minimum = descent.minimum(self.layout.start[self.objective.active])
        self.minimizer = descent.minimizer
        self.warnings += descent.told(self.minimum, self.names)

    def _build_minimizer(self, is_left: Callable[[Array], bool] | None = None) -> Minimizer:
        among = self.lower, self.upper, self.amplitudes
        is_smooth, n_cut_off = self.likelihood.is_smooth, self.objective.n_cut_off
        return Minimizer(self.objective, *among, self._progress, is_left, is_smooth, n_cut_off)

    def _simplex(self, moving: BoolArray) -> tuple[float, Array]:
        """The lowest value near the minimum, over the parameters ``moving`` (n_active,), and where that is."""
        simplex = Simplex(self.objective, self.lower, self.upper, self.minimizer.scale)
        return simplex.lowest([self.minimum.vector], moving)

    def measure_errors(self, bent: Iterable[int] = ()) -> None:
        """Errors; of the parameters ``bent`` over the width of a rise by 1, not at the minimum."""
        if self.minimum.is_lost:
            return
        chosen, priors = np.flatnonzero(self.objective.active), self.layout.uneven_priors()
        idle = self._put_back(self.layout.start[chosen])
        self.errors = measure_errors(
            self.objective,
            self.minimum.vector,
            self.lower,
            self.upper,
            self.names,
            partial(self._kinked, {*bent, *self.minimum.kinks}),
            self.minimum.hessian,
            {i: prior for i, k in enumerate(chosen) if (prior := priors.get(int(k)))},
            self.minimizer.scale if self.minimum.name == "scoring" else None,
            idle,
        )
        if self._went_to_limits():
            self.measure_errors(bent)
        elif not self.minimum.valid:
            why = dict.fromkeys(map(int, np.flatnonzero(self.errors.kept)), "the fit did not converge")
            self.errors = self.errors.without(why)

    def _went_to_limits(self) -> bool:
        """Whether what is at a limit but for a little is there now, as long as the statistic is no higher."""
        if not (self.errors.at_lower | self.errors.at_upper).any():
            return False
        there = np.where(
            self.errors.at_lower, self.lower, np.where(self.errors.at_upper, self.upper, self.minimum.vector)
        )
        if (there == self.minimum.vector).all() or not (value := self.objective.value(there)) <= self.minimum.value:
            return False
        self.minimum = replace(self.minimum, vector=there, value=value, hessian=None)
        return True

    def _put_back(self, start: Array) -> Mapping[int, str]:
        """What changes nothing at the minimum goes back to its start; why it has no error."""
        models, layout, active, vector = self.likelihood.models, self.layout, self.objective.active, self.minimum.vector
        held = np.zeros(active.size, dtype=bool)
        held[active] = self._held_at_nothing(vector)
        of_source = of_sources(models, layout, held)[active]
        among = of_backgrounds(models, layout)[active] | of_source
        if not anywhere(among):
            return {}
        idle = without_effect(self.objective, vector, start, among)
        if (held[active] & ~self._held_at_nothing(np.where(idle, start, vector))).any():
            idle &= ~of_source  # with the shape that it started with a source is wanted
        if not idle.any():
            return {}
        self.minimum = replace(self.minimum, vector=np.where(idle, start, self.minimum.vector))
        self.warnings += [text for text in left_there(idle, self.names) if text not in self.warnings]
        return reasons(idle, self.names)

    def _held_at_nothing(self, vector: Array) -> BoolArray:
        """(n_active,) the amplitudes that the statistic pushes against a limit of 0."""
        slope = self.objective.gradient(vector)
        pushed = ((vector <= self.lower) & (slope > 0)) | ((vector >= self.upper) & (slope < 0))
        return np.asarray(self.amplitudes & (vector == 0) & pushed)

    def check_directions(self) -> None:
        """No saddle: where the statistic has no curvature it does not fall either, and no simplex finds something lower
        where second derivatives say nothing. Raises `LowerMinimum`."""
        for direction in self.errors.degenerate:
            way = direction.of(self.names) * self.minimizer.scale
            value, vector = lowest_beside(self.objective, self.minimum.vector, way, self.lower, self.upper)
            if value < self.minimum.value - _GAIN:
                raise LowerMinimum(vector)
        if self.errors.vague and self.errors.covariance is None:
            value, vector = self._simplex(self.errors.inside)
            if value < self.minimum.value - _GAIN:
                raise LowerMinimum(vector)

    def check_minimum(self) -> Rises:
        """No error where the statistic does not rise, and no minimum where it does not to infinity. The rises that say
        so. Raises `LowerMinimum`."""
        rises = self._rises()
        if flat := rises.flat(self._suspects(rises)):
            self.measure_errors(bent=flat)
            rises = self._rises()
            self.errors = self.errors.without(rises.flat(self._suspects(rises)))
        if self.minimum.valid:
            sizes = np.where(self.errors.inside, self.minimizer.scale, 0.0)
            if away := list(runaways(rises, self.profile, sizes)):
                self.errors = self.errors.endless([self.names[k] for k in away])
        return rises

    def check_errors(self) -> None:
        """That it is a minimum, and a word where the statistic is no parabola. Raises `LowerMinimum`."""
        rises = self.check_minimum()
        if self.errors.degenerate:
            return
        near_kinks = self._kinked(set(), rises.errors)  # those that two errors take across a line of pixel centres
        self.shapes = dict(rises.bent([k for k in near_kinks if k not in self.errors.vague]))
        self.warnings += [
            f"{self.names[k]}: the statistic rises by {rise:.2f} instead of 4 two errors away, so that its error means "
            "little: minos finds where it rises by 1, and with conventions: exact it has no kinks"
            for k, rise in self.shapes.items()
        ]
        if isinstance(covariance := self.errors.whole_covariance(), np.ndarray):
            self.warnings += beyond_limits(self.minimum.vector, covariance, self.lower, self.upper, self.names)

    def _suspects(self, rises: Rises) -> list[int]:
        """Parameters in kinks, and those with errors larger than themselves, or far below the conditional one."""
        odd = (rises.errors > np.abs(self.minimum.vector)) | (rises.errors < _TINY * self.minimizer.scale)
        return [k for k in sorted({*self.minimum.kinks, *np.flatnonzero(odd).tolist()}) if rises.errors[k] > 0]

    def _rises(self) -> Rises:
        around = self.minimum.vector, self.lower, self.upper, self.errors.whole_covariance()
        return rises_around(self.likelihood, self.objective, self.minimum.value, *around)

    def _kinked(self, known: set[int], steps: Array) -> list[int]:
        """Which of the active parameters lie in a kink: those ``known``, and those that a step takes across a line of
        pixel centres."""
        active = self.objective.active
        every = np.zeros(active.size)
        every[active] = steps
        found = stepped_across(self.likelihood.lattices(), self.objective.full(self.minimum.vector), every)
        return sorted({*known, *(int(np.count_nonzero(active[:k])) for k in found if active[k])})

    def best_models(self) -> Models:
        """The global model at the minimum, with errors and covariance."""
        covariance = self.errors.covariance_over(self.objective.active, is_dense=self.likelihood.own is None)
        values = self.layout.own(self.objective.full(self.minimum.vector))
        return self.likelihood.models.with_values(values, self.layout.covariance(covariance))

    def found_again(self, start: Models) -> Models | None:
        """Where to start again with sources that came to nothing, which began as in ``start``; None: there are none."""
        if not self._has_shapes:
            return None
        scale = np.zeros(self.objective.active.size)
        scale[self.objective.active] = self.minimizer.scale
        return found_again(self.likelihood, self.objective.full(self.minimum.vector), scale, start)

    def narrowed(self, start: Models) -> Models | None:
        """The same with sources that grew as wide as the maps."""
        if not self._has_shapes:
            return None
        return narrowed(self.likelihood, self.objective.full(self.minimum.vector), start)

    @property
    def _has_shapes(self) -> bool:
        """Whether anything is somewhere on the sky."""
        return any(component.spatial_model is not None for component in self.likelihood.models)

    def models_at(self, vector: Array) -> Models:
        """The global model at ``vector`` (n_active,)."""
        return self.likelihood.models.with_values(self.layout.own(self.objective.full(vector)))

    def verdict(self) -> tuple[Status, str]:
        """Status of the fit and the sentence that explains it."""
        if not np.isfinite(self.minimum.value):
            return "failed", "the statistic is not finite at the point where the minimiser stopped"
        if self.minimum.is_lost:
            where = "" if self.minimum.endless is None else f" along {self._along(self.minimum.endless)}"
            return "not_converged", self.minimum.message + where
        if self.errors.degenerate:
            return "not_converged", f"the statistic does not change along {self.errors.directions()}"
        if not self.minimum.valid:
            return "not_converged", self.minimum.message
        limits = [self._at(k, "lower") for k in self.errors.at_lower.nonzero()[0].tolist()]
        limits += [self._at(k, "upper") for k in self.errors.at_upper.nonzero()[0].tolist()]
        return ("at_limit", listed(limits)) if limits else ("converged", self.minimum.message)

    def _along(self, way: Array) -> str:
        """The parameters in which a direction (n_free,) goes far."""
        return " and ".join(
            name for name, size in zip(self.names, np.abs(way), strict=True) if size >= 0.1 * np.abs(way).max()
        )

    def _at(self, k: int, side: str) -> str:
        """That an active parameter is at a limit; which one, where the user has not set it."""
        free = int(np.flatnonzero(self.objective.active)[k])
        text = f"{self.names[k]} is at its {side} limit"
        if free not in self.layout.not_own[side]:
            return text
        unit = self.likelihood.models.parameters[int(self.layout.free[free])].unit
        limit, extreme = (self.lower, "smallest") if side == "lower" else (self.upper, "largest")
        return f"{text}: {limit[k]:.3g} {unit}".rstrip() + f", the {extreme} that the maps tell apart"

    def intervals(
        self,
        minos: Sequence[str],
        contours: Sequence[Sequence[str]],
        rises: Sequence[float],
        unknown: str = "",
    ) -> Around:
        """What is asked for around the minimum, or why it is ``unknown``. Raises `LowerMinimum`."""
        if not minos and not contours:
            return Around({}, [], [])
        status, message = self.verdict()
        if status not in ("converged", "at_limit"):
            unknown = f"the fit did not converge: {message}"
        among = self.likelihood.models, self.layout, self.objective.active
        intervals = Intervals(*among, self.ellipsoid(self.profile()), unknown)
        return intervals.around(minos, contours, rises)

    def profile(self, *, points_are_near: bool = False) -> Profile:
        """The statistic minimised over all parameters but some, at points that are near each other or not."""
        minimum, limits = self.minimum, (self.lower, self.upper)
        turning = orientations(self.likelihood.models, self.layout, self.objective.active)
        others = OtherParameters(*limits, self.amplitudes, turning, self._progress, points_are_near)
        return Profile(self.objective, minimum.vector, minimum.value, *limits, self.names, others, self._is_left)

    def ellipsoid(self, profile: Profile) -> Ellipsoid:
        """The errors around the minimum; parameters at limits go as far as the slope there lets them."""
        slope, held = np.abs(self.objective.gradient(self.minimum.vector)), self.errors.at_lower | self.errors.at_upper
        sizes = np.where(held, 1.0 / np.where(held, slope, 1.0), self.minimizer.scale)
        return Ellipsoid(profile, self.errors.whole_covariance(), sizes)

    def result(
        self, best: Models, around: Around, tested: Mapping[str, tuple[float | None, str]], *, by_energy: bool = False
    ) -> FitResult:
        vector, statistic_start = self.objective.full(self.minimum.vector), self.statistic_start
        status, message = self.verdict()
        summaries = tuple(self.told.summarize(vector))
        active, minimum, errors = self.objective.active, self.minimum, self.errors
        if minimum.is_lost:
            errors = replace(errors, vague=dict.fromkeys(range(len(self.names)), "the fit did not converge"))
        kept = [name for name, stays in zip(self.names, errors.kept, strict=True) if stays]
        lost = [text for summary in summaries for text in summary.warnings()]
        lost += [dark.describe(summaries[dark.dataset].name) for dark in self.dark()]
        calls = minimum.value_calls, minimum.gradient_calls, minimum.steps
        return FitResult(
            status=status,
            message=message,
            warnings=(*self.warnings, *around.warnings, *self.likelihood.remarks(best), *lost),
            models=best,
            statistic=self.statistic,
            statistic_start=statistic_start,
            statistic_priors=self.layout.prior_value(vector),
            n_bins=self.likelihood.n_bins,
            n_free=len(self.names),
            parameters=tuple(fitted_parameters(best, self.layout, active, errors, around.minos, self.shapes)),
            minimizer=MinimizerReport(minimum.name, minimum.edm, *calls),
            datasets=summaries,
            components=tuple(fitted_components(best, self.likelihood, active, summaries, tested)),
            covariance=None if errors.covariance is None else (tuple(kept), errors.covariance),
            contours=tuple(around.contours),
            by_energy=self.told.by_energy(vector) if by_energy else None,
        )


def _is_left(likelihood: JointLikelihood, objective: Restricted, vector: Array) -> bool:
    """Whether a source has left the reach of its responses."""
    return bool(likelihood.left_behind(objective.full(vector)))
