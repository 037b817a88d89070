"""Which spectrum describes a component best: alternatives fitted in the global model, and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, isfinite, log, sqrt

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import GmError, UsageError, suggest
from gm.estimators.selection_result import Candidate, Criterion, FitSummary, NestedTest, Selection
from gm.estimators.spectral_starts import bent, holds, translated
from gm.fit import Fit, FitResult
from gm.likelihood import Engine, JointLikelihood
from gm.models import Component, Layout, Models
from gm.models.spectral.base import SpectralModel

Progress = Callable[[str, float], None]
_LOWER = 1e-3  # of -2 ln L: what a model that holds another one may be above it
_POWER_LAWS, _PARABOLAS = {"pl", "pl-2"}, {"lp", "lp2"}


@dataclass(frozen=True)
class Alternative:
    """A name and a spectrum; with ``has_values`` its own values are tried as a start too."""

    name: str
    spectral_model: SpectralModel
    has_values: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelSelection:
    """Alternatives for the spectrum of ``component``, each with everything else fitted again.

    criterion : the lowest ``aic`` or ``bic`` is chosen; ``ts``: the last alternative that is preferred to the chosen
    before it, which it holds, by ``sigma`` standard deviations
    """

    component: str
    alternatives: Sequence[Alternative]
    criterion: Criterion = "aic"
    sigma: float = 3.0
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> Selection:
        """Fit all of them, from the spectrum that ``models`` have. Raises `UsageError`."""
        if self.component not in models:
            raise UsageError(f"no component is called '{self.component}'; {suggest(self.component, models.names, '')}")
        comparison = _Comparison(self, datasets, models)
        for k, alternative in enumerate(self.alternatives):
            if progress is not None:
                progress(alternative.name, k / len(self.alternatives))
            comparison.fit(alternative)
        comparison.fit_again_where_a_special_case_is_better()
        return comparison.selection()


class _Comparison:
    """The candidates while they are fitted."""

    def __init__(self, settings: ModelSelection, datasets: Datasets, models: Models) -> None:
        self.settings, self.datasets, self.models = settings, datasets, models
        seen = [d.energy_range() for d in datasets if models[settings.component].applies_to(d.name)]
        if not seen:
            raise UsageError(f"no dataset sees '{settings.component}'")
        self.energies = min(low for low, _ in seen), max(high for _, high in seen)
        self.candidates: dict[str, Candidate] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def fit(self, alternative: Alternative) -> None:
        """From the start that is lowest: the given model's spectrum, or that of an alternative before, in its terms."""
        before = [self.models, *(c.result.models for c in self.candidates.values() if c.result is not None)]
        try:
            starts = [start for models in before for start in self._starts(models, alternative)]
            values = [self._statistic(start) for start in starts]
            if not any(map(isfinite, values)):
                raise UsageError("the statistic is not finite at any start")
            result = self._best_of(starts[values.index(min(values))])
        except GmError as error:
            reason = "; ".join(str(error).split("\n    "))
            self.candidates[alternative.name] = Candidate(alternative.name, _type(alternative), "failed", reason)
            return
        reason = "" if result.success else result.message
        self.candidates[alternative.name] = Candidate(
            alternative.name, _type(alternative), result.status, reason, result, FitSummary.of(result)
        )

    def _best_of(self, start: Models) -> FitResult:
        """The fit from a start; where that finds no minimum, the best of fits from others (`bent`)."""
        result = self._fit().run(start)
        if result.success:
            return result
        spectrum = start[self.settings.component].spectral_model
        others = [self._fit().run(self._with(start, other)) for other in bent(spectrum, *self.energies)]
        return min((other for other in others if other.success), key=lambda other: other.statistic, default=result)

    def _fit(self) -> Fit:
        return Fit(self.datasets, self.settings.conventions, self.settings.engine)

    def _starts(self, models: Models, alternative: Alternative) -> list[Models]:
        own, new = models[self.settings.component].spectral_model, alternative.spectral_model
        if alternative.has_values:
            return [self._with(models, new), self._with(models, translated(own, new, *self.energies).model)]
        if own.tags == new.tags and not new.setting_names:
            return [models]
        return [self._with(models, translated(own, new, *self.energies).model)]

    def _with(self, models: Models, spectral: SpectralModel) -> Models:
        """The global model with another spectrum. Raises `ModelError` where a link needs the old one."""
        name = self.settings.component
        changed: list[Component] = [
            replace(component, spectral_model=spectral) if component.name == name else component for component in models
        ]
        return Models(changed, models.links)

    def _statistic(self, models: Models) -> float:
        likelihood = JointLikelihood(
            self.datasets, models, self.settings.conventions, frozen_shapes=True, engine=self.settings.engine
        )
        value = likelihood.value(likelihood.layout.start)
        return value if isfinite(value) else inf

    def fit_again_where_a_special_case_is_better(self) -> None:
        """A model that holds a better one has a lower minimum than it was found to have."""
        for name, candidate in list(self.candidates.items()):
            for other in self._good():
                if candidate.result is None or other.result is None or not self._holds(name, other.name):
                    continue
                if candidate.result.statistic > other.result.statistic + _LOWER:
                    alternative = next(a for a in self.settings.alternatives if a.name == name)
                    found = self._fit().run(self._starts(other.result.models, alternative)[-1])
                    if found.statistic < candidate.result.statistic:
                        reason = "" if found.success else found.message
                        candidate = replace(
                            candidate, status=found.status, reason=reason, result=found, fitted=FitSummary.of(found)
                        )
                        self.candidates[name] = candidate

    def _good(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates.values() if candidate.success]

    def _holds(self, rich: str, poor: str) -> bool:
        """Whether an alternative can be what another one is, and has more free parameters."""
        if (rich, poor) not in self._known:
            one, other = self._spectrum(rich), self._spectrum(poor)
            has_more = sum(not p.frozen for p in one.parameters) > sum(not p.frozen for p in other.parameters)
            self._known[rich, poor] = has_more and holds(one, other, *self.energies)
        return self._known[rich, poor]

    def _spectrum(self, name: str) -> SpectralModel:
        result = self.candidates[name].result
        assert result is not None  # only those with a fit are compared
        return result.models[self.settings.component].spectral_model

    def _test(self, one: Candidate, other: Candidate) -> NestedTest | None:
        """The test of two fits, in either order; None where neither is a special case."""
        for rich, poor in ((one, other), (other, one)):
            if rich.result is None or poor.result is None or rich.name == poor.name:
                return None
            if self._holds(rich.name, poor.name):
                ts = self._apart(poor.result) - self._apart(rich.result)
                return nested_test(poor.name, rich.name, ts, rich.result.n_free - poor.result.n_free)
        return None

    def _apart(self, result: FitResult) -> float:
        """-2 ln L without the priors of the component, of which alternatives have others or none."""
        layout = Layout(result.models)
        return result.statistic - layout.prior_value(layout.start, self.settings.component)

    def selection(self) -> Selection:
        first = next(iter(self.candidates.values()))
        good = self._good()
        aics = {c.name: self._apart(c.result) + 2 * c.result.n_free for c in good if c.result is not None}
        lowest = min(aics.values(), default=0.0)
        total = sum(exp(-0.5 * (aic - lowest)) for aic in aics.values())
        rows = tuple(
            self._compared(c, first, exp(-0.5 * (aics[c.name] - lowest)) / total) if c.name in aics else c
            for c in self.candidates.values()
        )
        curvature, why = self._curvature()
        return Selection(self.settings.component, self.settings.criterion, rows, self._chosen(rows), curvature, why)

    def _compared(self, candidate: Candidate, first: Candidate, weight: float) -> Candidate:
        result = candidate.result
        assert result is not None  # only good ones are compared
        row = replace(
            candidate,
            aic=self._apart(result) + 2 * result.n_free,
            bic=self._apart(result) + result.n_free * log(result.n_bins),
            weight=weight,
        )
        if candidate.name == first.name:
            return replace(row, ts=0.0)
        if first.result is None or not first.success:
            return replace(row, why_no_test=f"there is no fit of '{first.name}'")
        test = self._test(candidate, first)
        why = "" if test is not None else f"neither it nor '{first.name}' is a special case of the other"
        return replace(row, ts=self._apart(first.result) - self._apart(result), test=test, why_no_test=why)

    def _chosen(self, rows: Sequence[Candidate]) -> str | None:
        good = [row for row in rows if row.success]
        if not good:
            return None
        if self.settings.criterion == "ts":
            chosen = good[0]
            for row in good[1:]:
                test = self._test(row, chosen)
                if test is not None and test.richer == row.name and (test.sigma or 0.0) >= self.settings.sigma:
                    chosen = row
            return chosen.name
        by = self.settings.criterion
        return min(good, key=lambda row: getattr(row, by)).name

    def _curvature(self) -> tuple[NestedTest | None, str]:
        """A log parabola against a power law. Source: 4FGL, Abdollahi et al. 2020, ApJS 247, 33, ``TS_curv``."""
        straight = next((row for row in self._good() if _is_one_of(row, _POWER_LAWS)), None)
        curved = next((row for row in self._good() if _is_one_of(row, _PARABOLAS)), None)
        if straight is None or curved is None:
            return None, "it compares a power law (pl) with a log parabola (lp), and both need a fit"
        test = self._test(curved, straight)
        return test, "" if test is not None else "the log parabola cannot be the power law: something is frozen"


def _type(alternative: Alternative) -> str:
    return alternative.spectral_model.tags[0]


def _is_one_of(candidate: Candidate, tags: set[str]) -> bool:
    result = candidate.result
    if result is None:
        return False
    return any(candidate.type in c.spectral_model.tags and tags & {*c.spectral_model.tags} for c in result.models)


def nested_test(simpler: str, richer: str, ts: float, degrees_of_freedom: int) -> NestedTest:
    """Wilks' theorem. A TS below 0 by rounding counts as 0."""
    from scipy.special import chdtrc, ndtri

    above = max(ts, 0.0)
    p = float(chdtrc(degrees_of_freedom, above))
    sigma: float = sqrt(above) if degrees_of_freedom == 1 else float(-ndtri(p / 2))
    return NestedTest(simpler, richer, ts, degrees_of_freedom, p, sigma if isfinite(sigma) else None)
