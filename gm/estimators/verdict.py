"""Whether a norm is a flux, an upper limit, or nothing."""

from __future__ import annotations

import numpy as np

from gm.estimators.norm import NormEstimate
from gm.estimators.result import PointStatus


def verdict(estimate: NormEstimate, sigma_ul: float) -> tuple[PointStatus, str | None]:
    """The status, and its reason: a flux has a TS of ``sigma_ul`` squared at least."""
    if not np.isfinite([estimate.norm, estimate.stat, estimate.stat_null]).all():
        return "failed", "the statistic is not finite"
    if estimate.norm_errp is None and estimate.norm_err is None:
        return "failed", "the norm is not constrained"
    threshold = sigma_ul**2
    if estimate.norm <= 0:
        if estimate.norm_ul is not None and estimate.norm_ul < 0:
            return (
                "upper_limit",
                f"norm {estimate.norm:.3g}: a deficit of TS {estimate.ts:.3g}, its limit is below 0",
            )
        return "upper_limit", f"norm {estimate.norm:.3g} is not above 0, TS {estimate.ts:.3g}"
    if estimate.ts < threshold:
        return "upper_limit", f"TS {estimate.ts:.3g} is below {threshold:.3g}"
    return "ok", None
