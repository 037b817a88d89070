"""What toys say of one thing, as values: shares, moments, pulls, test statistics, comparisons with the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from gm.arrays import Array


@dataclass(frozen=True)
class Share:
    """A share of toys and its error; ``expected`` where there is an expectation. Of no toys: None."""

    n: int
    value: float | None
    error: float | None
    expected: float | None = None

    @classmethod
    def of(cls, hits: Iterable[bool], expected: float | None = None) -> Share:
        """The error is that of the expected share, or else of the share itself with one toy more on both sides."""
        found = list(hits)
        n, k = len(found), sum(found)
        if not n:
            return cls(0, None, None, expected)
        p = (k + 1) / (n + 2) if expected is None else expected
        return cls(n, k / n, sqrt(p * (1 - p) / n), expected)

    @property
    def deviation(self) -> float:
        """From what is expected, in errors; 0 where nothing is."""
        if self.value is None or self.expected is None or not self.error:
            return 0.0
        return (self.value - self.expected) / self.error


@dataclass(frozen=True)
class Moments:
    """Mean and width of a distribution over toys, with the errors of both. Of fewer than two toys: None."""

    n: int
    mean: float | None
    mean_error: float | None
    width: float | None
    width_error: float | None

    @classmethod
    def of(cls, values: Array) -> Moments:
        """``values`` (n,); the error of the width is that of a normal distribution."""
        n = values.size
        if n < 2:
            return cls(n, float(values[0]) if n else None, None, None, None)
        width = float(np.std(values, ddof=1))
        return cls(n, float(np.mean(values)), width / sqrt(n), width, width / sqrt(2 * (n - 1)))


@dataclass(frozen=True)
class ParameterStudy:
    """A free parameter, in its own unit.

    values : of the fits; bias : their mean minus the truth, ``bias_error`` its error
    mean_of_errors : what the fits say of their error, to be compared with the width of ``values``
    pulls : ``(value - truth) / error``
    coverage : share of toys with the truth within 1 and within 2 errors, and within the asymmetric errors
    """

    name: str
    unit: str
    truth: float
    values: Moments
    bias: float | None
    bias_error: float | None
    mean_of_errors: float | None
    without_error: int
    pulls: Moments
    coverage: dict[str, Share]


@dataclass(frozen=True)
class TestStudy:
    """TS of a component: its distribution by quantiles, and the share above ``threshold``."""

    name: str
    n: int
    quantiles: dict[float, float]
    detected: Share
    threshold: float


@dataclass(frozen=True)
class Comparison:
    """A number as observed, over the toys, and the share of toys that have more."""

    observed: float | None
    toys: Moments
    higher: Share

    @classmethod
    def of(cls, observed: float | None, values: Iterable[float | None]) -> Comparison:
        """``values`` of the toys, None where there is none."""
        found = np.array([value for value in values if value is not None])
        hits = [] if observed is None else (found > observed).tolist()
        return cls(observed, Moments.of(found), Share.of(hits))


@dataclass(frozen=True)
class GoodnessStudy:
    """-2 ln L at the minimum, and the same relative to a model that predicts what was measured in every bin.

    The latter is what tells how well models describe data: Cash leaves out terms that only data decide, and without
    them it tells how many counts there are.
    """

    name: str
    statistic: Comparison
    deviance: Comparison


@dataclass(frozen=True)
class Observed:
    """-2 ln L of the data at their best fit: with priors, and of each dataset the two numbers of `GoodnessStudy`."""

    total: float
    statistics: Mapping[str, float]
    deviances: Mapping[str, float]

    @property
    def deviance(self) -> float:
        """Of all datasets, with priors."""
        return self.total - sum(self.statistics.values()) + sum(self.deviances.values())
