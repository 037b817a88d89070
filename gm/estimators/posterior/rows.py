"""Rows of the document of a posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.estimators.posterior.draws import Chain, Evidence
from gm.estimators.posterior.marginals import Marginal
from gm.values import finite


def marginal_row(row: Marginal) -> dict[str, Any]:
    """Of a parameter or quantity."""
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


def evidence_row(found: Evidence | None) -> dict[str, Any] | None:
    """Of nested sampling."""
    if found is None:
        return None
    return {
        "ln_z": found.ln_z,
        "error": found.error,
        "calls": found.calls,
        "live_points": found.live_points,
        "effective_draws": found.effective,
    }


def sampler_row(chain: Chain) -> dict[str, Any]:
    """How a chain of NUTS went."""
    return {
        "step_size": chain.step_size,
        "acceptance_rate": finite(chain.sampler["acceptance_rate"].mean()),
        "steps": int(chain.sampler["n_steps"].sum()),
        "deepest_tree": int(chain.sampler["tree_depth"].max()),
        "diverging": int(chain.sampler["diverging"].sum()),
    }


# And back


def marginal_from(row: Mapping[str, Any]) -> Marginal:
    """What the row of a parameter or quantity says."""
    low, high = row["interval_68"]
    least, most = row["interval_95"]
    own = {**row, "prior": row["prior"] or "", "interval_68": (low, high), "interval_95": (least, most)}
    return Marginal(**own)


def evidence_from(row: Mapping[str, Any] | None) -> Evidence | None:
    """What the row of nested sampling says."""
    if row is None:
        return None
    return Evidence(row["ln_z"], row["error"], row["calls"], row["live_points"], row["effective_draws"])
