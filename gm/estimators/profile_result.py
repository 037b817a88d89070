"""Likelihood profiles as values and documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from gm.arrays import Array
from gm.estimators.told import Told, number, numbers
from gm.fit.document import contour_from
from gm.fit.ellipsoid import Interval
from gm.fit.parts import Contour
from gm.values import finite


@dataclass(frozen=True, eq=False)
class ProfileAxis:
    """A parameter or quantity: its best value, error (None without one) and the ``values`` of the profile, (n,)."""

    name: str
    unit: str
    best: float
    error: float | None
    values: Array


@dataclass(frozen=True, eq=False)
class ProfileRow:
    """-2 ln L at one point, and what all free parameters are there, (n_free,); None where it failed, and why."""

    values: tuple[float, ...]
    status: Literal["ok", "failed"]
    reason: str | None
    stat: float | None
    parameters: Array | None


@dataclass(frozen=True, eq=False, repr=False)
class LikelihoodProfile(Told):
    """-2 ln L over a grid of values of one or two axes, minimised over all else; rows in C order of the axes.

    stat : at the minimum; stat_start : of the models given. intervals : of one axis, with ends relative to its best
    value, by level in sigma. contours : of two axes, by level. free : (n_free,) names of the parameters of rows.
    quantity : where it is of one, and not of parameters.
    """

    axes: tuple[ProfileAxis, ...]
    rows: tuple[ProfileRow, ...]
    stat: float
    stat_start: float
    free: tuple[str, ...]
    intervals: dict[float, Interval]
    contours: dict[float, Contour]
    warnings: tuple[str, ...] = ()
    quantity: str | None = None

    told_as: ClassVar[str] = "profile"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        failed, n = sum(row.status == "failed" for row in self.rows), len(self.rows)
        names = [axis.name for axis in self.axes]
        about = self.quantity or " and ".join(names)
        return {
            "schema": "gm/profile/1",
            "name": name or "-".join(names).split(",")[0].replace("(", "-").replace(" ", ""),
            "status": "ok" if not failed else "failed" if failed == n else "incomplete",
            "message": f"{about}: {n} points" + (f", {failed} failed" if failed else ""),
            "warnings": list(self.warnings),
            "quantity": self.quantity,
            "statistic": {"minimum": finite(self.stat), "start": finite(self.stat_start)},
            "axes": [_axis(axis) for axis in self.axes],
            "points": [_point(row, self) for row in self.rows],
            "intervals": [_interval(sigma, interval, self) for sigma, interval in self.intervals.items()],
            "contours": [_contour(sigma, contour) for sigma, contour in self.contours.items()],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """Of two axes no document tells what the other parameters are at its points."""
        axes, points = tuple(map(_axis_from, data["axes"])), data["points"]
        free = next((tuple(row["parameters"]) for row in points if "parameters" in row), ())
        names = axes[0].name, axes[-1].name
        return cls(
            axes=axes,
            rows=tuple(_row_from(row, free) for row in points),
            stat=number(data["statistic"]["minimum"]),
            stat_start=number(data["statistic"]["start"]),
            free=free,
            intervals={row["sigma"]: _interval_from(row) for row in data["intervals"]},
            contours={row["sigma"]: contour_from({**row, "parameters": names}) for row in data["contours"]},
            warnings=tuple(data["warnings"]),
            quantity=data["quantity"],
        )

    def told(self) -> str:
        size = " x ".join(str(axis.values.size) for axis in self.axes)
        return f"{', '.join(axis.name for axis in self.axes)}: {size} points, statistic {self.stat:.2f}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The axes, with the intervals of one."""
        for axis in self.axes:
            ends = {f"within {level:g} sigma": [one.lower, one.upper] for level, one in self.intervals.items()}
            yield {"axis": axis.name, "best": axis.best, "error": axis.error, **ends, "unit": axis.unit}


def _axis(axis: ProfileAxis) -> dict[str, Any]:
    return {
        "parameter": axis.name,
        "unit": axis.unit,
        "best": finite(axis.best),
        "error": finite(axis.error),
        "values": axis.values.tolist(),
    }


def _contour(sigma: float, contour: Contour) -> dict[str, Any]:
    return {
        "sigma": sigma,
        "delta_statistic": contour.delta_statistic,
        "points": [[float(x), float(y)] for x, y in contour.points],
        **({"reason": contour.reason} if contour.reason else {}),
    }


def _point(row: ProfileRow, profile: LikelihoodProfile) -> dict[str, Any]:
    at = {"value": row.values[0]} if len(row.values) == 1 else {"values": list(row.values)}
    point: dict[str, Any] = {
        **at,
        "status": row.status,
        "reason": row.reason,
        "stat": finite(row.stat),
        "delta_stat": None if row.stat is None else finite(row.stat - profile.stat),
    }
    if len(row.values) == 1 and row.parameters is not None:
        point["parameters"] = {
            name: finite(value) for name, value in zip(profile.free, row.parameters.tolist(), strict=True)
        }
    return point


def _interval(sigma: float, interval: Interval, profile: LikelihoodProfile) -> dict[str, Any]:
    best = profile.axes[0].best
    return {
        "sigma": sigma,
        "min": None if interval.lower is None else finite(best + interval.lower),
        "max": None if interval.upper is None else finite(best + interval.upper),
        "errn": None if interval.lower is None else finite(-interval.lower),
        "errp": finite(interval.upper),
        **({"reason": interval.reason} if interval.reason else {}),
    }


# And back


def _axis_from(row: Mapping[str, Any]) -> ProfileAxis:
    return ProfileAxis(row["parameter"], row["unit"], number(row["best"]), row["error"], numbers(row["values"]))


def _row_from(row: Mapping[str, Any], free: Sequence[str]) -> ProfileRow:
    """The parameters (n_free,) in the order of ``free``."""
    at = tuple(row["values"]) if "values" in row else (row["value"],)
    known = row.get("parameters")
    parameters = None if known is None else numbers(known[name] for name in free)
    return ProfileRow(at, row["status"], row["reason"], row["stat"], parameters)


def _interval_from(row: Mapping[str, Any]) -> Interval:
    """Its ends are relative to the best value."""
    lower = None if row["errn"] is None else -row["errn"]
    return Interval(lower, row["errp"], row.get("reason", ""))
