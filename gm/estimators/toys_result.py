"""What toys say together, as values and documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, final

from gm.estimators.told import Told
from gm.estimators.toy_studies import Comparison, GoodnessStudy, Moments, ParameterStudy, Share, TestStudy
from gm.estimators.toy_table import toys_from, toys_table
from gm.estimators.toys import Toy
from gm.io.ecsv import ecsv_text, read_ecsv

TOYS = "toys.ecsv"
"""The table of toys beside their document."""


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
            "message": _message("toy", self),
            "verdict": self.verdict,
            "deviations": list(self.deviations),
            "toys": {"n": self.n, "failed": self.failed, "at_limit": self.at_limit, "seed": self.seed},
            "from": "best-fit" if self.from_best_fit else "models",
            "parameters": [_parameter(study) for study in self.parameters],
            "components": [_test(study) for study in self.tests],
            "limits": [
                {"source": source, "sigma_ul": self.sigma_ul, **_share(share)} for source, share in self.limits.items()
            ],
            "goodness": _goodness_of_all(self),
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """With the toys one by one where their table is in the folder."""
        toys, table = data["toys"], directory / TOYS
        return cls(
            n=toys["n"],
            failed=toys["failed"],
            at_limit=toys["at_limit"],
            parameters=tuple(map(_parameter_from, data["parameters"])),
            tests=tuple(map(_test_from, data["components"])),
            limits={row["source"]: _share_from(row) for row in data["limits"]},
            total=_goodness_from(data["goodness"]["total"]),
            datasets=tuple(map(_goodness_from, data["goodness"]["datasets"])),
            deviations=tuple(data["deviations"]),
            verdict=data["verdict"],
            sigma_ul=next((row["sigma_ul"] for row in data["limits"]), 2.0),
            seed=toys["seed"],
            from_best_fit=data["from"] == "best-fit",
            toys=tuple(toys_from(read_ecsv(table))) if table.is_file() else (),
        )

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """A row of every toy."""
        units = {one.name: one.unit for one in self.parameters}
        return {TOYS: ecsv_text(toys_table(self.toys, units, {})).encode()}

    @property
    def status(self) -> str:
        """``ok``, or whether some or all fits failed."""
        return _status(self.n, self.failed)

    def goodness(self) -> Goodness:
        """How well the models describe the data, by these toys."""
        return Goodness(self.n, self.failed, self.at_limit, self.seed, self.total, self.datasets)

    def told(self) -> str:
        return f"{_message('toy', self)}: {self.verdict}"

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


@final
@dataclass(frozen=True, repr=False)
class Goodness(Told):
    """The observed statistic among those of simulations, in ``total`` and of each of the ``datasets``.

    n, failed, at_limit : simulations, those whose fits failed or ended at a limit; seed : None where it is not known
    """

    n: int
    failed: int
    at_limit: int
    seed: int | None
    total: GoodnessStudy
    datasets: tuple[GoodnessStudy, ...]

    told_as: ClassVar[str] = "goodness"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            "schema": "gm/goodness/1",
            "name": name or "goodness",
            "status": _status(self.n, self.failed),
            "message": _message("simulation", self),
            "simulations": {"n": self.n, "failed": self.failed, "at_limit": self.at_limit, "seed": self.seed},
            **_goodness_of_all(self),
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        of = data["simulations"]
        numbers = of["n"], of["failed"], of.get("at_limit", 0), of["seed"]
        return cls(*numbers, _goodness_from(data["total"]), tuple(map(_goodness_from, data["datasets"])))

    def told(self) -> str:
        share = self.total.deviance.higher
        known = "" if share.value is None else f", {100 * share.value:.3g} % have a higher deviance"
        return f"{_message('simulation', self)}{known}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """All datasets together, and each."""
        for study in (self.total, *self.datasets):
            found = study.deviance
            numbers = {"observed": found.observed, "mean": found.toys.mean, "width": found.toys.width}
            yield {"dataset": study.name or "all", **numbers, "share higher": found.higher.value}


def _status(n: int, failed: int) -> str:
    return "ok" if not failed else "failed" if failed == n else "incomplete"


def _message(noun: str, of: ToySummary | Goodness) -> str:
    told = [f"{of.n} {noun}{'s' * (of.n != 1)}", f"{of.failed} failed" if of.failed else "none failed"]
    return ", ".join([*told, *([f"{of.at_limit} at a limit"] if of.at_limit else [])])


def _goodness_of_all(of: ToySummary | Goodness) -> dict[str, Any]:
    """Of all datasets together, and of each."""
    return {
        "total": _goodness(of.total),
        "datasets": [{"name": study.name, **_goodness(study)} for study in of.datasets],
    }


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


# And back


def _share_from(row: Mapping[str, Any]) -> Share:
    return Share(row["n"], row["share"], row["error"], row.get("expected"))


def _moments_from(row: Mapping[str, Any], n: int) -> Moments:
    return Moments(n, row["mean"], row["mean_error"], row["width"], row["width_error"])


def _comparison_from(row: Mapping[str, Any]) -> Comparison:
    higher = _share_from(row["higher"])
    return Comparison(row["observed"], _moments_from(row, higher.n), higher)


def _goodness_from(row: Mapping[str, Any]) -> GoodnessStudy:
    return GoodnessStudy(row.get("name", ""), _comparison_from(row), _comparison_from(row["deviance"]))


def _parameter_from(row: Mapping[str, Any]) -> ParameterStudy:
    return ParameterStudy(
        name=row["name"],
        unit=row["unit"],
        truth=row["truth"],
        values=_moments_from(row["values"], row["n"]),
        bias=row["bias"],
        bias_error=row["bias_error"],
        mean_of_errors=row["mean_of_errors"],
        without_error=row["without_error"],
        pulls=_moments_from(row["pulls"], row["n"] - row["without_error"]),
        coverage={name: _share_from(share) for name, share in row["coverage"].items()},
    )


def _test_from(row: Mapping[str, Any]) -> TestStudy:
    quantiles = {float(level.removesuffix(" %")) / 100: value for level, value in row["ts"].items()}
    return TestStudy(row["name"], row["n"], quantiles, _share_from(row["detected"]), row["threshold"])
