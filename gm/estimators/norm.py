"""The norm of a component in a band of energy: its best value, errors, upper limit, TS, profile and sensitivity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from gm.arrays import Array
from gm.estimators.roots import distances, rising_root
from gm.likelihood.line import Line

_ROUNDING = 1e-9


@dataclass(frozen=True)
class NormEstimate:
    """Best norm and its errors; None where a number does not exist. ``norm_errn`` and ``norm_errp`` are positive."""

    norm: float
    norm_err: float | None
    norm_errn: float | None
    norm_errp: float | None
    norm_ul: float | None
    stat: float
    stat_null: float
    stat_scan: Array
    norm_sensitivity: float | None = None

    @property
    def ts(self) -> float:
        """Test statistic against a norm of 0."""
        return self.stat_null - self.stat


class NormProfile:
    """-2 ln L of a norm with everything else fixed; convex, so that each number is a root of a monotonic function."""

    def __init__(self, lines: Sequence[Line], constant: float = 0.0) -> None:
        self._lines, self._constant = lines, constant

    def values(self, norms: Array) -> Array:
        """-2 ln L at each norm."""
        return np.asarray(self._constant + np.sum([line.values(norms) for line in self._lines], axis=0))

    def slope(self, norm: float) -> float:
        """Its derivative."""
        return sum(line.slope(norm) for line in self._lines)

    def error(self, norm: float) -> float | None:
        """Of the norm, from the second derivative; None where there is no curvature."""
        curvature = sum(line.curvature(norm) for line in self._lines)
        return sqrt(2.0 / curvature) if curvature > 0 else None

    def step(self) -> float:
        """A typical error of the norm: at a norm of 1, from the data or, where they say nothing, as expected."""
        error = self.error(1.0)
        if error is not None:
            return error
        information = sum(line.expected_curvature(1.0) for line in self._lines)
        return sqrt(2.0 / information) if information > 0 else 1.0

    def estimate(self, sigma: float, sigma_ul: float, scan: Array, sensitivity: float) -> NormEstimate:
        """Everything about the norm: minimum, Hessian and profile errors, upper limit, TS, scan and sensitivity."""
        step = self.step()
        norm = rising_root(self.slope, 1.0, step)
        if abs(norm) < _ROUNDING * step:
            norm = 0.0  # the minimum is the kink at nothing, as in a band without counts
        stat, stat_null, *stat_scan = self.values(np.array([norm, 0.0, *scan])).tolist()
        error = self.error(norm)
        errn, errp, ul = intervals(self.values, norm, stat, step if error is None else error, sigma, sigma_ul)
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
        )

    def _sensitivity(self, n_sigma: float, step: float) -> float | None:
        """The norm whose expected data would be detected at ``n_sigma``."""

        def expected(norms: Array) -> Array:
            ts = [[line.expected_ts(norm) for line in self._lines] for norm in norms.tolist()]
            return np.asarray(np.sum(np.array(ts, dtype=float), axis=1))

        return distances(expected, [(1.0, n_sigma)], step)[0]


def intervals(
    values: Callable[[Array], Array], norm: float, stat: float, step: float, sigma: float, sigma_ul: float
) -> tuple[float | None, float | None, float | None]:
    """Lower and upper error (positive) and upper limit: where -2 ln L has risen by ``sigma**2``; None: never."""
    sides = [(-1.0, sigma), (1.0, sigma), (1.0, sigma_ul)]
    errn, errp, to_limit = distances(lambda away: values(norm + away) - stat, sides, step)
    return errn, errp, None if to_limit is None else norm + to_limit
