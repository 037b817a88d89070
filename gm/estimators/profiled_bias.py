"""By how much W shifts estimates: it profiles the background in each bin, whether off counts are many or few."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.datasets.redrawn import Expectation
from gm.estimators.toys import Truth
from gm.likelihood import JointLikelihood
from gm.statistics import WStat

_MANY = 100.0  # off counts of a bin, from which on it says less than a hundredth of what a bin with few does
_MOST = 2000  # bins and parameters, beyond which it takes longer than toys
_LEAST = 1e-10  # of a Poisson distribution: where its sums end
_STEP = 1e-3  # of an error


def shifts_by_profiling(truth: Truth, conventions: Conventions | str = Conventions.GAMMAPY) -> dict[str, float]:
    """The expected shift of each free parameter in its errors, to first order, by address; nothing where no off counts
    measure a background, or there are too many bins with few of them.

    At the true parameters the expected slope of -2 ln L is 0, but that of a likelihood whose background is profiled bin
    by bin is not. With the slope ``g``, summed over all numbers of on and off counts, and the expected second
    derivatives ``H`` the estimates are shifted by ``-H^-1 g`` (Cox and Snell, 1968, J. R. Stat. Soc. B 30, 248).
    """
    few = [_with_few(one) for one in truth.expected]
    n_bins = sum(bins.size for bins in few)
    likelihood = JointLikelihood(truth.datasets, truth.models, conventions)
    start = likelihood.layout.start
    hessian = likelihood.information(start, expected=True)
    if not 0 < n_bins * start.size <= _MOST or not isinstance(hessian, np.ndarray) or not (np.diag(hessian) > 0).all():
        return {}
    unit = 1.0 / np.sqrt(np.diag(hessian))  # parameters differ by many orders of magnitude
    inverse = unit[:, None] * np.linalg.pinv(hessian * unit * unit[:, None], hermitian=True) * unit
    errors = np.sqrt(2.0 * np.diag(inverse))
    source = likelihood.predicted(start)
    slopes = [_slopes(one, bins, counts) for one, bins, counts in zip(truth.expected, few, source, strict=True)]
    gradient = np.zeros(start.size)
    for k, step in enumerate(_STEP * errors):
        low, high = (likelihood.predicted(start + side * step * (np.arange(start.size) == k)) for side in (-1, 1))
        for slope, bins, below, above in zip(slopes, few, low, high, strict=True):
            gradient[k] += slope @ (above.ravel()[bins] - below.ravel()[bins]) / (2.0 * step) if bins.size else 0.0
    shifts = -(inverse @ gradient) / errors
    return dict(zip(likelihood.layout.free_addresses, shifts.tolist(), strict=True))


def _with_few(one: Expectation) -> IntArray:
    """The bins that enter in which few off counts are expected, as positions."""
    if one.off is None:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(one.dataset.mask.ravel() & (one.off.ravel() < _MANY))


def _slopes(one: Expectation, bins: IntArray, source: Array) -> Array:
    """The expected derivative of W with respect to the counts of the source, in these bins, (n_bins,)."""
    from scipy.stats import poisson

    found, (acceptance, acceptance_off) = np.zeros(bins.size), one.dataset.acceptances()
    if one.off is None or acceptance is None or acceptance_off is None:
        return found
    for k, at in enumerate(bins):
        means = float(one.on.ravel()[at]), float(one.off.ravel()[at])
        numbers = (np.arange(int(poisson.isf(_LEAST, mean)) + 2.0) for mean in means)
        on, off = (part.ravel() for part in np.meshgrid(*numbers, indexing="ij"))
        weights = poisson.pmf(on, means[0]) * poisson.pmf(off, means[1])
        alpha = np.full(on.size, acceptance.ravel()[at] / acceptance_off.ravel()[at])
        slopes = WStat(on, off, alpha).derivative(np.full(on.size, source.ravel()[at]))
        found[k] = weights @ slopes
    return found
