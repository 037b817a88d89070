"""Priors: what is known of a parameter beforehand, as -2 ln of a probability density.

Every prior is a function of the parameter's value in its own unit, normalisation included, times ``weight``. One with a
peak decides a parameter even where no data do.
Formulas: Gammapy 2.1, ``gammapy.modeling.models.prior``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import copysign, inf, isfinite, lgamma, log, pi, sqrt
from numbers import Real
from typing import Any, ClassVar, TypeGuard


class Prior(ABC):
    """-2 ln of a probability density of a parameter, in its own unit."""

    __slots__ = ()
    tag: ClassVar[str]
    has_peak: ClassVar[bool]
    weight: float

    def row(self) -> dict[str, float | str]:
        """Its type and its numbers, as results have them."""
        return {"type": self.tag, **self._numbers()}

    def _numbers(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # every kind is a dataclass

    @property
    def support(self) -> tuple[float, float] | None:
        """The lowest and highest value that it allows; None where it allows all."""
        return None

    @property
    def center(self) -> float | None:
        """Where its peak is; None where it has none."""
        return None

    @property
    def width(self) -> float | None:
        """How far from its peak it has risen by 1, of a Gaussian sigma / sqrt(weight); None where it has no peak."""
        return None

    @property
    @abstractmethod
    def distribution(self) -> Any:
        """The density as a distribution of ``scipy.stats``, whose ``weight`` is 1."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with its numbers: the name and a message."""
        odd = {name: value for name, value in self._numbers().items() if not (is_number(value) and isfinite(value))}
        yield from ((name, f"{name} of a prior is a finite number, found {value!r}") for name, value in odd.items())
        if not odd:
            yield from self._own_problems()

    @abstractmethod
    def _own_problems(self) -> Iterator[tuple[str, str]]:
        """The same of numbers that are finite."""

    @abstractmethod
    def value(self, x: float) -> float:
        """The penalty at a value of the parameter."""

    @abstractmethod
    def gradient(self, x: float) -> float:
        """Its derivative."""

    @abstractmethod
    def curvature(self, x: float) -> float:
        """Its second derivative."""


@dataclass(frozen=True, slots=True)
class GaussianPrior(Prior):
    """Gaussian: ``((x - mu) / sigma)^2 + ln(2 pi sigma^2)``."""

    tag: ClassVar[str] = "GaussianPrior"
    has_peak: ClassVar[bool] = True
    mu: float = 0.0
    sigma: float = 1.0
    weight: float = 1.0

    @property
    def center(self) -> float:
        return self.mu

    @property
    def width(self) -> float | None:
        return self.sigma / sqrt(self.weight) if self.weight > 0 else None

    @property
    def distribution(self) -> Any:
        from scipy import stats

        return stats.norm(self.mu, self.sigma)

    def _own_problems(self) -> Iterator[tuple[str, str]]:
        if not self.sigma > 0:
            yield "sigma", f"sigma of a prior is positive, found {self.sigma}"
        yield from _weight_problems(self.weight)

    def value(self, x: float) -> float:
        z = (x - self.mu) / self.sigma
        return self.weight * (z * z + log(2 * pi * self.sigma**2))

    def gradient(self, x: float) -> float:
        return self.weight * 2 * (x - self.mu) / self.sigma**2

    def curvature(self, x: float) -> float:
        return self.weight * 2 / self.sigma**2


