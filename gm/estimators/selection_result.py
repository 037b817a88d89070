"""The comparison of models as a value and a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from gm.estimators.result import FittedValue
from gm.estimators.told import Told, number
from gm.fit import FitResult
from gm.values import finite

Criterion = Literal["aic", "bic", "ts"]


@dataclass(frozen=True)
class NestedTest:
    """Two models of which one is a special case of the other, by the names of the alternatives.

    ts : -2 ln L of the simpler above the richer; p_value : that chance gives more where the simpler is true, from a
    chi-square with ``degrees_of_freedom`` (Wilks), which is too large where a parameter is at the border of what it may
    be; sigma : the same in standard deviations, two-sided
    """

    simpler: str
    richer: str
    ts: float
    degrees_of_freedom: int
    p_value: float
    sigma: float | None


@dataclass(frozen=True)
class FitSummary:
    """What a comparison tells of a fit: -2 ln L, the numbers of free parameters and of bins, the free parameters."""

    statistic: float
    n_free: int
    n_bins: int
    parameters: tuple[FittedValue, ...]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: FitResult) -> Self:
        free = (p for p in result.parameters if not p.frozen)
        values = tuple(FittedValue(p.name, p.value, p.error, p.unit) for p in free)
        return cls(result.statistic, result.n_free, result.n_bins, values, result.warnings)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One alternative; ``fitted`` is None where there is no fit, and ``reason`` says why.

    result : the fit, None where it was read from a file, which has the models in another, ``models``
    ts : -2 ln L of the first alternative above this one; test : where one of the two holds the other
    aic : ``-2 ln L + 2 k``; bic : ``-2 ln L + k ln n`` with n bins; weight : Akaike's
    """

    name: str
    type: str
    status: str
    reason: str = ""
    result: FitResult | None = None
    fitted: FitSummary | None = None
    ts: float | None = None
    test: NestedTest | None = None
    why_no_test: str = ""
    aic: float | None = None
    bic: float | None = None
    weight: float | None = None
    models: str | None = None

    @property
    def success(self) -> bool:
        """Its fit found a minimum."""
        return self.status in ("converged", "at_limit")


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Told):
    """All candidates in order, the one that is chosen, and the test of curvature."""

    component: str
    criterion: Criterion
    candidates: tuple[Candidate, ...]
    chosen: str | None
    curvature: NestedTest | None
    why_no_curvature: str = ""

    told_as: ClassVar[str] = "select"

    def to_dict(
        self, name: str = "", inputs: Mapping[str, Any] | None = None, places: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The document; numbers that do not exist are None. places : of models that were written, relative to it."""
        rows = self.candidates
        failed = sum(not row.success for row in rows)
        chosen = f"{self.chosen} is chosen" if self.chosen is not None else "nothing to choose from"
        return {
            "schema": "gm/select/1",
            "name": name or f"{self.component}-spectrum",
            "component": self.component,
            "status": "ok" if not failed else "failed" if failed == len(rows) else "incomplete",
            "message": f"{chosen}, of {len(rows)}" + (f"; {failed} failed" if failed else ""),
            "criterion": self.criterion,
            "chosen": self.chosen,
            "alternatives": [_row(row, rows, (places or {}).get(row.name, row.models)) for row in rows],
            "curvature": _test(self.curvature),
            **({"curvature_reason": self.why_no_curvature} if self.why_no_curvature else {}),
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        return cls(
            component=data["component"],
            criterion=data["criterion"],
            candidates=tuple(map(_candidate_from, data["alternatives"])),
            chosen=data["chosen"],
            curvature=_test_from(data["curvature"]),
            why_no_curvature=data.get("curvature_reason", ""),
        )

    def told(self) -> str:
        names = ", ".join(candidate.name for candidate in self.candidates)
        chosen = "none is chosen" if self.chosen is None else f"{self.chosen} is chosen"
        return f"{self.component!r}, {chosen} of {names} by {self.criterion}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The candidates."""
        for one in self.candidates:
            numbers = {"TS": one.ts, "AIC": one.aic, "BIC": one.bic, "weight": one.weight}
            yield {"name": one.name, "type": one.type, "status": one.status, **numbers, "reason": one.reason or None}


def _row(row: Candidate, rows: tuple[Candidate, ...], place: str | None) -> dict[str, Any]:
    fitted = row.fitted
    aics = [other.aic for other in rows if other.aic is not None]
    bics = [other.bic for other in rows if other.bic is not None]
    return {
        "name": row.name,
        "type": row.type,
        "status": row.status,
        "reason": row.reason or None,
        "statistic": None if fitted is None else finite(fitted.statistic),
        "log_likelihood": None if fitted is None else finite(-0.5 * fitted.statistic),
        "free_parameters": None if fitted is None else fitted.n_free,
        "bins": None if fitted is None else fitted.n_bins,
        "ts": finite(row.ts),
        "nested": row.test is not None if row.ts is not None and row is not rows[0] else None,
        "test": _test(row.test),
        **({"test_reason": row.why_no_test} if row.why_no_test else {}),
        "aic": finite(row.aic),
        "delta_aic": None if row.aic is None else row.aic - min(aics),
        "bic": finite(row.bic),
        "delta_bic": None if row.bic is None else row.bic - min(bics),
        "weight": finite(row.weight),
        "parameters": [] if fitted is None else [
            {"name": p.name, "value": finite(p.value), "error": finite(p.error), "unit": p.unit}
            for p in fitted.parameters
        ],
        "warnings": [] if fitted is None else list(fitted.warnings),
        "models": place,
    }  # fmt: skip


def _test(test: NestedTest | None) -> dict[str, Any] | None:
    """A test of nested models."""
    if test is None:
        return None
    return {
        "simpler": test.simpler,
        "richer": test.richer,
        "ts": test.ts,
        "degrees_of_freedom": test.degrees_of_freedom,
        "p_value": test.p_value,
        "sigma": test.sigma,
    }


# And back


def _candidate_from(row: Mapping[str, Any]) -> Candidate:
    fitted = None
    if row["free_parameters"] is not None:
        values = tuple(FittedValue(p["name"], number(p["value"]), p["error"], p["unit"]) for p in row["parameters"])
        sizes = number(row["statistic"]), row["free_parameters"], row["bins"]
        fitted = FitSummary(*sizes, values, tuple(row["warnings"]))
    return Candidate(
        name=row["name"],
        type=row["type"],
        status=row["status"],
        reason=row["reason"] or "",
        fitted=fitted,
        ts=row["ts"],
        test=_test_from(row["test"]),
        why_no_test=row.get("test_reason", ""),
        aic=row["aic"],
        bic=row["bic"],
        weight=row["weight"],
        models=row["models"],
    )


def _test_from(row: Mapping[str, Any] | None) -> NestedTest | None:
    return None if row is None else NestedTest(**row)
