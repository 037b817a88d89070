"""Errors of parameters whose prior is no parabola: a second derivative at a cusp, or on a flat top, is not a width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from gm.arrays import Array
from gm.fit.scoring import DIFFERENCE
from gm.matrices import Hessian
from gm.models import GeneralizedGaussianPrior

_ROUNDS = 5  # over all such parameters, each with the widths of the others
_DOUBLINGS = 60


def _curvature(
    priors: Mapping[int, GeneralizedGaussianPrior], vector: Array, scale: Array, lower: Array, upper: Array
) -> Array:
    """Second derivatives of some priors alone, (n_free,), by the differences that the whole Hessian is made of."""
    curvature = np.zeros(vector.size)
    for k, prior in priors.items():
        x, h = float(vector[k]), DIFFERENCE * scale[k]
        below, above = x - lower[k], upper[k] - x
        if min(below, above) >= h:
            curvature[k] = (prior.gradient(x + h) - prior.gradient(x - h)) / (2 * h)
        else:
            h = min(h, 0.5 * above) if above > below else -min(h, 0.5 * below)
            g0, g1, g2 = (prior.gradient(float(at)) for at in (x, x + h, x + 2 * h))
            curvature[k] = (-3 * g0 + 4 * g1 - g2) / (2 * h)
    return curvature


def with_prior_widths(
    hessian: Hessian,
    gradient: Array,
    vector: Array,
    scale: Array,
    lower: Array,
    upper: Array,
    priors: Mapping[int, GeneralizedGaussianPrior],
) -> Hessian:
    """``hessian`` (n_free, n_free) of everything, with ``priors`` as the parabolas that make profiles as wide.

    Around the minimum ``vector`` (n_free,), where ``gradient`` is that of everything, the statistic without the priors
    is taken as its parabola. Minimised over the others it leaves one of one parameter; with the prior added, that rises
    by 1 on both sides at places that are as far apart as those of a parabola of curvature ``8 / width^2``.
    ``scale`` (n_free,) is about one standard deviation of each.
    """
    without = hessian.with_diagonal(hessian.diagonal() - _curvature(priors, vector, scale, lower, upper))
    smooth = without.scaled(scale)
    bare = smooth.diagonal().copy()
    diagonal = bare.copy()
    for k, prior in priors.items():
        diagonal[k] += 2 * (scale[k] / prior.sigma) ** 2
    for _ in range(_ROUNDS):
        for k, prior in priors.items():
            given = smooth.with_diagonal(diagonal).explained(k)
            x, unit = float(vector[k]), float(scale[k])
            slope = unit * float(gradient[k] - prior.gradient(x))
            rise = partial(_rise, prior, x, unit, slope, float(bare[k] - given))
            if width := _width(rise, ((lower[k] - x) / unit, (upper[k] - x) / unit)):
                diagonal[k] = 8 / width**2 + given
    return smooth.with_diagonal(diagonal).scaled(1.0 / scale)


def _rise(prior: GeneralizedGaussianPrior, x: float, unit: float, slope: float, curvature: float, t: float) -> float:
    """Of a prior and a parabola, ``t`` units from ``x``."""
    return slope * t + 0.5 * curvature * t * t + prior.value(x + unit * t) - prior.value(x)


def _width(rise: Callable[[float], float], limits: tuple[float, float]) -> float | None:
    """From where a function that is 0 at 0 has risen by 1 to where it has again; twice one side where a limit holds the
    other; None where it does not rise."""
    from scipy.optimize import brentq  # such priors are rare, and it takes a while to import

    ends = []
    for limit in limits:
        end = float(np.sign(limit))
        for _ in range(_DOUBLINGS):
            if rise(end) >= 1.0 or abs(end) > abs(limit):
                break
            end *= 2
        if abs(end) <= abs(limit) and rise(end) >= 1.0:
            ends.append(abs(float(brentq(lambda t: rise(t) - 1.0, 0.0, end))))
    return 2 * sum(ends) / len(ends) if ends else None
