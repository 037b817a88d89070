"""The posterior of a global model, drawn by NUTS or by nested sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.posterior.density import Density
from gm.estimators.posterior.draws import Chain, Evidence
from gm.estimators.posterior.marginals import marginal, of_parameters, problems
from gm.estimators.posterior.nested import Nested
from gm.estimators.posterior.nuts import Nuts
from gm.estimators.posterior.result import Method, Posterior
from gm.estimators.profile_space import derived_of
from gm.estimators.quantity import Quantity
from gm.fit import Fit
from gm.fit.run import FitRun
from gm.likelihood import Engine
from gm.models import Models

Work = Callable[[int], Chain]
Each = Callable[[Work, Sequence[int]], Iterable[Chain]]
"""How chains are computed from their numbers: one after the other, as `map` does, or in processes."""


@dataclass(frozen=True, kw_only=True)
class PosteriorSampler:
    """Draws from the posterior of the free parameters around their best fit.

    The density is the likelihood of the fit times the priors of the models; a parameter without a prior has a flat one
    between its limits. ``nuts``: ``chains`` of ``draws`` each, after ``tune`` that are thrown away; ``nested``:
    ``draws`` of equal weight, and the evidence, from ``live_points``, where all priors are densities. The same seed
    gives the same bits. quantities : fluxes that follow from the parameters.
    """

    method: Method = "nuts"
    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    live_points: int = 500
    seed: int = 1
    quantities: Sequence[Quantity | str] = ()
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models, each: Each = map) -> Posterior:
        """Fit, then draw; ``each`` computes the chains.

        Raises `UsageError` (method, quantity, priors, libraries), `DataError` without a best fit, what a fit raises.
        """
        if self.method not in ("nuts", "nested"):
            raise UsageError(f"'{self.method}' is no method; methods: nuts, nested")
        quantities = [Quantity.parse(of) if isinstance(of, str) else of for of in self.quantities]
        for problem in filter(None, (quantity.problem(models) for quantity in quantities)):
            raise UsageError("; ".join(problem))
        run = Fit(datasets, self.conventions, self.engine).converge(models)
        status, message = run.verdict()
        if status not in ("converged", "at_limit"):
            raise DataError(f"there is no best fit to draw around: {message}")
        density = Density(run)
        if self.method == "nested":
            chain, evidence = Nested(self.draws, self.seed, self.live_points).run(density)
            return self._posterior(run, density, [chain], quantities, evidence)
        nuts = Nuts(self.draws, self.tune, self.seed)
        chains = list(each(lambda number: nuts.chain(density, number), range(self.chains)))
        return self._posterior(run, density, chains, quantities, None)

    def _posterior(
        self,
        run: FitRun,
        density: Density,
        chains: Sequence[Chain],
        quantities: Sequence[Quantity],
        evidence: Evidence | None,
    ) -> Posterior:
        """What the chains say, of the parameters and of what follows from them."""
        parameters = np.stack([chain.parameters for chain in chains])
        rows, parts = list(of_parameters(density, parameters)), [parameters]
        for quantity in quantities:
            of = derived_of(run, quantity)
            values = np.array([[of(vector)[0] for vector in chain.parameters] for chain in chains])
            best = of(run.minimum.vector)[0]
            rows.append(replace(marginal(values, str(quantity), quantity.unit), best=best))
            parts.append(values[..., None])
        if evidence is not None:  # drawn with replacement: as many as they are worth
            worth = min(evidence.effective, parameters.shape[1])
            rows = [replace(row, ess_bulk=worth, ess_tail=worth, mcse=row.std / worth**0.5) for row in rows]
        return Posterior(
            models=run.best_models(),
            draws=np.concatenate(parts, axis=-1),
            marginals=tuple(rows),
            chains=tuple(chains),
            evidence=evidence,
            problems=tuple(problems(rows, chains)),
            warnings=tuple(run.warnings),
            method=self.method,
            seed=self.seed,
            tune=self.tune,
        )
