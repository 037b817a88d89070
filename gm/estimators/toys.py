"""Toys: data as they would be measured again if the models were true, and what a fit makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.redrawn import Expectation
from gm.datasets.simulation import stream
from gm.errors import GmError
from gm.estimators.flux_points import FluxPointsEstimator
from gm.fit import Fit, FitResult
from gm.likelihood import DatasetSummary, Engine, JointLikelihood, RepeatingEngine
from gm.models import Models, Parameter
from gm.models.prior import GaussianPrior

_PRIORS = "priors"  # the stream of random numbers from which they are drawn


@dataclass(frozen=True)
class Toy:
    """What the fit of one toy found, as plain data; None for a number that does not exist.

    number : from 0; with the seed it decides the data
    status : that of the fit; reason : why there is no minimum
    statistic : -2 ln L with priors, and ``datasets`` that of each
    deviances : -2 ln L of each dataset, above that of a model that predicts what was measured in every bin
    values, errors, minos : of the free parameters, by address; ``minos`` as signed distances
    ts : test statistic of components against their absence; limits : upper limits on the norm of sources
    """

    number: int
    status: str
    reason: str = ""
    statistic: float | None = None
    datasets: dict[str, float] = field(default_factory=dict)
    deviances: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float | None] = field(default_factory=dict)
    minos: dict[str, Sequence[float | None]] = field(default_factory=dict)
    ts: dict[str, float | None] = field(default_factory=dict)
    limits: dict[str, float | None] = field(default_factory=dict)

    @property
    def deviance(self) -> float | None:
        """Of all datasets, with priors."""
        if self.statistic is None:
            return None
        return self.statistic - sum(self.datasets.values()) + sum(self.deviances.values())

    @property
    def success(self) -> bool:
        """The fit found a minimum."""
        return self.status in ("converged", "at_limit")


class Truth:
    """Datasets and the global model that is taken for the truth, ready to be drawn from again and again.

    Counts are Poisson around what the models predict. OFF counts are drawn around the background that is most likely
    under the models, not around those that were measured, and so is the background in the ON counts. The centre of a
    Gaussian prior is a measurement too: it is drawn around the true value. Other priors, limits and links stay.

    expected : of each dataset, what its counts are drawn around
    statistic : -2 ln L of the datasets with priors; ``statistics`` and ``deviances`` : of each, as in a `Toy`

    Raises `DataError` for datasets that cannot be drawn (flux points with profiles), and without a bin.
    """

    def __init__(
        self,
        datasets: Datasets,
        models: Models,
        conventions: Conventions | str = Conventions.GAMMAPY,
        engine: Engine | None = None,
    ) -> None:
        likelihood = JointLikelihood(datasets, models, conventions, engine=engine)
        self.datasets, self.models = datasets, models
        start = likelihood.layout.start
        predicted = likelihood.predicted(start)
        summaries = likelihood.summarize(start)
        self.statistic = likelihood.value(start)
        self.statistics = {summary.name: summary.statistic for summary in summaries}
        self.deviances = deviances(datasets, summaries)
        pairs = zip(datasets, predicted, strict=True)
        self.expected = [Expectation.of(dataset, counts) for dataset, counts in pairs]

    def draw(self, seed: int, number: int) -> tuple[Datasets, Models]:
        """Toy ``number``: the datasets, and the models that it is fitted with. The same seed and number: the same bits.

        Raises `DataError`.
        """
        own = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
        drawn = Datasets(expected.draw(own) for expected in self.expected)
        return drawn, _with_drawn_priors(self.models, stream(own, _PRIORS))


def _with_drawn_priors(models: Models, random: np.random.Generator) -> Models:
    """The models with the centres of their Gaussian priors drawn around the values of the parameters."""
    flat = [_drawn(parameter, random) for parameter in models.parameters]
    return models.with_flat(flat) if any(p.prior for p in flat) else models


def _drawn(parameter: Parameter, random: np.random.Generator) -> Parameter:
    prior = parameter.prior
    if not isinstance(prior, GaussianPrior) or parameter.frozen or not prior.weight > 0:
        return parameter
    width = prior.sigma / np.sqrt(prior.weight)
    return replace(parameter, prior=replace(prior, mu=float(random.normal(parameter.value, width))))


@dataclass(frozen=True, kw_only=True)
class ToyFit:
    """What is done with each toy: a fit as `Fit` does it, from the true values.

    minos : addresses or patterns of parameters that get asymmetric errors
    test : names of components whose TS is computed
    limits : names of sources that get an upper limit on their norm, with the shape of their spectrum known
    sigma_ul : its level
    errors : False for the minimum alone
    """

    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None
    minos: Iterable[str] = ()
    test: Iterable[str] = ()
    limits: Iterable[str] = ()
    sigma_ul: float = 2.0
    errors: bool = True
    _repeating: RepeatingEngine = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_repeating", RepeatingEngine(self.engine))

    def run(self, truth: Truth, seed: int, number: int) -> Toy:
        """Draw a toy and fit it; what goes wrong is its status and reason."""
        try:
            datasets, models = truth.draw(seed, number)
            fit = Fit(datasets, self.conventions, self._repeating)
            result = fit.run(models, minos=self.minos, test=self.test) if self.errors else fit.optimize(models)
            limits = {source: self._limit(source, datasets, truth.models) for source in self.limits}
        except GmError as error:
            return Toy(number, "failed", "; ".join(str(error).split("\n    ")))
        return _toy(number, result, deviances(datasets, result.datasets), limits)

    def _limit(self, source: str, datasets: Datasets, models: Models) -> float | None:
        """Upper limit on the norm, over all energies together, everything else as it is in truth."""
        low, high = zip(*(dataset.energy_range() for dataset in datasets), strict=True)
        estimator = FluxPointsEstimator(
            source=source,
            energy_edges=(min(low), max(high)),
            sigma_ul=self.sigma_ul,
            norm_scan=(1.0,),
            conventions=self.conventions,
            engine=self.engine,
        )
        [point] = estimator.run(datasets, models).points
        return None if point.estimate is None else point.estimate.norm_ul


def deviances(datasets: Datasets, summaries: Iterable[DatasetSummary]) -> dict[str, float]:
    """-2 ln L of each dataset, relative to a model that predicts what was measured in every bin."""
    pairs = zip(datasets, summaries, strict=True)
    return {s.name: s.statistic - d.measurement().statistic(np.flatnonzero(d.mask)).saturated() for d, s in pairs}


def _toy(number: int, result: FitResult, above_saturated: dict[str, float], limits: dict[str, float | None]) -> Toy:
    free = [row for row in result.parameters if not row.frozen and row.link is None]
    return Toy(
        number=number,
        status=result.status,
        reason="" if result.success else result.message,
        statistic=_finite(result.statistic),
        datasets={summary.name: summary.statistic for summary in result.datasets},
        deviances=above_saturated,
        values={row.name: row.value for row in free},
        errors={row.name: row.error for row in free},
        minos={row.name: row.minos for row in free if row.minos is not None},
        ts={row.name: row.ts for row in result.components if row.ts is not None or row.ts_reason},
        limits=limits,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
