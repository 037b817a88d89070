"""What ``impacts/NAME.yaml`` and ``NAME.ecsv`` hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm.estimators.impacts import Impact, Impacts, Shift
from gm.io.ecsv import write_ecsv
from gm.io.tables import Column, Table
from gm.pipeline.results import finite
from gm.pipeline.stages.impacts.settings import ImpactSettings

_STEPS = ("post_fit", "pre_fit")


def impacts_document(impacts: Impacts, settings: ImpactSettings, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ``gm/impacts/1`` document; numbers that do not exist are None."""
    rows = [_row(row, impacts) for row in impacts.rows]
    lost = sum(_is_lost(row) for row in impacts.rows)
    n = len(rows)
    if impacts.reason:
        status, message = "failed", impacts.reason
    else:
        status = "ok" if not lost else "failed" if lost == n else "incomplete"
        message = f"{n} nuisance{'s' * (n != 1)} of {impacts.parameter}" + (f", {lost} not known" if lost else "")
    return {
        "schema": "gm/impacts/1",
        "name": settings.name,
        "status": status,
        "message": message,
        "warnings": list(impacts.warnings),
        "parameter": {
            "name": impacts.parameter,
            "unit": impacts.unit,
            "value": finite(impacts.value),
            "error": finite(impacts.error),
            "error_fixed": finite(impacts.error_fixed),
        },
        "nuisances": rows,
        "inputs": dict(inputs),
    }


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
            "type": prior.tag,
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


def write_table(file: Path, impacts: Impacts) -> None:
    """The rows as ECSV; a number that does not exist is NaN. Raises `DataError`."""
    rows = impacts.rows
    header = {"parameter": impacts.parameter, "unit": impacts.unit, "value": impacts.value, "error": impacts.error}
    write_ecsv(file, Table("IMPACTS", tuple(_columns(rows, impacts.unit)), header))


def _columns(rows: Sequence[Impact], unit: str) -> Iterator[Column]:
    for name in ("name", "unit"):
        yield Column(name, np.array([getattr(row, name) for row in rows], dtype=str))
    for name in ("value", "error", "pull", "constraint"):
        yield _numbers(name, [getattr(row, name) for row in rows])
    for step in _STEPS:
        for k, side in enumerate(("down", "up")):
            shifts = [None if (sides := getattr(row, step)) is None else sides[k].shift for row in rows]
            yield _numbers(f"{step}_{side}", shifts, unit)


def _numbers(name: str, values: Sequence[float | None], unit: str = "") -> Column:
    return Column(name, np.array([np.nan if value is None else value for value in values], dtype=np.float64), unit)
