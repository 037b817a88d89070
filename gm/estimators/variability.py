"""Whether a light curve varies, by how much, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import final

import numpy as np

from gm.arrays import Array

_STEPS = 100
_EXACT = 1e-10


@final
@dataclass(frozen=True)
class Constancy:
    """A statistic that follows chi-square with ``dof`` degrees of freedom for a constant source, the ``probability`` of
    as much or more there, and the constant that fits best."""

    value: float
    dof: int
    probability: float
    constant: float


@final
@dataclass(frozen=True)
class Excess:
    """Fractional excess variance: F_var with its error, None where the scatter is no larger than the errors; and
    F_var^2, the normalised excess variance, which may be negative."""

    squared: float
    squared_err: float
    value: float | None
    error: float | None


@final
@dataclass(frozen=True)
class Pace:
    """The shortest time [d] in which the flux doubles, or halves, from one bin to the next, and between which times."""

    time: float
    error: float
    start: float
    stop: float


@final
@dataclass(frozen=True, eq=False)
class Fluxes:
    """Fluxes, or norms, their positive errors on both sides, symmetric errors, middles of their bins [MJD], (n,)."""

    value: Array
    errn: Array
    errp: Array
    error: Array
    time: Array

    @property
    def n(self) -> int:
        return int(self.value.size)


def constancy(fluxes: Fluxes, systematic: float = 0.0, covariance: Array | None = None) -> Constancy | None:
    """chi2 of the constant ``m`` that fits best, None for fewer than two bins::

        chi2 = sum (f - m)^2 / (sigma^2 + (systematic m)^2)

    with the error of each flux on the side that faces m; with a ``covariance`` (n, n) in place of ``sigma^2``.
    """
    if fluxes.n < 2:
        return None
    constant, chi2 = float(np.mean(fluxes.value)), np.inf
    for _ in range(_STEPS):
        inverse = _weights(fluxes, constant, systematic, covariance)
        before, weights = constant, inverse.sum(axis=0)
        constant = float(weights @ fluxes.value / weights.sum())
        apart = fluxes.value - constant
        chi2 = float(apart @ inverse @ apart)
        if abs(constant - before) <= _EXACT * abs(constant):
            break
    return Constancy(chi2, fluxes.n - 1, chi2_probability(chi2, fluxes.n - 1), constant)


def _weights(fluxes: Fluxes, constant: float, systematic: float, covariance: Array | None) -> Array:
    """Inverse covariance of the fluxes, (n, n)."""
    more = (systematic * constant) ** 2
    if covariance is not None:
        return np.asarray(np.linalg.inv(covariance + more * np.eye(fluxes.n)))
    sigma = np.where(fluxes.value > constant, fluxes.errn, fluxes.errp)
    return np.diag(1.0 / (sigma**2 + more))


def chi2_probability(value: float, dof: int) -> float:
    """The probability of this chi-square or more."""
    from scipy.special import gammaincc

    return float(gammaincc(0.5 * dof, 0.5 * max(value, 0.0)))


def excess_variance(fluxes: Fluxes, systematic: float = 0.0) -> Excess | None:
    """None for fewer than two bins; not a number where the mean is 0.

    Source: Vaughan et al. 2003, MNRAS 345, 1271, eqs. 8, 10, 11 and B2::

        F_var^2 = (S^2 - <sigma^2>) / <f>^2,   err(F_var^2)^2 = 2/n (<sigma^2>/<f>^2)^2 + 4 <sigma^2>/n F_var^2 / <f>^2

    and err(F_var) = err(F_var^2) / (2 F_var).
    """
    if fluxes.n < 2:
        return None
    mean = float(np.mean(fluxes.value))
    if not mean**2 > 0:
        return Excess(nan, nan, None, None)
    noise = float(np.mean(fluxes.error**2)) + (systematic * mean) ** 2
    squared = (float(np.var(fluxes.value, ddof=1)) - noise) / mean**2
    error = float(np.sqrt(2 / fluxes.n * (noise / mean**2) ** 2 + 4 * noise / fluxes.n * max(squared, 0.0) / mean**2))
    if squared <= 0:
        return Excess(squared, error, None, None)
    return Excess(squared, error, float(np.sqrt(squared)), error / (2 * float(np.sqrt(squared))))


def fastest(fluxes: Fluxes, rising: bool) -> Pace | None:
    """The fastest doubling (``rising``) or halving between neighbouring bins with fluxes above 0; None: there is none.

    ``t = dt ln 2 / ln(f2 / f1)``; its error follows from those of both fluxes. Times that are not known count for none.
    """
    order = np.argsort(fluxes.time, kind="stable")
    flux, error, time = fluxes.value[order], fluxes.error[order], fluxes.time[order]
    usable = (flux[1:] > 0) & (flux[:-1] > 0) & np.isfinite(time[1:]) & np.isfinite(time[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(flux[1:] / flux[:-1])
        pace = np.diff(time) * np.log(2) / log_ratio
        relative = np.hypot(error[1:] / flux[1:], error[:-1] / flux[:-1])
        errors = np.abs(pace / log_ratio) * relative
    usable &= np.isfinite(pace) & (pace > 0 if rising else pace < 0)
    if not usable.any():
        return None
    k = int(np.argmin(np.where(usable, np.abs(pace), np.inf)))
    return Pace(abs(float(pace[k])), float(errors[k]), float(time[k]), float(time[k + 1]))
