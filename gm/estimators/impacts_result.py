"""Impacts as values, documents and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from gm.estimators.told import Told, number, numbers
from gm.io.tables import Column, Table
from gm.models.prior import Prior
from gm.values import finite

_STEPS = ("post_fit", "pre_fit")


@dataclass(frozen=True)
class Shift:
    """What moving a nuisance to ``value`` does: the parameter moves by ``shift``, in its unit.

    limit : ``lower`` or ``upper`` where the nuisance goes to that limit only, which is nearer. None for a shift that is
    not known, with the ``reason``.
    """

    value: float
    shift: float | None
    limit: str = ""
    reason: str = ""


@dataclass(frozen=True)
class NuisancePrior:
    """The prior of a nuisance: its type, where its peak is and how wide, None where it has none."""

    type: str
    center: float | None
    width: float | None

    @classmethod
    def of(cls, prior: Prior) -> Self:
        return cls(prior.tag, prior.center, prior.width)


@dataclass(frozen=True)
class Impact:
    """What one nuisance does to the parameter.

    value, error : of the nuisance after the fit, in its ``unit``; error None where it has none, with the ``reason``
    post_fit : the parameter's shifts when the nuisance goes down and up by its error; None without one
    pre_fit : the same for the width of its prior; None without a prior that has a peak
    linear : the shift that the covariance tells of a step up by one error, covariance / error
    """

    name: str
    unit: str
    value: float
    error: float | None
    prior: NuisancePrior | None
    post_fit: tuple[Shift, Shift] | None
    pre_fit: tuple[Shift, Shift] | None
    linear: float | None
    reason: str = ""

    @property
    def pull(self) -> float | None:
        """How far the fit has it from the peak of its prior, in widths of that."""
        if self.prior is None or self.prior.center is None or not self.prior.width:
            return None
        return (self.value - self.prior.center) / self.prior.width

    @property
    def constraint(self) -> float | None:
        """Its error after the fit, in widths of its prior: 1 where the data say nothing of it."""
        if self.error is None or self.prior is None or not self.prior.width:
            return None
        return self.error / self.prior.width

    @property
    def size(self) -> float:
        """The larger of its post-fit shifts, without a sign; 0 where none is known."""
        return max((abs(shift.shift) for shift in self.post_fit or () if shift.shift is not None), default=0.0)


@dataclass(frozen=True, repr=False)
class Impacts(Told):
    """What all nuisances do to a parameter, the largest impact first.

    value, error : of the parameter after the fit, in its ``unit``
    error_fixed : its error with all nuisances held where the fit has them. None where there is none
    """

    parameter: str
    unit: str
    value: float
    error: float | None
    error_fixed: float | None
    rows: tuple[Impact, ...]
    reason: str = ""
    warnings: tuple[str, ...] = ()

    told_as: ClassVar[str] = "impacts"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        lost, n = sum(_is_lost(row) for row in self.rows), len(self.rows)
        status, message = "failed", self.reason
        if not self.reason:
            status = "ok" if not lost else "failed" if lost == n else "incomplete"
            message = f"{n} nuisance{'s' * (n != 1)} of {self.parameter}" + (f", {lost} not known" if lost else "")
        return {
            "schema": "gm/impacts/1",
            "name": name or self.parameter,
            "status": status,
            "message": message,
            "warnings": list(self.warnings),
            "parameter": {
                "name": self.parameter,
                "unit": self.unit,
                "value": finite(self.value),
                "error": finite(self.error),
                "error_fixed": finite(self.error_fixed),
            },
            "nuisances": [_row(row, self) for row in self.rows],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        of = data["parameter"]
        return cls(
            parameter=of["name"],
            unit=of["unit"],
            value=number(of["value"]),
            error=of["error"],
            error_fixed=of["error_fixed"],
            rows=tuple(_impact_from(row, of["error"]) for row in data["nuisances"]),
            reason=data["message"] if not data["nuisances"] and data["status"] == "failed" else "",
            warnings=tuple(data["warnings"]),
        )

    def table(self) -> Table:
        """The rows; a number that does not exist is NaN."""
        header = {"parameter": self.parameter, "unit": self.unit, "value": self.value, "error": self.error}
        return Table("IMPACTS", tuple(_columns(self.rows, self.unit)), header)

    def told(self) -> str:
        known = "" if self.error is None else f" +- {self.error:.3g}"
        return f"{self.parameter} = {self.value:.5g}{known} {self.unit}".rstrip() + f": {len(self.rows)} nuisances"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The nuisances, with their impacts in errors of the parameter."""
        for row in self.rows:
            ends = {step.replace("_", "-"): _sigmas(getattr(row, step), self) for step in _STEPS}
            numbers = {"value": row.value, "error": row.error, "pull": row.pull, "constraint": row.constraint}
            yield {"nuisance": row.name, **numbers, "unit": row.unit, **ends, "reason": row.reason or None}


