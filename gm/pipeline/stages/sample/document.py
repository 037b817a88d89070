"""What ``sample/sample.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.estimators.posterior.marginals import Marginal
from gm.estimators.posterior.sampler import Posterior
from gm.pipeline.analysis.settings import plural
from gm.pipeline.results import finite
from gm.pipeline.stages.sample.settings import SampleSettings


def sample_document(
    posterior: Posterior, name: str, settings: SampleSettings, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/sample/1`` document; numbers that do not exist are None."""
    n_chains, n_draws, _ = posterior.draws.shape
    size = f"{plural(n_chains, 'chain')} of {n_draws} draws" if posterior.evidence is None else f"{n_draws} draws"
    return {
        "schema": "gm/sample/1",
        "name": name,
        "status": "ok" if posterior.success else "not_converged",
        "message": "; ".join([size, *posterior.problems]),
        "warnings": list(posterior.warnings),
        "method": settings.method,
        "seed": settings.seed,
        "chains": n_chains,
        "draws": n_draws,
        "file": "draws.nc",
        "evidence": _evidence(posterior),
        "parameters": [_marginal(row) for row in posterior.marginals],
        "correlation": posterior.correlation().tolist(),
        "statistic": {"lowest": finite(posterior.statistic.min()), "mean": finite(posterior.statistic.mean())},
        "sampler": _sampler(posterior, settings),
        "inputs": dict(inputs),
    }


def _marginal(row: Marginal) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "prior": row.prior or None,
        "mean": row.mean,
        "std": row.std,
        "median": row.median,
        "interval_68": list(row.interval_68),
        "interval_95": list(row.interval_95),
        "r_hat": row.r_hat,
        "ess_bulk": row.ess_bulk,
        "ess_tail": row.ess_tail,
        "mcse": row.mcse,
        "best": row.best,
        "error": row.error,
    }


def _evidence(posterior: Posterior) -> dict[str, Any] | None:
    found = posterior.evidence
    if found is None:
        return None
    return {
        "ln_z": found.ln_z,
        "error": found.error,
        "calls": found.calls,
        "live_points": found.live_points,
        "effective_draws": found.effective,
    }


def _sampler(posterior: Posterior, settings: SampleSettings) -> list[dict[str, Any]]:
    """Of each chain of NUTS, how it went."""
    return [
        {
            "tune": settings.tune,
            "step_size": chain.step_size,
            "acceptance_rate": finite(chain.sampler["acceptance_rate"].mean()),
            "steps": int(chain.sampler["n_steps"].sum()),
            "deepest_tree": int(chain.sampler["tree_depth"].max()),
            "diverging": int(chain.sampler["diverging"].sum()),
        }
        for chain in posterior.chains
        if chain.sampler
    ]
