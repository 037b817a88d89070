"""Limits that are near: starts beyond them, and errors wider than they leave room for, which second derivatives do not
know of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gm.arrays import Array, anywhere
from gm.matrices import Covariance
from gm.models import Layout, Models

_NEAR = 0.5  # of an error
_TOGETHER = 0.6  # correlation from which on an error is a fifth smaller where the other parameter stays
_TOLD = 3  # names


def beyond_limits(
    vector: Array, covariance: Covariance, lower: Array, upper: Array, names: Sequence[str]
) -> Iterator[str]:
    """A sentence for each parameter whose limits are much nearer than its error, if not both, then where others go with
    it: their errors are those of limits that are farther away.

    vector, lower, upper : (n_free,); covariance : (n_free, n_free), zeros for parameters without an error
    """
    errors = np.sqrt(covariance.diagonal())
    if not anywhere(np.minimum(vector - lower, upper - vector) < _NEAR * errors):
        return
    near = np.array([vector - lower, upper - vector]) < _NEAR * errors
    for k in np.flatnonzero(near.any(axis=0)).tolist():
        size = errors[k] * np.where(errors > 0, errors, np.inf)
        others = [i for i in np.flatnonzero(np.abs(covariance[k, :]) > _TOGETHER * size).tolist() if i != k]
        if not (others or near[:, k].all()):
            continue
        limits = " ... ".join(f"{limit:.4g}" for limit in (lower[k], upper[k]) if np.isfinite(limit))
        some = ", ".join(names[i] for i in others[:_TOLD]) + (" and others" if len(others) > _TOLD else "")
        goes_along = f", and so are those of {some}, which go with it" if some else ""
        yield (
            f"{names[k]}: its error is {errors[k]:.2g}, as if there were no limit at {limits}{goes_along}: "
            "minos finds where the statistic rises by 1 within limits"
        )


def beyond_own_limits(models: Models, layout: Layout) -> Iterator[str]:
    """Free parameters whose values are beyond limits of their own."""
    parameters = models.parameters
    for name, k in zip(layout.free_addresses, layout.free.tolist(), strict=True):
        parameter = parameters[k]
        low, high = parameter.limits()
        if not low <= parameter.value <= high:
            limits = " ... ".join("none" if np.isinf(limit) else f"{limit:.6g}" for limit in (low, high))
            yield f"{name} is {parameter.value:.6g}, beyond its limits {limits}: the fit starts at the limit"
