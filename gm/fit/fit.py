"""The joint fit: minimum, errors, MINOS, contours and tests, under one global model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets import Dataset, Datasets, FluxPointsDataset
from gm.errors import DataError, GmError
from gm.fit.covariance import Errors, measure_errors
from gm.fit.decorrelation import decorrelation_energy
from gm.fit.kinks import across_kinks, stepped_across
from gm.fit.minimizer import Minimizer, Minimum
from gm.fit.objective import Restricted
from gm.fit.result import Contour, FitResult, FittedComponent, FittedParameter, MinimizerReport, Status
from gm.likelihood import DatasetSummary, JointLikelihood
from gm.models import Component, Models, SkyModel

Progress = Callable[[str, float], None]
CONTOUR_LEVELS = (1.0, 2.295748928898636, 6.180074306244168)  # rise of -2 ln L: 39.3, 68.3, 95.4 % of two parameters


_RECOMPILATIONS = 10
_GAIN = 1e-3  # of -2 ln L, worth another minimisation


class NothingToFit(GmError):
    """No parameter is free, or no free parameter changes any dataset."""

    exit_code = 3


@dataclass(frozen=True)
class Fit:
    """Joint maximum-likelihood fit of all ``datasets``.

    The global model is an argument and stays as it is; the result carries the fitted one::

        result = Fit(datasets).run(models)
        result.models["crab"]

    conventions : how counts are predicted, ``gammapy`` or ``exact``
    """

    datasets: Datasets
    conventions: str = "gammapy"

    def optimize(self, models: Models, progress: Progress | None = None) -> FitResult:
        """The best fit without errors. Raises `NothingToFit` and `DataError` (no bin is left)."""
        return self._run(models, (), (), (), progress, errors=False)

    def run(
        self,
        models: Models,
        *,
        minos: Iterable[str] = (),
        contours: Iterable[Sequence[str]] = (),
        test: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> FitResult:
        """The best fit with covariance, and what else is asked for.

        ``minos``: addresses or patterns of parameters that get asymmetric errors. ``contours``: pairs of addresses.
        ``test``: names of components; each is removed and everything else fitted again, which gives its TS.
        Raises `NothingToFit`, `DataError` (no bin is left) and `ModelError` (others follow a tested component).
        """
        return self._run(models, minos, contours, test, progress, errors=True)

    def _run(
        self,
        models: Models,
        minos: Iterable[str],
        contours: Iterable[Sequence[str]],
        test: Iterable[str],
        progress: Progress | None,
        *,
        errors: bool,
    ) -> FitResult:
        tested_names = list(test)
        for name in tested_names:
            models.without(name)
        run = self._minimize(models, progress)
        if errors:
            run.measure_errors()
        best = run.best_models()
        tested = {name: self._test(best, name, run) for name in tested_names}
        return run.result(best, tested, minos, contours)

    def _minimize(self, models: Models, progress: Progress | None, *, need_free: bool = True) -> _Run:
        """To the minimum; where a source leaves the reach of its responses they are taken again, and it goes on."""
        run = _Run.start(self.datasets, models, self.conventions, progress, need_free=need_free)
        run.minimize()
        for _ in range(_RECOMPILATIONS):
            gone = run.likelihood.left_behind(run.objective.full(run.minimum.vector))
            if not gone:
                break
            again = _Run.start(self.datasets, run.best_models(), self.conventions, progress)
            again.statistic_start = run.statistic_start
            moved = f"the responses of {', '.join(gone)} were taken again where the fit had moved it"
            again.warnings = [*run.warnings, *([] if moved in run.warnings else [moved])]
            again.minimize()
            run = again
        return run

    def _test(self, best: Models, name: str, run: _Run) -> float | None:
        """TS of a component: how much worse the best fit without it is; None when that fit fails.

        Its own priors are no part of the comparison: a density has a unit, and nothing to be compared with.
        """
        null = self._minimize(best.without(name), None, need_free=False)
        own = run.layout.prior_value(run.objective.full(run.minimum.vector), name)
        return null.minimum.value - (run.minimum.value - own) if null.minimum.valid else None


class _Run:
    """One fit in progress."""

    def __init__(self, likelihood: JointLikelihood, active: BoolArray, progress: Progress | None) -> None:
        layout = likelihood.layout
        self.likelihood, self.layout = likelihood, layout
        self.objective = Restricted(likelihood, layout.start, active)
        self.names = [name for name, used in zip(layout.free_addresses, active, strict=True) if used]
        self.lower, self.upper = layout.lower[active], layout.upper[active]
        self.statistic_start = likelihood.value(layout.start)
        self.warnings = [
            f"{name} is free, but no dataset depends on it: left at its value"
            for name, used in zip(layout.free_addresses, active, strict=True)
            if not used
        ]
        self._amplitudes, self._progress = _amplitudes(likelihood)[active], progress
        is_left = partial(_is_left, likelihood, self.objective)
        among = self.lower, self.upper, self._amplitudes
        self.minimizer = Minimizer(self.objective, *among, progress, is_left, is_smooth=likelihood.is_smooth)
        self.minimum = Minimum(layout.start[active], self.statistic_start, True, 0.0, 1, 0, 0, "nothing is free")
        inside = np.zeros(len(self.names), dtype=bool)
        self.errors = Errors(inside, inside, None, [])

    @classmethod
    def start(
        cls,
        datasets: Datasets,
        models: Models,
        conventions: str,
        progress: Progress | None,
        *,
        need_free: bool = True,
    ) -> _Run:
        likelihood = JointLikelihood(datasets, models, conventions)
        if not likelihood.n_bins:
            raise DataError("no bin is left in any dataset: the masks and energy ranges exclude everything")
        if not np.isfinite(likelihood.value(likelihood.layout.start)):
            raise DataError(f"the statistic is not finite at the start: {_culprits(likelihood)}")
        active = likelihood.depends_on()
        if need_free and not active.any():
            what = "no parameter is free" if not active.size else "no dataset depends on any free parameter"
            raise NothingToFit(f"nothing to fit: {what}")
        return cls(likelihood, active, progress)

    def minimize(self) -> None:
        if not self.names:
            return
        self.minimum = self.minimizer.minimize(self.layout.start[self.objective.active])
        while (start := self._beyond_kinks()) is not None:
            other = Minimizer(self.objective, self.lower, self.upper, self._amplitudes, self._progress)
            found = other.minimize(start)
            if not found.value < self.minimum.value - _GAIN:
                break
            self.minimizer, self.minimum = other, found
        self.warnings += [
            f"{self.names[k]} lies in a kink of the statistic (a pixel centre): its error is where that rises by 1"
            for k in self.minimum.kinks
        ]

    def _beyond_kinks(self) -> Array | None:
        """A better position of a point beyond a line of pixel centres that it is near; None when there is none."""
        active = self.objective.active
        lattices = [lattice for lattice in self.likelihood.lattices() if active[lattice.lon] and active[lattice.lat]]
        if not lattices:
            return None
        sigma = np.zeros(active.size)
        sigma[active] = self.minimizer.scale
        probes = [
            np.clip(probe[active], self.lower, self.upper)
            for probe in across_kinks(lattices, self.objective.full(self.minimum.vector), sigma)
        ]
        values = [self.objective.value(probe) for probe in probes]
        best = int(np.argmin(values)) if values else 0
        return probes[best] if values and values[best] < self.minimum.value - _GAIN else None

    def measure_errors(self) -> None:
        self.errors = measure_errors(
            self.objective,
            self.minimum.vector,
            self.lower,
            self.upper,
            self.names,
            self._stepped_across,
            self.minimum.hessian,
        )

    def _stepped_across(self, steps: Array) -> list[int]:
        """Which of the active parameters a step takes across a line of pixel centres."""
        active = self.objective.active
        every = np.zeros(active.size)
        every[active] = steps
        found = stepped_across(self.likelihood.lattices(), self.objective.full(self.minimum.vector), every)
        return [int(np.count_nonzero(active[:k])) for k in sorted(found) if active[k]]

    def _chosen(self, among_active: BoolArray) -> BoolArray:
        chosen = self.objective.active.copy()
        chosen[chosen] = among_active
        return chosen

    def best_models(self) -> Models:
        """The global model at the minimum, with errors and covariance."""
        n_free = len(self.layout.free_addresses)
        matrix = np.zeros((n_free, n_free))
        if self.errors.covariance is not None:
            chosen = self._chosen(self.errors.kept)
            matrix[np.ix_(chosen, chosen)] = self.errors.covariance
        vector = self.objective.full(self.minimum.vector)
        fitted = self.likelihood.models.with_values(self.layout.own(vector))
        return fitted.with_covariance(self.layout.covariance(matrix))

    def verdict(self) -> tuple[Status, str]:
        """Status of the fit and the sentence that explains it."""
        if not np.isfinite(self.minimum.value):
            return "failed", "the statistic is not finite at the point where the minimiser stopped"
        if self.errors.degenerate:
            directions = "; ".join(str(direction) for direction in self.errors.degenerate)
            return "not_converged", f"the statistic does not change along {directions}"
        if not self.minimum.valid:
            return "not_converged", self.minimum.message
        limits = [
            f"{name} is at its lower limit" for name, at in zip(self.names, self.errors.at_lower, strict=True) if at
        ]
        limits += [
            f"{name} is at its upper limit" for name, at in zip(self.names, self.errors.at_upper, strict=True) if at
        ]
        return ("at_limit", "; ".join(limits)) if limits else ("converged", self.minimum.message)

    def result(
        self, best: Models, tested: dict[str, float | None], minos: Iterable[str], contours: Iterable[Sequence[str]]
    ) -> FitResult:
        vector = self.objective.full(self.minimum.vector)
        status, message = self.verdict()
        found = status in ("converged", "at_limit")
        intervals = self._minos(best, minos) if found else {}
        lines = tuple(self._contours(best, contours)) if found else ()
        summaries = tuple(self.likelihood.summarize(vector))
        free = [name for name, used in zip(self.names, self.errors.kept, strict=True) if used]
        minimum = self.minimum
        calls = minimum.value_calls, minimum.gradient_calls, minimum.steps
        return FitResult(
            status=status,
            message=message,
            warnings=(*self.warnings, *(text for summary in summaries for text in summary.warnings())),
            models=best,
            statistic=minimum.value,
            statistic_start=self.statistic_start,
            statistic_priors=self.layout.prior_value(vector),
            n_bins=self.likelihood.n_bins,
            n_free=len(self.names),
            parameters=tuple(self._parameters(best, intervals)),
            minimizer=MinimizerReport(minimum.name, minimum.edm, *calls),
            datasets=summaries,
            components=tuple(self._components(best, summaries, tested)),
            covariance=None if self.errors.covariance is None else (tuple(free), self.errors.covariance),
            contours=lines,
        )

    def _position(self, models: Models, address: str) -> int | None:
        """Where a parameter is in the active vector; links are followed; None when it is not free."""
        position = self.layout.free_position(models.addresses().resolve(address))
        if position is None or not self.objective.active[position]:
            return None
        return int(np.count_nonzero(self.objective.active[:position]))

    def _minos(self, models: Models, patterns: Iterable[str]) -> dict[str, tuple[float | None, float | None]]:
        intervals, asked = {}, list(patterns)
        for address in dict.fromkeys(address for pattern in asked for address in models.parameters.match(pattern)):
            position = self._position(models, address)
            if position is not None:
                intervals[address] = self.minimizer.minos(position)
            elif address in asked:
                self.warnings.append(f"{address} is not free: no asymmetric errors")
        return intervals

    def _contours(self, models: Models, pairs: Iterable[Sequence[str]]) -> Iterable[Contour]:
        for first, second in pairs:
            x, y = self._position(models, first), self._position(models, second)
            if x is None or y is None or x == y:
                self.warnings.append(f"no contour of {first} and {second}: both must be free, and not linked together")
                continue
            for delta in CONTOUR_LEVELS:
                yield Contour((first, second), delta, self.minimizer.contour(x, y, delta))

    def _parameters(
        self, models: Models, intervals: dict[str, tuple[float | None, float | None]]
    ) -> Iterable[FittedParameter]:
        has_error = dict(zip(self.names, self.errors.kept & (self.errors.covariance is not None), strict=True))
        limited = {n: "lower" for n, at in zip(self.names, self.errors.at_lower, strict=True) if at}
        limited |= {n: "upper" for n, at in zip(self.names, self.errors.at_upper, strict=True) if at}
        addresses = models.parameters.addresses
        targets = {addresses[models.addresses().resolve(link.parameter)]: link for link in models.links}
        for index, (address, parameter) in enumerate(zip(addresses, models.parameters, strict=True)):
            source = self.layout.free_position(index)
            measured = source is not None and has_error.get(self.layout.free_addresses[source], False)
            yield FittedParameter(
                name=address,
                value=parameter.value,
                error=parameter.error if measured else None,
                unit=parameter.unit,
                frozen=parameter.frozen,
                min=_finite(parameter.limits()[0]),
                max=_finite(parameter.limits()[1]),
                at_limit=limited.get(address),  # type: ignore[arg-type]  # "lower" or "upper"
                link=targets[address].equals if address in targets else None,
                minos=intervals.get(address),
            )

    def _components(
        self, models: Models, summaries: Sequence[DatasetSummary], tested: dict[str, float | None]
    ) -> Iterable[FittedComponent]:
        free = {position for position, used in zip(self.layout.free, self.objective.active, strict=True) if used}
        for component in models:
            slots = self.layout.slots(component.name)
            predicted = {s.name: s.components[component.name] for s in summaries if component.name in s.components}
            yield FittedComponent(
                name=component.name,
                type=component.tags[0],
                predicted=predicted if isinstance(component, SkyModel) else {},
                degrees_of_freedom=sum(position in free for position in range(slots.start, slots.stop)),
                ts=tested.get(component.name),
                decorrelation_energy=self._decorrelation_energy(models, component),
            )

    def _decorrelation_energy(self, models: Models, component: Component) -> float | None:
        """Of a sky component with errors, between the energies of the datasets that it applies to."""
        if self.errors.covariance is None or models.covariance is None or not isinstance(component, SkyModel):
            return None
        seen = [dataset for dataset in self.likelihood.datasets if component.applies_to(dataset.name)]
        if not seen:
            return None
        slots = self.layout.slots(component.name, "spectral")
        factors = np.array(component.spectral_model.factors)
        covariance = models.covariance[slots, slots] * np.outer(factors, factors)
        e_min, e_max = (f(a) for f, a in zip((min, max), zip(*map(_energies, seen), strict=True), strict=True))
        return decorrelation_energy(
            component.spectral_model, component.spectral_model.values(), covariance, e_min, e_max
        )


def _energies(dataset: Dataset) -> tuple[float, float]:
    """Lowest and highest energy [TeV] of a dataset."""
    if isinstance(dataset, FluxPointsDataset):
        return float(dataset.points.energy.min()), float(dataset.points.energy.max())
    return float(dataset.energy.edges[0]), float(dataset.energy.edges[-1])


def _is_left(likelihood: JointLikelihood, objective: Restricted, vector: Array) -> bool:
    """Whether a source has left the reach of its responses."""
    return bool(likelihood.left_behind(objective.full(vector)))


def _amplitudes(likelihood: JointLikelihood) -> BoolArray:
    """Which free parameters a predicted spectrum is proportional to, (n_free,)."""
    layout = likelihood.layout
    found = np.zeros(len(layout.free_addresses), dtype=bool)
    for component in likelihood.models:
        position = component.spectral_model.amplitude_position()
        if position is not None:
            free = layout.free_position(layout.slots(component.name, "spectral").start + position)
            if free is not None:
                found[free] = True
    return found


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def _culprits(likelihood: JointLikelihood) -> str:
    bad = [s.name for s in likelihood.summarize(likelihood.layout.start) if not np.isfinite(s.statistic)]
    return f"datasets {', '.join(bad)}" if bad else "a prior is infinite at the start value"
