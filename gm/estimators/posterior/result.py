"""Draws from a posterior and what they say, as a value and a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from gm.arrays import Array
from gm.estimators.posterior.draws import Chain, Evidence
from gm.estimators.posterior.marginals import Marginal, problems
from gm.estimators.posterior.rows import evidence_from, evidence_row, marginal_from, marginal_row, sampler_row
from gm.estimators.told import Told
from gm.io.netcdf import draws_bytes, read_draws
from gm.models import Models
from gm.values import finite

Method = Literal["nuts", "nested"]


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Told):
    """Draws from the posterior of a global model; ``models`` are at the best fit, None
    where it was read from a file.

    names, units : of the parameters and quantities (n,); draws : (chains, draws, n); statistic : (chains, draws)
    marginals : of each; correlation : (n, n) of all draws; chains : with what the sampler tells of each draw
    evidence : of nested sampling; problems : why the draws cannot be trusted, one sentence each; warnings : of the fit
    method, seed, tune : of the sampler
    """

    models: Models | None
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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """With the draws of the file that the document names. Raises `UsageError` without h5netcdf."""
        file, marginals = directory / data["file"], tuple(map(marginal_from, data["parameters"]))
        held, told = read_draws(file, "posterior"), read_draws(file, "sample_stats")
        draws = np.stack([held[row.name][0] for row in marginals], axis=-1)
        statistic, names = -2.0 * told["lp"][0], [name for name in told if name != "lp"]
        n_own = sum(bool(row.prior) for row in marginals)  # parameters have one, if a flat one; quantities follow
        adapted = data["sampler"] or [{}] * len(draws)
        chains = tuple(
            Chain(
                draws[k, :, :n_own],
                statistic[k],
                {name: told[name][0][k] for name in names},
                adapted[k].get("step_size"),
            )
            for k in range(len(draws))
        )
        return cls(
            models=None,
            draws=draws,
            marginals=marginals,
            chains=chains,
            evidence=evidence_from(data["evidence"]),
            problems=tuple(problems(marginals, chains)),
            warnings=tuple(data["warnings"]),
            method=data["method"],
            seed=data["seed"],
            tune=adapted[0].get("tune", 0),
        )

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
