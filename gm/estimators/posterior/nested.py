"""Nested sampling: equally weighted draws and the evidence; the sampler is that of dynesty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm.arrays import Array
from gm.errors import UsageError
from gm.estimators.posterior.density import Density
from gm.estimators.posterior.draws import Chain, Evidence
from gm.estimators.posterior.extra import needed


@dataclass(frozen=True)
class Nested:
    """How draws are made: nested sampling (Skilling 2006, Bayesian Analysis 1, 833) until less than ``dlogz`` can be
    missing from ln Z."""

    draws: int = 2000
    seed: int = 1
    live_points: int = 500
    dlogz: float = 0.01

    def run(self, density: Density) -> tuple[Chain, Evidence]:
        """One chain of equally weighted draws, and the evidence, functions of the seed alone.

        Raises `UsageError` where a parameter has no prior that can be drawn from, and without dynesty.
        """
        priors = Priors(density)
        dynesty, random = needed("dynesty"), np.random.default_rng(self.seed)

        def log_likelihood(vector: Array) -> float:
            return -0.5 * (density.value(vector) - density.prior_value(vector))

        sampler = dynesty.NestedSampler(
            log_likelihood, priors.parameters, len(density.names), nlive=self.live_points, rstate=random
        )
        sampler.run_nested(dlogz=self.dlogz, print_progress=False)
        found = sampler.results
        weights = np.exp(found.logwt - found.logz[-1])
        weights /= weights.sum()
        chosen = random.choice(len(weights), size=self.draws, p=weights)
        parameters = np.asarray(found.samples[chosen], dtype=np.float64)
        evidence = Evidence(
            ln_z=float(found.logz[-1]),
            error=float(found.logzerr[-1]),
            calls=int(np.sum(found.ncall)),
            live_points=self.live_points,
            effective=float(1 / (weights**2).sum()),
        )
        return Chain(parameters, np.array([density.value(vector) for vector in parameters])), evidence


@final
class Priors:
    """The priors of all parameters as quantiles: each within its limits, flat there where it has none.

    Raises `UsageError`, all problems at once, where one has no prior that can be drawn from.
    """

    def __init__(self, density: Density) -> None:
        self._distributions, problems = list[Any](), list[str]()
        for k, (name, parameter) in enumerate(zip(density.names, density.parameters, strict=True)):
            prior = parameter.prior
            if prior is None and not density.flat(k).is_proper:
                problems.append(f"{name} has none, nor two limits")
            elif prior is not None and prior.weight != 1:
                problems.append(f"{name} has one of weight {prior.weight:g}, which is no density")
            else:
                self._distributions.append((prior or density.flat(k)).distribution)
        if problems:
            hint = "give each a prior of weight 1, or min and max under parameters:, or use method: nuts"
            raise UsageError("\n    ".join(["nested sampling needs a prior of each parameter", *problems, hint]))
        ends = zip(self._distributions, density.lower, density.upper, strict=True)
        self._ends = [(float(of.cdf(low)), float(of.cdf(high))) for of, low, high in ends]

    def parameters(self, cube: Array) -> Array:
        """Parameters (n,) from shares of probability (n,)."""
        found = zip(self._distributions, self._ends, cube, strict=True)
        return np.array([of.ppf(low + (high - low) * share) for of, (low, high), share in found])
