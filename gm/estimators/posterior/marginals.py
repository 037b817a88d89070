"""What draws say of one parameter, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.arrays import Array
from gm.estimators.posterior.density import Density
from gm.estimators.posterior.draws import Chain
from gm.estimators.posterior.extra import needed

R_HAT, SIZE_OF_CHAIN = 1.01, 100
"""Chains agree below the first; the second times their number is the least effective size (Vehtari et al. 2021)."""
_ONE, _TWO = (0.158655, 0.841345), (0.025, 0.975)
_FEWEST = 4  # draws of a chain of which anything can be told


@dataclass(frozen=True)
class Marginal:
    """The draws of one parameter or quantity.

    prior : in words, empty for a quantity; interval_68, interval_95 : equal-tailed
    r_hat : rank-normalised, between chains; ess_bulk, ess_tail : effective numbers of draws; mcse : error of the mean
    (Vehtari et al. 2021, Bayesian Analysis 16, 667); None where the draws do not tell
    best, error : those of the fit
    """

    name: str
    unit: str
    prior: str
    mean: float
    std: float
    median: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    r_hat: float | None = None
    ess_bulk: float | None = None
    ess_tail: float | None = None
    mcse: float | None = None
    best: float | None = None
    error: float | None = None


def marginal(draws: Array, name: str, unit: str, prior: str = "") -> Marginal:
    """Of the draws (n_chains, n) of a quantity; without diagnostics where they are few or all the same."""
    low, median, high = np.quantile(draws, [_ONE[0], 0.5, _ONE[1]])
    least, most = np.quantile(draws, _TWO)
    ends = (float(low), float(high)), (float(least), float(most))
    found = Marginal(name, unit, prior, float(draws.mean()), float(draws.std(ddof=1)), float(median), *ends)
    if draws.shape[1] < _FEWEST or not np.ptp(draws) > 0:
        return found
    stats = needed("arviz_stats.base").array_stats
    return replace(
        found,
        r_hat=_finite(stats.rhat(draws)) if len(draws) > 1 else None,
        ess_bulk=_finite(stats.ess(draws, method="bulk")),
        ess_tail=_finite(stats.ess(draws, method="tail", prob=0.9)),
        mcse=_finite(stats.mcse(draws, method="mean")),
    )


def of_parameters(density: Density, draws: Array) -> Iterator[Marginal]:
    """Of each parameter, from draws (n_chains, n, n_parameters)."""
    for k, (name, unit, parameter) in enumerate(zip(density.names, density.units, density.parameters, strict=True)):
        prior = str(density.flat(k)) if parameter.prior is None else str(parameter.prior)
        error = None if density.covariance is None else float(np.sqrt(density.covariance[k, k])) or None
        yield replace(marginal(draws[..., k], name, unit, prior), best=float(density.best[k]), error=error)


def problems(marginals: Sequence[Marginal], chains: Sequence[Chain]) -> Iterator[str]:
    """Why draws are not what they should be, one sentence each."""
    apart = [row.name for row in marginals if row.r_hat is not None and row.r_hat > R_HAT]
    if apart:
        yield f"the chains do not agree on {', '.join(apart)} (r_hat above {R_HAT}); draw more"
    least = SIZE_OF_CHAIN * len(chains)
    few = [row.name for row in marginals if min(row.ess_bulk or 0, row.ess_tail or 0) < least]
    if few:
        yield f"{', '.join(few)}: fewer than {least} effective draws; draw more"
    diverging = int(sum(chain.sampler["diverging"].sum() for chain in chains if "diverging" in chain.sampler))
    if diverging:
        total = sum(len(chain.statistic) for chain in chains)
        yield f"{diverging} of {total} trajectories diverge: parts of the posterior may be missing"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
