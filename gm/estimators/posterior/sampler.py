"""The posterior of a global model, drawn by NUTS or by nested sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.posterior.density import Density
from gm.estimators.posterior.draws import Chain, Evidence
from gm.estimators.posterior.marginals import Marginal, marginal, of_parameters, problems
from gm.estimators.posterior.nested import Nested
from gm.estimators.posterior.nuts import Nuts
from gm.estimators.posterior.rows import evidence_row, marginal_row, sampler_row
from gm.estimators.profile_space import derived_of
from gm.estimators.quantity import Quantity
from gm.estimators.told import Told
from gm.fit import Fit
from gm.fit.run import FitRun
from gm.io.netcdf import draws_bytes
from gm.likelihood import Engine
from gm.models import Models
from gm.values import finite

Method = Literal["nuts", "nested"]
Work = Callable[[int], Chain]
Each = Callable[[Work, Sequence[int]], Iterable[Chain]]
"""How chains are computed from their numbers: one after the other, as `map` does, or in processes."""


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Told):
    """Draws from the posterior of a global model; ``models`` are at the best fit.

    names, units : of the parameters and quantities (n,); draws : (chains, draws, n); statistic : (chains, draws)
    marginals : of each; correlation : (n, n) of all draws; chains : with what the sampler tells of each draw
    evidence : of nested sampling; problems : why the draws cannot be trusted, one sentence each; warnings : of the fit
    method, seed, tune : of the sampler
    """

    models: Models
    draws: Array
    marginals: tuple[Marginal, ...]
    chains: tuple[Chain, ...]
    evidence: Evidence | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    method: Method = "nuts"
    seed: int = 1
    tune: int = 1000

    told_as: ClassVar[str] = "sample"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            "schema": "gm/sample/1",
            "name": name or "sample",
            "status": "ok" if self.success else "not_converged",
            "message": "; ".join([self._size(), *self.problems]),
            "warnings": list(self.warnings),
            "method": self.method,
            "seed": self.seed,
            "chains": self.draws.shape[0],
            "draws": self.draws.shape[1],
            "file": "draws.nc",
            "evidence": evidence_row(self.evidence),
            "parameters": [marginal_row(row) for row in self.marginals],
            "correlation": self.correlation().tolist(),
            "statistic": {"lowest": finite(self.statistic.min()), "mean": finite(self.statistic.mean())},
            "sampler": [{"tune": self.tune, **sampler_row(chain)} for chain in self.chains if chain.sampler],
            "inputs": None if inputs is None else dict(inputs),
        }

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """As ArviZ calls them: the draws, and of each what the sampler tells. Raises `UsageError` without h5netcdf."""
        draws = {row.name: (self.draws[..., k], row.unit) for k, row in enumerate(self.marginals)}
        names = self.chains[0].sampler
        told = {name: (np.stack([chain.sampler[name] for chain in self.chains]), "") for name in names}
        groups = {"posterior": draws, "sample_stats": {"lp": (-0.5 * self.statistic, ""), **told}}
        return {document["file"]: draws_bytes(groups)}

    def told(self) -> str:
        return f"{len(self.marginals)} parameters and quantities, {'; '.join([self._size(), *self.problems])}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The parameters and quantities."""
        for row in self.marginals:
            numbers = {"median": row.median, "within 68 %": list(row.interval_68), "within 95 %": list(row.interval_95)}
            yield {"name": row.name, **numbers, "unit": row.unit, "R-hat": row.r_hat, "ESS": row.ess_bulk}

    def _size(self) -> str:
        n_chains, n_draws, _ = self.draws.shape
        chains = f"{n_chains} chain{'s' * (n_chains != 1)} of "
        return f"{chains if self.evidence is None else ''}{n_draws} draws"

    @property
    def success(self) -> bool:
        """The chains agree, and there are draws enough."""
        return not self.problems

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.marginals)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(row.unit for row in self.marginals)

    @property
    def statistic(self) -> Array:
        return np.stack([chain.statistic for chain in self.chains])

    def correlation(self) -> Array:
        """Of all draws, (n, n); zeros for a parameter whose draws are all the same."""
        flat = self.draws.reshape(-1, self.draws.shape[-1])
        apart = flat - flat.mean(axis=0)
        size = np.sqrt((apart**2).sum(axis=0))
        scaled = np.divide(apart, size, out=np.zeros_like(apart), where=size > 0)
        return np.asarray(scaled.T @ scaled)


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