def _is_lost(row: Impact) -> bool:
    """Whether a fit of it failed; that a nuisance is at its limit is no failure."""
    sides = [side for sides in (row.post_fit, row.pre_fit) for side in sides or ()]
    return any(side.shift is None and not side.limit for side in sides)


def _row(row: Impact, impacts: Impacts) -> dict[str, Any]:
    prior = row.prior
    return {
        "name": row.name,
        "unit": row.unit,
        "value": finite(row.value),
        "error": finite(row.error),
        "reason": row.reason or None,
        "prior": None if prior is None else {
            "type": prior.type,
            "center": finite(prior.center),
            "width": finite(prior.width),
        },
        "pull": finite(row.pull),
        "constraint": finite(row.constraint),
        "correlation": _in_errors(row.linear, impacts),
        "post_fit": _sides(row.post_fit, impacts),
        "pre_fit": _sides(row.pre_fit, impacts),
    }  # fmt: skip


def _in_errors(shift: float | None, impacts: Impacts) -> float | None:
    return None if shift is None or not impacts.error else finite(shift / impacts.error)


def _sides(shifts: tuple[Shift, Shift] | None, impacts: Impacts) -> dict[str, Any] | None:
    if shifts is None:
        return None
    return {side: _side(shift, impacts) for side, shift in zip(("down", "up"), shifts, strict=True)}


def _side(shift: Shift, impacts: Impacts) -> dict[str, Any]:
    return {
        "value": finite(shift.value),
        "shift": finite(shift.shift),
        "sigmas": _in_errors(shift.shift, impacts),
        "limit": shift.limit or None,
        "reason": shift.reason or None,
    }


def _columns(rows: Sequence[Impact], unit: str) -> Iterator[Column]:
    for name in ("name", "unit"):
        yield Column(name, np.array([getattr(row, name) for row in rows], dtype=str))
    for name in ("value", "error", "pull", "constraint"):
        yield Column(name, numbers([getattr(row, name) for row in rows]))
    for step in _STEPS:
        for k, side in enumerate(("down", "up")):
            shifts = [None if (sides := getattr(row, step)) is None else sides[k].shift for row in rows]
            yield Column(f"{step}_{side}", numbers(shifts), unit)


def _sigmas(shifts: tuple[Shift, Shift] | None, impacts: Impacts) -> list[float | None] | None:
    return None if shifts is None else [_in_errors(shift.shift, impacts) for shift in shifts]


# And back


def _impact_from(row: Mapping[str, Any], error: float | None) -> Impact:
    """``error`` of the parameter, in which its correlation is told."""
    prior, correlation = row["prior"], row["correlation"]
    return Impact(
        name=row["name"],
        unit=row["unit"],
        value=number(row["value"]),
        error=row["error"],
        prior=None if prior is None else NuisancePrior(**prior),
        post_fit=_shifts_from(row["post_fit"]),
        pre_fit=_shifts_from(row["pre_fit"]),
        linear=None if correlation is None or error is None else correlation * error,
        reason=row["reason"] or "",
    )


def _shifts_from(sides: Mapping[str, Any] | None) -> tuple[Shift, Shift] | None:
    return None if sides is None else (_shift_from(sides["down"]), _shift_from(sides["up"]))


def _shift_from(row: Mapping[str, Any]) -> Shift:
    return Shift(number(row["value"]), row["shift"], row["limit"] or "", row["reason"] or "")
