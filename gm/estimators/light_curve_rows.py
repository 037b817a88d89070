"""The points of a light curve as the rows of its document, ``gm/light-curve/1``, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gm.arrays import Array
from gm.estimators.point_rows import point_from, point_row
from gm.estimators.quantity import Quantity
from gm.estimators.result import FittedValue, FluxPoint
from gm.estimators.time_bins import TimeBin, utc
from gm.estimators.told import number
from gm.units import TEV_IN_ERG
from gm.values import finite

_ENDS = ("", "_err", "_errn", "_errp", "_ul")


@dataclass(frozen=True, eq=False)
class LightCurveRow:
    """One bin of time: its flux points by energy, None where it was not asked for; live time [s], None if unknown."""

    bin: TimeBin
    livetime: float | None
    points: tuple[FluxPoint, ...] | None


def measured_row(point: FluxPoint, norm_scan: Array) -> dict[str, Any]:
    """As of flux points; where the spectrum was fitted too its own numbers, with symmetric errors alone."""
    row = point_row(point, norm_scan)
    for name, one in point.spectrum.items():
        row |= {name: finite(one.value), f"{name}_err": finite(one.error)}
        row |= {f"{name}{side}": None for side in ("_errn", "_errp", "_ul")}
    if "dnde" in point.spectrum:
        factor = point.e_ref**2 * TEV_IN_ERG
        row |= {f"e2dnde{end}": None if row[f"dnde{end}"] is None else row[f"dnde{end}"] * factor for end in _ENDS}
    if point.parameters:
        row["parameters"] = [value_row(one) for one in point.parameters]
    return row


def times_row(row: LightCurveRow) -> dict[str, Any]:
    start, stop = row.bin.start, row.bin.stop
    others = [name for name in row.bin.datasets if not any(name in point.datasets for point in row.points or ())]
    return {
        "time_min": start,
        "time_max": stop,
        "time_min_utc": None if start is None else utc(start),
        "time_max_utc": None if stop is None else utc(stop),
        "livetime": finite(row.livetime),
        **({"other_datasets": others} if others else {}),
    }


def value_row(one: FittedValue) -> dict[str, Any]:
    return {"name": one.name, "value": finite(one.value), "error": finite(one.error), "unit": one.unit}


# And back


def rows_from(
    rows: Sequence[Mapping[str, Any]], n_bands: int, norm_scan: Array, source: str, *, with_spectrum: bool
) -> Iterator[LightCurveRow]:
    """The bins of time that rows of points tell, ``n_bands`` of energy in each, in which the spectrum was fitted too
    where it is ``with_spectrum``."""
    if not n_bands or len(rows) % n_bands:
        raise ValueError(f"{len(rows)} points, {n_bands} bands of energy")
    for k in range(0, len(rows), n_bands):
        own, first = rows[k : k + n_bands], rows[k]
        told = [name for row in own for name in row.get("datasets") or ()]
        names = dict.fromkeys([*told, *first.get("other_datasets", ())])
        points = (point_from(row, norm_scan) for row in own)
        if with_spectrum:
            points = (_with_spectrum(point, row, source) for point, row in zip(points, own, strict=True))
        yield LightCurveRow(
            TimeBin(first["time_min"], first["time_max"], tuple(names)), first["livetime"], tuple(points)
        )


def _with_spectrum(point: FluxPoint, row: Mapping[str, Any], source: str) -> FluxPoint:
    """With what the fitted spectrum says."""
    parameters = tuple(map(value_from, row.get("parameters", ())))
    if point.estimate is None:
        return replace(point, parameters=parameters)
    found = Quantity("dnde", source, (point.e_ref,)), Quantity("eflux", source, (point.e_min, point.e_max))
    spectrum = {
        one.kind: FittedValue(str(one), number(row[one.kind]), row[f"{one.kind}_err"], one.unit) for one in found
    }
    return replace(point, spectrum=spectrum, parameters=parameters)


def value_from(row: Mapping[str, Any]) -> FittedValue:
    """What a row of a fitted value says."""
    return FittedValue(row["name"], number(row["value"]), row["error"], row["unit"])
