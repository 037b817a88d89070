"""The posterior density of the free parameters of a global model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm.arrays import Array
from gm.estimators.posterior.coordinates import Coordinates
from gm.fit.run import FitRun

_INSIDE = 0.5  # of its scale, from the limit that holds it, is where a parameter starts


@dataclass(frozen=True)
class FlatPrior:
    """Of a parameter that has no prior: flat between its limits, which may be infinite."""

    min: float
    max: float

    @property
    def is_proper(self) -> bool:
        return bool(np.isfinite([self.min, self.max]).all())

    @property
    def distribution(self) -> Any:
        """As one of ``scipy.stats``."""
        from scipy import stats

        return stats.uniform(self.min, self.max - self.min)

    def __str__(self) -> str:
        return f"flat between {self.min:.6g} and {self.max:.6g}" if self.is_proper else "flat"


@final
class Density:
    """``exp(-(-2 ln L) / 2)``, priors included, of the parameters that a fit has found a minimum of.

    Parameters without a prior have a flat one, in their own units, between their limits. Where the prediction of a bin
    with counts is not positive, though it is at the minimum, the density is 0: Cash is cut off there and would be flat.

    names, units : of the parameters (n,); best, scale : the minimum, and about one standard deviation of each, (n,)
    lower, upper : their limits, (n,)
    """

    def __init__(self, run: FitRun) -> None:
        self._objective, parameters = run.objective, run.likelihood.models.parameters
        positions = run.layout.free[run.objective.active]
        self.names = tuple(run.names)
        self.parameters = tuple(parameters[int(k)] for k in positions)
        self.units = tuple(str(parameter.unit) for parameter in self.parameters)
        self.lower, self.upper = run.lower.copy(), run.upper.copy()
        self.best, self.statistic = run.minimum.vector, run.minimum.value
        self.covariance = run.errors.whole_covariance()
        self.scale = _scale(self.covariance, run.minimizer.scale)
        self._cut_off = run.objective.n_cut_off(self.best)
        self._priors = run

    def flat(self, k: int) -> FlatPrior:
        """What parameter ``k`` has where it has no prior."""
        return FlatPrior(float(self.lower[k]), float(self.upper[k]))

    def value(self, vector: Array) -> float:
        """-2 ln of the density, up to a constant, at parameters (n,); infinite where there is none."""
        if self._objective.n_cut_off(vector) > self._cut_off:
            return np.inf
        value = self._objective.value(vector)
        return value if np.isfinite(value) else np.inf

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        """The same with its derivatives (n,)."""
        return self._objective.value_and_gradient(vector)

    def prior_value(self, vector: Array) -> float:
        """-2 ln of the priors alone."""
        return self._priors.layout.prior_value(self._objective.full(vector))


@final
class Freely:
    """A density over coordinates without limits, scaled by the covariance of the fit: there it is nearly round.

    ``parameters = back(centre + factor @ z)`` with z (n,).
    """

    def __init__(self, density: Density) -> None:
        self.density, self._coordinates = density, Coordinates(density.lower, density.upper)
        room = np.minimum(density.scale, (density.upper - density.lower) / 4) * _INSIDE
        inside = np.clip(density.best, density.lower + room, density.upper - room)
        self._centre = self._coordinates.to(inside)
        self._factor = self._factor_of(density, self._coordinates.slopes(self._centre))

    @staticmethod
    def _factor_of(density: Density, slopes: Array) -> Array:
        """(n, n): from scaled coordinates to coordinates; the square root of the covariance where it is known."""
        if density.covariance is None:
            return np.diag(density.scale / np.abs(slopes))
        covariance = np.asarray(density.covariance, dtype=np.float64)
        held = ~(covariance.diagonal() > 0)
        covariance = covariance + np.diag(np.where(held, density.scale**2, 0.0))
        size = np.sqrt(covariance.diagonal())
        root = np.linalg.cholesky(covariance / np.outer(size, size))
        return np.asarray((size / slopes)[:, None] * root)

    @property
    def n(self) -> int:
        return len(self._centre)

    def parameters(self, there: Array) -> Array:
        """Parameters (..., n) from scaled coordinates (..., n)."""
        return self._coordinates.back(self._centre + there @ self._factor.T)

    def value(self, there: Array) -> float:
        """Minus ln of the density of the scaled coordinates (n,), up to a constant."""
        at = self._centre + self._factor @ there
        value = self.density.value(self._coordinates.back(at))
        return 0.5 * (value - self.density.statistic) - self._coordinates.log_volume(at)[0]

    def gradient(self, there: Array) -> Array:
        """Its derivatives (n,)."""
        at = self._centre + self._factor @ there
        _, gradient = self.density.value_and_gradient(self._coordinates.back(at))
        slopes, volume = self._coordinates.slopes(at), self._coordinates.log_volume(at)[1]
        return np.asarray((0.5 * gradient * slopes - volume) @ self._factor)


def _scale(covariance: object, rough: Array) -> Array:
    """One standard deviation of each parameter (n,): its error, or about that where it has none."""
    if covariance is None:
        return rough.copy()
    variances = np.asarray(covariance, dtype=np.float64).diagonal()
    return np.where(variances > 0, np.sqrt(np.maximum(variances, 0.0)), rough)
