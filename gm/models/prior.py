"""Priors: what is known of a parameter beforehand, as -2 ln of a probability density.

Every prior is a function of the parameter's value in its own unit, normalisation included, times ``weight``. One with a
peak decides a parameter even where no data do.
Formulas: Gammapy 2.1, ``gammapy.modeling.models.prior``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, inf, lgamma, log, pi, sqrt
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class GaussianPrior:
    """Gaussian: ``((x - mu) / sigma)^2 + ln(2 pi sigma^2)``."""

    tag: ClassVar[str] = "GaussianPrior"
    has_peak: ClassVar[bool] = True
    mu: float = 0.0
    sigma: float = 1.0
    weight: float = 1.0

    def value(self, x: float) -> float:
        z = (x - self.mu) / self.sigma
        return self.weight * (z * z + log(2 * pi * self.sigma**2))

    def gradient(self, x: float) -> float:
        return self.weight * 2 * (x - self.mu) / self.sigma**2

    def curvature(self, x: float) -> float:
        return self.weight * 2 / self.sigma**2


@dataclass(frozen=True, slots=True)
class UniformPrior:
    """Uniform between min and max: ``2 ln(max - min)`` inside, infinite outside."""

    tag: ClassVar[str] = "UniformPrior"
    has_peak: ClassVar[bool] = False
    min: float = 0.0
    max: float = 1.0
    weight: float = 1.0

    def value(self, x: float) -> float:
        return self.weight * 2 * log(self.max - self.min) if self.min <= x <= self.max else inf

    def gradient(self, x: float) -> float:
        return 0.0

    def curvature(self, x: float) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class LogUniformPrior:
    """Uniform in ln x between min and max: ``2 ln(x ln(max / min))`` inside, infinite outside."""

    tag: ClassVar[str] = "LogUniformPrior"
    has_peak: ClassVar[bool] = False
    min: float = 1e-14
    max: float = 1e-10
    weight: float = 1.0

    def value(self, x: float) -> float:
        return self.weight * 2 * log(x * log(self.max / self.min)) if self.min <= x <= self.max else inf

    def gradient(self, x: float) -> float:
        return self.weight * 2 / x if self.min <= x <= self.max else 0.0

    def curvature(self, x: float) -> float:
        return -self.weight * 2 / x**2 if self.min <= x <= self.max else 0.0


@dataclass(frozen=True, slots=True)
class GeneralizedGaussianPrior:
    """Generalised Gaussian: ``2 |z|^b + 2 ln(2 s Gamma(1/b) / b)``, ``z = (x - mu) / s``, ``s = sigma sqrt(2)``.

    ``b = 1 / eta``: eta = 0.5 is the Gaussian, eta = 1 the Laplace distribution.
    """

    tag: ClassVar[str] = "GeneralizedGaussianPrior"
    has_peak: ClassVar[bool] = True
    mu: float = 0.0
    sigma: float = 1.0
    eta: float = 0.5
    weight: float = 1.0

    def value(self, x: float) -> float:
        b, s = 1 / self.eta, self.sigma * sqrt(2)
        return self.weight * 2 * (_power(abs((x - self.mu) / s), b) + log(2 * s / b) + lgamma(1 / b))

    def gradient(self, x: float) -> float:
        b, s = 1 / self.eta, self.sigma * sqrt(2)
        z = (x - self.mu) / s
        return self.weight * 2 * b * _power(abs(z), b - 1) * copysign(1, z) / s if z else 0.0

    def curvature(self, x: float) -> float:
        """The second derivative; infinite at ``x = mu`` for eta > 0.5, so ``|z|`` is kept above 0.01."""
        b, s = 1 / self.eta, self.sigma * sqrt(2)
        z = max(abs((x - self.mu) / s), 0.01)
        return self.weight * 2 * b * (b - 1) * _power(z, b - 2) / s**2


def _power(base: float, exponent: float) -> float:
    """Infinite where it is beyond all numbers."""
    try:
        return float(base**exponent)
    except OverflowError:
        return inf


Prior: TypeAlias = GaussianPrior | UniformPrior | LogUniformPrior | GeneralizedGaussianPrior

PRIORS: dict[str, type[Prior]] = {
    prior.tag: prior for prior in (GaussianPrior, UniformPrior, LogUniformPrior, GeneralizedGaussianPrior)
}


def prior_parameters(prior: Prior) -> dict[str, float]:
    """The prior's numbers by name, weight left out."""
    return {name: getattr(prior, name) for name in prior.__slots__ if name != "weight"}
