"""The covariance between norms of bands that were fitted one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gm.arrays import Array
from gm.estimators.norm import NormEstimate


def between_bands(estimates: Sequence[NormEstimate | None]) -> Array:
    """Of norms from fits of their own, (n, n), of one sigma; 0 on the diagonal, NaN where there is no norm.

    Fits of different bins have nothing in common but the priors of what they fit again: what a prior tells, a
    measurement of its own, comes into all of them. With ``d n / d a`` the change of a norm with what a prior of width s
    is centred on: ``covariance(n, m) = sum over priors of (s d n / d a) (s d m / d a)``, to first order.
    """
    n = len(estimates)
    along = [{} if estimate is None else estimate.along_priors for estimate in estimates]
    covariance = np.array([[sum(one[name] * other.get(name, 0.0) for name in one) for other in along] for one in along])
    covariance = covariance.reshape(n, n).astype(np.float64)
    without = [k for k, estimate in enumerate(estimates) if estimate is None]
    covariance[without] = covariance[:, without] = np.nan
    np.fill_diagonal(covariance, 0.0)
    return covariance


def through_priors(estimates: Sequence[NormEstimate | None], sigma: float) -> Array | None:
    """That of norms (n_norms, n_norms) whose errors are ``sigma`` standard deviations, with these on the diagonal; None
    where no two norms have anything in common."""
    covariance = between_bands(estimates)
    if not np.nan_to_num(covariance).any():
        return None
    errors = [None if estimate is None else estimate.norm_err for estimate in estimates]
    np.fill_diagonal(covariance, [np.nan if error is None else (error / sigma) ** 2 for error in errors])
    return covariance
