"""Chains of the No-U-Turn sampler, on the exact gradient of the likelihood; the sampler is that of Mici."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.estimators.posterior.density import Density, Freely
from gm.estimators.posterior.draws import Chain
from gm.estimators.posterior.extra import needed

_TRIES = 100  # random starts of a chain, until one has a density
_DENSE = 100  # parameters up to which the metric is a matrix


@dataclass(frozen=True)
class Nuts:
    """How chains are drawn: by multinomial NUTS (Betancourt 2017, arXiv:1701.02434), whose step and metric adapt
    while ``tune`` draws are thrown away, to accept with a probability of ``accept``."""

    draws: int = 2000
    tune: int = 1000
    seed: int = 1
    accept: float = 0.8

    def chain(self, density: Density, number: int) -> Chain:
        """Chain ``number``, a function of seed and number alone. Raises `DataError`, `UsageError` without Mici."""
        mici, random = needed("mici"), np.random.default_rng([self.seed, number])
        free = Freely(density)
        system = mici.systems.EuclideanMetricSystem(free.value, grad_neg_log_dens=free.gradient)
        sampler = mici.samplers.DynamicMultinomialHMC(system, mici.integrators.LeapfrogIntegrator(system), random)
        metric = (
            mici.adapters.OnlineCovarianceMetricAdapter
            if free.n <= _DENSE
            else mici.adapters.OnlineVarianceMetricAdapter
        )
        with np.errstate(over="ignore", invalid="ignore"):
            _, traces, statistics = sampler.sample_chains(
                self.tune,
                self.draws,
                [_start(free, random)],
                adapters=[mici.adapters.DualAveragingStepSizeAdapter(self.accept), metric()],
                trace_funcs=[lambda state: {"there": state.pos}],
                display_progress=False,
                monitor_stats=None,
            )
        parameters = free.parameters(traces["there"][0])
        return Chain(
            parameters,
            np.array([density.value(vector) for vector in parameters]),
            {
                "acceptance_rate": np.asarray(statistics["accept_stat"][0], dtype=np.float64),
                "n_steps": np.asarray(statistics["n_step"][0], dtype=np.float64),
                "tree_depth": np.asarray(statistics["tree_depth"][0], dtype=np.float64),
                "diverging": np.asarray(statistics["diverging"][0], dtype=np.float64),
            },
            float(sampler.transitions["integration_transition"].integrator.step_size),
        )


def _start(free: Freely, random: np.random.Generator) -> Array:
    """Scaled coordinates (n,) about one standard deviation from the minimum. Raises `DataError`."""
    for _ in range(_TRIES):
        there = random.normal(size=free.n)
        if np.isfinite(free.value(there)):
            return there
    raise DataError("no chain can start: the posterior has no density around the best fit")
