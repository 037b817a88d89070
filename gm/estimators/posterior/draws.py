"""Draws from a posterior: chains of parameters, and what tells whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gm.arrays import Array


@dataclass(frozen=True, eq=False)
class Chain:
    """One chain, in the order in which it was drawn.

    parameters : (draws, n); statistic : (draws,) -2 ln L with priors
    sampler : (draws,) arrays by ArviZ's names: ``acceptance_rate``, ``n_steps``, ``tree_depth``, ``diverging``
    step_size : of NUTS, after its adaptation
    """

    parameters: Array
    statistic: Array
    sampler: Mapping[str, Array] = field(default_factory=dict)
    step_size: float | None = None


@dataclass(frozen=True)
class Evidence:
    """ln of the integral of likelihood times priors, from nested sampling, with its error.

    calls : of the likelihood; effective : size of an equally weighted sample that says as much (Kish)
    """

    ln_z: float
    error: float
    calls: int
    live_points: int
    effective: float