@dataclass(frozen=True, slots=True)
class UniformPrior(Prior):
    """Uniform between min and max: ``2 ln(max - min)`` inside, infinite outside."""

    tag: ClassVar[str] = "UniformPrior"
    has_peak: ClassVar[bool] = False
    min: float = 0.0
    max: float = 1.0
    weight: float = 1.0

    @property
    def support(self) -> tuple[float, float]:
        return self.min, self.max

    @property
    def distribution(self) -> Any:
        from scipy import stats

        return stats.uniform(self.min, self.max - self.min)

    def _own_problems(self) -> Iterator[tuple[str, str]]:
        if not self.min < self.max:
            yield "min", f"min {self.min} is not below max {self.max}"
        yield from _weight_problems(self.weight)

    def value(self, x: float) -> float:
        return self.weight * 2 * log(self.max - self.min) if self.min <= x <= self.max else inf

    def gradient(self, x: float) -> float:
        return 0.0

    def curvature(self, x: float) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class LogUniformPrior(Prior):
    """Uniform in ln x between min and max: ``2 ln(x ln(max / min))`` inside, infinite outside."""

    tag: ClassVar[str] = "LogUniformPrior"
    has_peak: ClassVar[bool] = False
    min: float = 1e-14
    max: float = 1e-10
    weight: float = 1.0

    @property
    def support(self) -> tuple[float, float]:
        return self.min, self.max

    @property
    def distribution(self) -> Any:
        from scipy import stats

        return stats.loguniform(self.min, self.max)

    def _own_problems(self) -> Iterator[tuple[str, str]]:
        if not self.min < self.max:
            yield "min", f"min {self.min} is not below max {self.max}"
        if not self.min > 0:
            yield "min", f"min of a LogUniformPrior is positive, found {self.min}"
        yield from _weight_problems(self.weight)

    def value(self, x: float) -> float:
        return self.weight * 2 * log(x * log(self.max / self.min)) if self.min <= x <= self.max else inf

    def gradient(self, x: float) -> float:
        return self.weight * 2 / x if self.min <= x <= self.max else 0.0

    def curvature(self, x: float) -> float:
        return -self.weight * 2 / x**2 if self.min <= x <= self.max else 0.0


@dataclass(frozen=True, slots=True)
class GeneralizedGaussianPrior(Prior):
    """Generalised Gaussian: ``2 |z|^b + 2 ln(2 s Gamma(1/b) / b)``, ``z = (x - mu) / s``, ``s = sigma sqrt(2)``.

    ``b = 1 / eta``: eta = 0.5 is the Gaussian, eta = 1 the Laplace distribution.
    """

    tag: ClassVar[str] = "GeneralizedGaussianPrior"
    has_peak: ClassVar[bool] = True
    mu: float = 0.0
    sigma: float = 1.0
    eta: float = 0.5
    weight: float = 1.0

    @property
    def center(self) -> float:
        return self.mu

    @property
    def width(self) -> float | None:
        return self.sigma * sqrt(2) * _power(1 / (2 * self.weight), self.eta) if self.weight > 0 else None

    @property
    def distribution(self) -> Any:
        from scipy import stats

        return stats.gennorm(1 / self.eta, self.mu, self.sigma * sqrt(2))

    def _own_problems(self) -> Iterator[tuple[str, str]]:
        if not self.sigma > 0:
            yield "sigma", f"sigma of a prior is positive, found {self.sigma}"
        if not self.eta > 0:
            yield "eta", f"eta of a prior is positive, found {self.eta}"
        yield from _weight_problems(self.weight)

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


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is one; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _weight_problems(weight: float) -> Iterator[tuple[str, str]]:
    if not weight >= 0:
        yield "weight", f"the weight of a prior is not negative, found {weight}"


def _power(base: float, exponent: float) -> float:
    """Infinite where it is beyond all numbers."""
    try:
        return float(base**exponent)
    except OverflowError:
        return inf


PRIORS: dict[str, type[Any]] = {
    prior.tag: prior for prior in (GaussianPrior, UniformPrior, LogUniformPrior, GeneralizedGaussianPrior)
}


def prior_parameters(prior: Prior) -> dict[str, float]:
    """The prior's numbers by name, weight left out."""
    names = [field.name for field in fields(prior)]  # type: ignore[arg-type]  # every prior is a dataclass
    return {name: getattr(prior, name) for name in names if name != "weight"}
