"""The joint fit: minimum, errors, MINOS, contours and tests, under one global model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.fit.covariance import listed
from gm.fit.intervals import CONTOUR_RISES, Around, contour_rise
from gm.fit.one_by_one import one_by_one, went_nowhere
from gm.fit.profile import LowerMinimum
from gm.fit.result import FitResult
from gm.fit.run import FitRun, Progress
from gm.likelihood import Engine
from gm.likelihood.dark import told_without
from gm.models import Models
from gm.models.asked import check_asked
from gm.patterns import matching
from gm.values import read_only

_RECOMPILATIONS = 10
_RESAMPLED = 2  # times that a shape gets the sub-pixels of where it ended; at a border it would go to and fro
_LOWER_MINIMA = 5  # that errors, profiles and tests may find
_LOWER = 1e-3  # of -2 ln L, by which a minimum is another one
_AGAIN = "lower minima are found again and again"
_WENT_LOWER = "a lower minimum was found on the way to the errors, and the fit went there"


@dataclass(frozen=True)
class _Wanted:
    """What is computed besides the best fit: parameters, pairs of them with rises of the statistic, components."""

    minos: Sequence[str]
    contours: Sequence[Sequence[str]]
    rises: Sequence[float]
    tests: Sequence[str]
    by_energy: bool


@read_only("make another Fit")
@dataclass(frozen=True)
class Fit:
    """Joint maximum-likelihood fit of all ``datasets``.

    The global model is an argument and stays as it is; the result carries the fitted one::

        result = Fit(datasets).run(models)
        result.models["crab"]

    conventions : how counts are predicted, ``gammapy`` or ``exact``; `UsageError` for another word
    engine : compiles the likelihood, by default in this process
    """

    datasets: Datasets
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", Conventions(self.conventions))

    def optimize(self, models: Models, progress: Progress | None = None, *, check: bool = True) -> FitResult:
        """The best fit and its status, without errors. Raises `NothingToFit` and `DataError` (no bin is left).

        check : False where nobody asks whether it is a minimum: no limit, no direction without an end is looked for
        """
        if check:
            run = self._converge(models, progress, FitRun.check_minimum)
            run.errors = run.errors.untold()
        else:
            run = self._sure(self._minimize(models, progress), models, progress, errors=False)
        return run.result(run.best_models(), Around({}, [], []), {})

    def run(
        self,
        models: Models,
        *,
        minos: Iterable[str] = (),
        contours: Iterable[Sequence[str]] = (),
        contour_levels: Iterable[float] | None = None,
        test: Iterable[str] = (),
        by_energy: bool = False,
        progress: Progress | None = None,
    ) -> FitResult:
        """The best fit with covariance, and what else is asked for.

        ``minos``: addresses or patterns of parameters that get asymmetric errors. ``contours``: pairs of addresses;
        ``contour_levels`` in standard deviations, instead of a rise by 1 and the levels of 1 and 2.
        ``test``: names or patterns of components; each is removed and everything else fitted again, which gives its TS.
        ``by_energy``: also counts and predictions of every dataset in each energy, for which maps are predicted whole.
        Raises `NothingToFit`, `DataError` (no bin is left) and `ModelError` (what is asked for
        means nothing in the models, or others follow a tested component).
        """
        check_asked(models, asked := list(minos), pairs := list(contours), patterns := list(test))
        rises = CONTOUR_RISES if contour_levels is None else [contour_rise(level) for level in contour_levels]
        wanted = _Wanted(asked, pairs, rises, matching(models.names, patterns), by_energy)
        run = self._minimize(models, progress)
        run.measure_errors()
        return self._look_around(self._sure(run, models, progress), wanted, progress)

    def _look_around(self, run: FitRun, wanted: _Wanted, progress: Progress | None) -> FitResult:
        """Errors, intervals, contours and tests; where they find a lower minimum, of a fit that goes on from there."""
        asked, names = (wanted.minos, wanted.contours, wanted.rises), wanted.tests
        for _ in range(_LOWER_MINIMA):
            try:
                run.check_directions()
                run.check_errors()
                around, best = run.intervals(*asked), run.best_models()
                tested = {name: self._test(best, name, run) for name in names}
                return run.result(best, around, tested, by_energy=wanted.by_energy)
            except LowerMinimum as lower:
                run.likelihood.forget()
                again = self._minimize(run.models_at(lower.vector), progress)
                again.statistic_start = run.statistic_start
                again.warnings.append(_WENT_LOWER)
                run = again
                run.measure_errors()
        run.minimum = replace(run.minimum, valid=False, message=_AGAIN)
        run.measure_errors()
        around, untested = run.intervals(*asked, _AGAIN), dict.fromkeys(names, (None, _AGAIN))
        return run.result(run.best_models(), around, untested, by_energy=wanted.by_energy)

    def converge(self, models: Models, progress: Progress | None = None) -> FitRun:
        """The fit at its minimum, with errors, for what is asked around that. Raises as `run` does."""
        return self._converge(models, progress, FitRun.check_errors)

    def _converge(self, models: Models, progress: Progress | None, check: Callable[[FitRun], object]) -> FitRun:
        """The fit at its minimum, where ``check`` finds none that is lower."""
        before: FitRun | None = None
        for _ in range(_LOWER_MINIMA):
            run = self._minimize(models, progress)
            run.measure_errors()
            run = self._sure(run, models, progress)
            if before is not None:
                run.statistic_start = before.statistic_start
                run.warnings.append(_WENT_LOWER)
            try:
                run.check_directions()
                check(run)
                return run
            except LowerMinimum as lower:
                models, before = run.models_at(lower.vector), run
        run.minimum = replace(run.minimum, valid=False, message=_AGAIN)
        return run

    def _sure(self, run: FitRun, models: Models, progress: Progress | None, *, errors: bool = True) -> FitRun:
        """The fit of ``models``, or one from another start where it is doubtful and that is better.

        Beside wrong amplitudes shapes go anywhere, and have no effect there; so do cut-offs beside a wrong spectrum.
        """
        if run.is_doubtful and (start := self._with_amplitudes(models, progress)) is not None:
            run = self._better(run, start, "amplitudes were fitted before all else", progress, errors=errors)
        if errors and run.minimum.endless is None and (lost := went_nowhere(run)).any():
            start = one_by_one(partial(self._begin, progress=progress), models, lost)
            what = f"{listed(list(compress(run.names, lost)))}: held at the start until all else was fitted"
            run = self._better(run, start, what, progress, errors=errors)
        return run

    def _better(self, run: FitRun, start: Models, what: str, progress: Progress | None, *, errors: bool) -> FitRun:
        """The fit, or the one from another start where that is better, which is told."""
        run.likelihood.forget()
        other = self._minimize(start, progress)
        if errors:
            other.measure_errors()
        if not other.is_better_than(run):
            return run
        other.statistic_start = run.statistic_start
        other.warnings.append(f"{what}, since otherwise the fit found no minimum")
        return other

    def _begin(self, models: Models, progress: Progress | None) -> FitRun:
        return FitRun.start(self.datasets, models, self.conventions, progress, engine=self.engine)

    def _with_amplitudes(self, models: Models, progress: Progress | None) -> Models | None:
        """The models with their amplitudes fitted and all else as it is; None where there is nothing else, or none."""
        begin = self._begin(models, progress)
        if begin.amplitudes.all() or not begin.amplitudes.any():
            return None
        first = begin.part(begin.amplitudes)
        first.minimize()
        return first.models_at(first.minimum.vector)

    def _minimize(self, models: Models, progress: Progress | None, *, need_free: bool = True) -> FitRun:
        """To the minimum; a source that came to nothing is looked for where the counts want it."""
        run = self._settle(models, progress, need_free=need_free)
        start, why = run.found_again(models), "had come to nothing"
        if start is None and (narrow := run.narrowed(models)) is not None:
            start, why = self._with_amplitudes(narrow, progress) or narrow, "had grown as wide as the maps"
        if start is not None:
            run.likelihood.forget()
            again = self._settle(start, progress)
            if again.minimum.value < run.minimum.value - _LOWER:
                again.statistic_start = run.statistic_start
                again.warnings.append(f"a source that {why} was put where the counts exceed the rest most")
                return again
        return run

    def _settle(self, models: Models, progress: Progress | None, *, need_free: bool = True) -> FitRun:
        """To a minimum; where a source leaves the reach of its responses they are taken again, and it goes on."""
        run = FitRun.start(self.datasets, models, self.conventions, progress, need_free=need_free, engine=self.engine)
        run.minimize()
        resampled = 0
        for _ in range(_RECOMPILATIONS):
            vector = run.objective.full(run.minimum.vector)
            gone = run.likelihood.left_behind(vector)
            if not gone:
                if resampled == _RESAMPLED or run.likelihood.is_current(vector):
                    break
                resampled += 1
            best, before, told = run.best_models(), run.statistic_start, run.warnings
            del run  # two likelihoods at a time would take twice the memory
            run = FitRun.start(self.datasets, best, self.conventions, progress, engine=self.engine)
            run.statistic_start = before
            moved = f"the responses of {', '.join(gone)} were taken again where the fit had moved it"
            run.warnings = [*told, *([moved] if gone and moved not in told else [])]
            run.minimize()
        return run

    def _test(self, best: Models, name: str, run: FitRun) -> tuple[float | None, str]:
        """TS of a component: how much worse the best fit without it is; None, and why, when one of them fails.

        Its own priors are no part of the comparison: a density has a unit, and nothing to be compared with. Raises
        `LowerMinimum` where nothing of it is better than the best fit.
        """
        status, message = run.verdict()
        if status not in ("converged", "at_limit"):
            return None, f"the fit did not converge: {message}"
        null = self._minimize(best.without(name), None, need_free=False)
        if not null.minimum.valid:
            return None, f"the fit without it did not converge: {null.minimum.message}"
        nothing = _with_nothing(run, null, name)
        if nothing is not None and run.objective.value(nothing) < run.minimum.value - _LOWER:
            raise LowerMinimum(nothing)
        endless = told_without(name, null.dark(), run.dark(), self.datasets.names)
        run.warnings += [text for text in endless if text not in run.warnings]
        own = run.layout.prior_value(run.objective.full(run.minimum.vector), name)
        return null.statistic - (run.statistic - own), ""


def _with_nothing(run: FitRun, null: FitRun, name: str) -> Array | None:
    """The minimum of a fit without a component, with an amplitude of 0 of that, (n_active,) of the fit with it; None if
    it has no amplitude."""
    layout, position = run.layout, run.likelihood.models[name].spectral_model.amplitude_position()
    first = layout.slots(name, "spectral").start
    amplitude = None if position is None else layout.free_position(first + position)
    if amplitude is None:
        return None
    found = dict(zip(null.layout.free_addresses, null.objective.full(null.minimum.vector), strict=True))
    own = zip(layout.free_addresses, run.objective.full(run.minimum.vector), strict=True)
    vector = np.array([found.get(address, value) for address, value in own])
    vector[amplitude] = 0.0
    return np.asarray(np.clip(vector, layout.lower, layout.upper)[run.objective.active])
