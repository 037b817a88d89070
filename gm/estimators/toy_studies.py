"""What toys say together, as values and documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, final

import numpy as np

from gm.arrays import Array
from gm.estimators.told import Told
from gm.estimators.toy_table import toys_table
from gm.estimators.toys import Toy
from gm.io.ecsv import ecsv_text


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


@dataclass(frozen=True, repr=False)
class ToySummary(Told):
    """All of it; ``verdict`` in words, ``deviations`` one by one where something is not as it should be.

    toys : one by one; sigma_ul : level of the upper limits; seed : of the toys, where it is known; from_best_fit :
    whether the truth is the best fit
    """

    n: int
    failed: int
    at_limit: int
    parameters: tuple[ParameterStudy, ...]
    tests: tuple[TestStudy, ...]
    limits: dict[str, Share]
    total: GoodnessStudy
    datasets: tuple[GoodnessStudy, ...]
    deviations: tuple[str, ...]
    verdict: str
    sigma_ul: float = 2.0
    seed: int | None = None
    from_best_fit: bool = True
    toys: tuple[Toy, ...] = ()

    told_as: ClassVar[str] = "toys"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            "schema": "gm/toys/1",
            "name": name or "toys",
            "status": self.status,
            "message": self._message("toy"),
            "verdict": self.verdict,
            "deviations": list(self.deviations),
            "toys": {"n": self.n, "failed": self.failed, "at_limit": self.at_limit, "seed": self.seed},
            "from": "best-fit" if self.from_best_fit else "models",
            "parameters": [_parameter(study) for study in self.parameters],
            "components": [_test(study) for study in self.tests],
            "limits": [
                {"source": source, "sigma_ul": self.sigma_ul, **_share(share)} for source, share in self.limits.items()
            ],
            "goodness": self._goodness(),
            "inputs": None if inputs is None else dict(inputs),
        }

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """A row of every toy."""
        units = {one.name: one.unit for one in self.parameters}
        return {"toys.ecsv": ecsv_text(toys_table(self.toys, units, {})).encode()}

    @property
    def status(self) -> str:
        """``ok``, or whether some or all fits failed."""
        return "ok" if not self.failed else "failed" if self.failed == self.n else "incomplete"

    def goodness(self) -> Goodness:
        """How well the models describe the data, by these toys."""
        return Goodness(self)

    def told(self) -> str:
        return f"{self._message('toy')}: {self.verdict}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The parameters."""
        for one in self.parameters:
            pulls = {"pull mean": one.pulls.mean, "pull width": one.pulls.width}
            shares = {f"covered {name}": share.value for name, share in one.coverage.items()}
            yield {
                "parameter": one.name,
                "truth": one.truth,
                "mean": one.values.mean,
                "unit": one.unit,
                **pulls,
                **shares,
            }

    def _message(self, noun: str) -> str:
        n = f"{self.n} {noun}{'s' * (self.n != 1)}"
        told = [n, f"{self.failed} failed" if self.failed else "none failed"]
        return ", ".join([*told, *([f"{self.at_limit} at a limit"] if self.at_limit else [])])

    def _goodness(self) -> dict[str, Any]:
        """Of all datasets together, and of each."""
        return {
            "total": _goodness(self.total),
            "datasets": [{"name": study.name, **_goodness(study)} for study in self.datasets],
        }


@final
@dataclass(frozen=True, repr=False)
class Goodness(Told):
    """The observed statistic among those of ``toys``, in total and of each dataset."""

    toys: ToySummary

    told_as: ClassVar[str] = "goodness"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        toys = self.toys
        return {
            "schema": "gm/goodness/1",
            "name": name or "goodness",
            "status": toys.status,
            "message": toys._message("simulation"),
            "simulations": {"n": toys.n, "failed": toys.failed, "seed": toys.seed},
            **toys._goodness(),
            "inputs": None if inputs is None else dict(inputs),
        }

    def told(self) -> str:
        share = self.toys.total.deviance.higher
        known = "" if share.value is None else f", {100 * share.value:.3g} % have a higher deviance"
        return f"{self.toys._message('simulation')}{known}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """All datasets together, and each."""
        for study in (self.toys.total, *self.toys.datasets):
            found = study.deviance
            numbers = {"observed": found.observed, "mean": found.toys.mean, "width": found.toys.width}
            yield {"dataset": study.name or "all", **numbers, "share higher": found.higher.value}


def _goodness(study: GoodnessStudy) -> dict[str, Any]:
    """-2 ln L as observed and in the toys, and the share of toys with more; and the same of the deviance."""
    return {**_comparison(study.statistic), "deviance": _comparison(study.deviance)}


def _comparison(found: Comparison) -> dict[str, Any]:
    return {"observed": found.observed, **_moments(found.toys), "higher": _share(found.higher)}


def _share(share: Share) -> dict[str, Any]:
    """A share with its error."""
    row = {"n": share.n, "share": share.value, "error": share.error}
    return row if share.expected is None else {**row, "expected": share.expected}


def _moments(moments: Moments) -> dict[str, float | None]:
    return {
        "mean": moments.mean,
        "mean_error": moments.mean_error,
        "width": moments.width,
        "width_error": moments.width_error,
    }


def _parameter(study: ParameterStudy) -> dict[str, Any]:
    return {
        "name": study.name,
        "unit": study.unit,
        "truth": study.truth,
        "n": study.values.n,
        "values": _moments(study.values),
        "bias": study.bias,
        "bias_error": study.bias_error,
        "mean_of_errors": study.mean_of_errors,
        "without_error": study.without_error,
        "pulls": _moments(study.pulls),
        "coverage": {name: _share(share) for name, share in study.coverage.items()},
    }


def _test(study: TestStudy) -> dict[str, Any]:
    return {
        "name": study.name,
        "n": study.n,
        "ts": {f"{100 * level:g} %": value for level, value in study.quantiles.items()},
        "threshold": study.threshold,
        "detected": _share(study.detected),
    }
