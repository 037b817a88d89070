"""The norm of a component in a band of energy: its best value, errors, upper limit, TS, profile and sensitivity.

In every bin ``predicted = rest + norm * signal``, and -2 ln L is the sum over bins and datasets. Chi-square is a
parabola of the norm, and W is convex for every norm: the background that is profiled out makes up for a negative
signal. Cash, ``2 (mu - n ln mu)``, is convex as long as something is predicted in each bin with counts that has signal:

    max over signal > 0 of -rest / signal  <  norm  <  min over signal < 0 of -rest / signal

At these ends it is infinite; beyond them the logarithm is cut off, and a plateau that means nothing lies there, in
places lower than the minimum. So the minimum is the root of the slope between the ends: it exists wherever there is
any signal, since the slope comes from -infinity at a pole and is ``2 sum of signal`` in the end. The rises to
``sigma**2`` are looked for between the same ends: above a pole the lower error always exists, without counts it does
not, and the norm is the largest of those at which the statistic is lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, sqrt

import numpy as np

from gm.arrays import Array
from gm.estimators.roots import distances, rising_root
from gm.estimators.upper_limits import LimitMethod, cls_limit
from gm.likelihood.line import Line
from gm.matrices import NOTHING

_ROUNDING = 1e-9
_FAR = 20.0  # slope per sigma: ten of them away from the minimum of a parabola
_SCORING = 8  # steps, each of which takes some twelve digits off a reference that is too bright
_CLOSE = 1e-12  # of the way to a pole
_ALIKE = 0.1  # relative difference of the mean of both errors to one from second derivatives
_KINK = 1e-3  # slope per sigma that no minimum has
_FAR_AWAY = 1e3  # times the limit
_NOISE = 1e3 * float(np.finfo(np.float64).eps)  # of -2 ln L, for each count
_EQUAL = 1e-12  # of -2 ln L: rounding
_LOWER = 1e-6  # of -2 ln L: more than rounding


class NoMinimum(ArithmeticError):
    """Why there is no norm that fits best."""


@dataclass(frozen=True)
class NormEstimate:
    """Best norm and its errors; None where a number does not exist. ``norm_errn`` and ``norm_errp`` are positive.

    missing : why the norm's numbers that are None do not exist, by their names
    told_ts : the test statistic of a published point that tells no -2 ln L
    along_priors : how far the norm goes with one sigma of each other parameter that has a prior, by their names
    """

    norm: float
    norm_err: float | None
    norm_errn: float | None
    norm_errp: float | None
    norm_ul: float | None
    stat: float
    stat_null: float
    stat_scan: Array
    norm_sensitivity: float | None = None
    missing: dict[str, str] = field(default_factory=dict)
    told_ts: float | None = None
    along_priors: dict[str, float] = field(default_factory=dict)

    @property
    def ts(self) -> float:
        """Test statistic against a norm of 0."""
        return self.stat_null - self.stat if self.told_ts is None else self.told_ts


class NormProfile:
    """-2 ln L of a norm with everything else fixed."""

    def __init__(self, lines: Sequence[Line], constant: float = 0.0) -> None:
        self._lines, self._constant = lines, constant
        lower, upper = zip(*(line.domain() for line in lines), strict=True)
        self.domain: tuple[float, float] = max(lower), min(upper)

    def values(self, norms: Array) -> Array:
        """-2 ln L at each norm, (n,)."""
        return np.asarray(self._constant + np.sum([line.values(norms) for line in self._lines], axis=0))

    def slope(self, norm: float) -> float:
        """Its derivative."""
        return sum(line.slope(norm) for line in self._lines)

    def error(self, norm: float) -> float | None:
        """Of the norm, from the second derivative; None where there is no curvature."""
        curvature = sum(line.curvature(norm) for line in self._lines)
        return sqrt(2.0 / curvature) if curvature > NOTHING else None

    def _holds(self, norm: float) -> bool:
        return self.domain[0] < norm < self.domain[1]

    def _inside(self) -> float:
        """1, or a norm in the domain: one count above its lower end."""
        lower, upper = self.domain
        if self._holds(1.0):
            return 1.0
        if not lower < upper:
            raise NoMinimum("no norm predicts something in every bin with counts")
        if isfinite(lower) and isfinite(upper):
            return 0.5 * (lower + upper)
        end, sign = (lower, 1.0) if isfinite(lower) else (upper, -1.0)
        return end + sign * max(1.0 / sum(line.signal_size() for line in self._lines), 1e-6 * abs(end))

    def _nearer(self, norm: float) -> float:
        """From a norm that is far from the minimum to one that is not, by Fisher scoring in steps that change much."""
        lower, upper = self.domain
        for _ in range(_SCORING):
            information = sum(line.expected_curvature(norm) for line in self._lines)
            before, norm = norm, norm - self.slope(norm) / information if information > NOTHING else norm
            if norm <= lower or norm >= upper:
                end = lower if norm <= lower else upper
                norm = end + _CLOSE * (before - end)
            if abs(norm - before) <= 0.5 * abs(before):
                break
        return norm

    def step(self, norm: float) -> float:
        """A typical error of the norm: from the data or, where they say nothing, as expected."""
        error = self.error(norm)
        if error is not None:
            return error
        information = sum(line.expected_curvature(norm) for line in self._lines)
        return sqrt(2.0 / information) if information > NOTHING else 1.0

    def estimate(
        self,
        sigma: float,
        sigma_ul: float,
        scan: Array,
        sensitivity: float,
        limit: LimitMethod = LimitMethod.LIKELIHOOD,
    ) -> NormEstimate:
        """Everything about the norm: minimum, Hessian and profile errors, upper limit, TS, scan and sensitivity.

        scan : (n,) norms. Raises `NoMinimum`.
        """
        norm, step, values = self._minimum(scan)
        stat, stat_null, *stat_scan = values.tolist()
        error = self.error(norm)
        size = step if error is None else error
        rise = sqrt(limit.rise(sigma_ul, norm, stat, stat_null))
        per_norm = sum(line.signal_size() for line in self._lines)
        errn, errp, ul, missing = intervals(self.values, norm, stat, size, sigma, rise, self.domain, per_norm)
        if limit is LimitMethod.CLS:
            missing.pop("norm_ul", None)
            ul = self._cls_limit(norm, stat, stat_null, size, sigma_ul)
            if ul is None:
                missing["norm_ul"] = "no CLs: nothing is known of data without a source"
        if errn is not None and errp is not None and self._has_kink(norm, error, 0.5 * (errn + errp) / sigma):
            error = 0.5 * (errn + errp) / sigma
        if error is None:
            missing["norm_err"] = "the statistic has no curvature at this norm"
        return NormEstimate(
            norm=norm,
            norm_err=None if error is None else sigma * error,
            norm_errn=errn,
            norm_errp=errp,
            norm_ul=ul,
            stat=stat,
            stat_null=stat_null,
            stat_scan=np.array(stat_scan),
            norm_sensitivity=self._sensitivity(sensitivity, step),
            missing=missing,
        )

    def _cls_limit(self, norm: float, stat: float, stat_null: float, step: float, sigma: float) -> float | None:
        lowest, base = (norm, stat) if norm > 0 else (0.0, stat_null)

        def expected(norm: float) -> float | None:
            parts = [line.expected_rise(norm) for line in self._lines]
            known = [part for part in parts if part is not None]
            return sum(known) if len(known) == len(parts) else None

        def rise(norm: float) -> float:
            return float(self.values(np.array([norm]))[0]) - base

        return cls_limit(rise, expected, lowest, step, sigma, self.domain[1])

    def _has_kink(self, norm: float, error: float | None, mean: float) -> bool:
        """Whether the minimum is a kink, of an empty bin that ends there: its second derivatives say nothing then."""
        if error is not None and abs(mean / error - 1.0) < _ALIKE:
            return False
        return abs(self.slope(norm)) * mean > _KINK

    def _minimum(self, scan: Array) -> tuple[float, float, Array]:
        """The norm, a typical error of it, and -2 ln L there, at 0 and at the norms of the scan.

        Profiles and upper limits that were published are not convex: where one of these is lower, the search goes on.
        """
        start = self._inside()
        step, slope = self.step(start), self.slope(start)
        if abs(slope) * step > _FAR:
            start = self._nearer(start)
            step, slope = self.step(start), self.slope(start)
        others = np.array([0.0, *scan])
        for _ in range(others.size):
            root = rising_root(self.slope, start, step, *self.domain, slope)
            if root is None:
                raise NoMinimum("the statistic falls without bound along the norm")
            norm, values = root, self.values(np.array([root, *others]))
            if abs(root) < _ROUNDING * step and values[1] <= values[0] + _EQUAL * max(1.0, abs(values[0])):
                norm, values[0] = 0.0, values[1]  # the kink at nothing, as in a band without counts
            lower = [norm for norm in others[values[1:] < values[0] - _LOWER].tolist() if self._holds(norm)]
            if not lower:
                break
            start, slope = lower[0], self.slope(lower[0])
        if values[1] < values[0] - _LOWER:
            raise NoMinimum("there are counts where so little is predicted that the statistic is cut off")
        return norm, step, values

    def _sensitivity(self, n_sigma: float, step: float) -> float | None:
        """The norm whose expected data would be detected at ``n_sigma``."""

        def expected(norms: Array) -> Array:
            ts = [[line.expected_ts(norm) for line in self._lines] for norm in norms.tolist()]
            return np.asarray(np.sum(np.array(ts, dtype=float), axis=1))

        return distances(expected, [(1.0, n_sigma)], step)[0]


def _rise(values: Callable[[Array], Array], stat: float, domain: tuple[float, float]) -> Callable[[Array], Array]:
    """How much higher than ``stat`` -2 ln L is at norms (n,); infinitely outside of the ``domain``."""
    if domain == (-inf, inf):
        return lambda norms: values(norms) - stat

    def risen(norms: Array) -> Array:
        inside = (norms > domain[0]) & (norms < domain[1])
        rise = np.full(norms.size, inf)
        if inside.any():
            rise[inside] = values(norms[inside]) - stat
        return rise

    return risen


def intervals(
    values: Callable[[Array], Array],
    norm: float,
    stat: float,
    step: float,
    sigma: float,
    sigma_ul: float,
    domain: tuple[float, float],
    per_norm: float = 0.0,
) -> tuple[float | None, float | None, float | None, dict[str, str]]:
    """Lower and upper error (positive) and upper limit: where -2 ln L has risen by ``sigma**2``; None: never, and why.

    Outside of the ``domain`` it is infinite. A rise that may be the rounding of the counts there is none; up to a norm
    of 0 these are no more than without the source.

    values : of norms (n,); per_norm : counts for a norm of 1
    """
    risen = _rise(values, stat, domain)
    sides = {"norm_errn": (-1.0, sigma), "norm_errp": (1.0, sigma), "norm_ul": (1.0, sigma_ul)}
    found = distances(lambda away: risen(norm + away), list(sides.values()), step)
    ends = [None if away is None else norm + sides[name][0] * away for name, away in zip(sides, found, strict=True)]
    for k, (sign, n_sigma) in enumerate(sides.values()):
        end = ends[k]
        is_lost = norm < -_FAR_AWAY * (step if end is None else abs(end))  # no digits are left of the difference
        if sign > 0 and is_lost:
            ends[k] = end = _end_above(risen, norm, n_sigma**2, step, domain[1])
            found[k] = None if end is None else end - norm
        if end is not None and _NOISE * per_norm * (end if sign > 0 else abs(end)) > n_sigma**2:
            found[k] = ends[k] = None
    missing = {
        name: f"the statistic never rises by {n_sigma**2:.4g} towards {'lower' if sign < 0 else 'higher'} norms"
        for (name, (sign, n_sigma)), distance in zip(sides.items(), found, strict=True)
        if distance is None
    }
    return found[0], found[1], ends[2], missing


def _end_above(risen: Callable[[Array], Array], norm: float, rise: float, step: float, highest: float) -> float | None:
    """Where -2 ln L has risen so much above a ``norm`` far below 0, where even bins of next to no signal are empty."""
    return rising_root(lambda at: float(risen(np.array([at]))[0]) - rise, 0.0, step, norm, highest)
