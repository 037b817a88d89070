"""One parameter and its prior from plain data, and what can be wrong with them.

Everything reports its problems through ``report(path, message, hint)`` and goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, TypeAlias

from gm.errors import JsonPath, suggest
from gm.models.documents.plain import entry, mapping, rows, text
from gm.models.errors import ModelError
from gm.models.parameter import Parameter, in_unit, number_problems, split_quantity
from gm.models.prior import (
    PRIORS,
    Prior,
    prior_parameters,
)
from gm.units import UnitError, factor

Report: TypeAlias = Callable[[JsonPath, str, str], None]

EXTRA_KEYS = (
    "interp",
    "scale_method",
    "scale_transform",
    "scan_min",
    "scan_max",
    "scan_n_values",
    "scan_n_sigma",
    "scan_values",
)
PARAMETER_KEYS = ("name", "value", "unit", "error", "min", "max", "frozen", "prior", "link", *EXTRA_KEYS)
_IGNORED_KEYS = ("scale", "is_norm")


def read_parameter(default: Parameter, data: Mapping[str, Any], path: JsonPath, report: Report) -> Parameter:
    """A parameter of a model: the default with what the YAML gives. Its unit is checked by the model."""
    for key in data:
        if key not in PARAMETER_KEYS + _IGNORED_KEYS:
            report((*path, key), f"unknown key '{key}'", suggest(key, PARAMETER_KEYS, "keys"))
    unit = data.get("unit", default.unit)
    if unit is not None and not isinstance(unit, str):
        report((*path, "unit"), f"expected a unit, found {unit!r}", "such as TeV-1 s-1 cm-2")
        unit = default.unit
    edits = {key: data[key] for key in ("value", "error", "min", "max", "frozen", "prior") if key in data}
    extra = {key: data[key] for key in EXTRA_KEYS if key in data}
    return edit_parameter(replace(default, unit=unit or "", extra=extra), edits, path, report)


def edit_parameter(parameter: Parameter, fields: Mapping[str, Any], path: JsonPath, report: Report) -> Parameter:
    """The parameter with some fields changed, and checked: value, error, min, max (or ``"30 GeV"``), frozen, prior."""
    changes: dict[str, Any] = {}
    for key, value in fields.items():
        here = (*path, key)
        if key == "frozen":
            if isinstance(value, bool):
                changes[key] = value
            else:
                report(here, f"expected true or false, found {value!r}", "without quotes: frozen: true")
        elif key == "prior":
            changes[key] = _as_prior(value, parameter.unit, here, report)
        elif key in ("value", "error", "min", "max"):
            number = _as_number(value, parameter.unit, here, report)
            if number is not None and key == "value" and not math.isfinite(number):
                report(here, f"expected a finite number, found {number}", "")
            elif number is not None:
                changes[key] = number
        else:
            allowed = ("value", "min", "max", "error", "frozen", "prior")
            report(here, f"unknown key '{key}'", suggest(key, allowed, "keys"))
    for key, none in (("min", -inf), ("max", inf)):
        if key in changes and math.isnan(changes[key]):
            changes[key] = none
    if not math.isfinite(changes.get("error", 0.0)):
        changes["error"] = 0.0  # unknown, as fits that had none have written it
    edited = replace(parameter, **changes)
    for key, message, hint in number_problems(edited):
        report((*path, key) if key in fields else path, message, hint)
    return edited


def read_prior(data: Any, unit: str, path: JsonPath, report: Report) -> Prior | None:
    """A prior from ``{type, weight, parameters: [{name, value, unit}]}``; ``unit`` is that of its parameter."""
    if mapping(data) is None:
        report(path, f"expected a prior, found {data!r}", "{type: GaussianPrior, parameters: [...]}")
        return None
    kind = PRIORS.get(text(data.get("type")) or "")
    if kind is None:
        report((*path, "type"), f"{data.get('type')!r} is not a prior", suggest(data.get("type"), PRIORS, "priors"))
        return None
    names = list(prior_parameters(kind()))
    numbers: dict[str, float] = {}
    entries = data.get("parameters", [])
    for k, row in enumerate(rows(entries) or []):
        here = (*path, "parameters", k)
        if entry(row, "name") not in names:
            name = row if mapping(row) is None else entry(row, "name")
            report((*here, "name"), f"{name!r} is not a parameter of {kind.tag}", suggest(name, names, "parameters"))
            continue
        number = _as_number(row.get("value"), unit, (*here, "value"), report)
        if number is not None:
            numbers[row["name"]] = number
        own = row.get("unit") or unit
        if own != unit and not _same_unit(own, unit):
            hint = "a prior is in the unit of its parameter; no conversion is made"
            report((*here, "unit"), f"'{own}' is not the parameter's unit '{unit}'", hint)
    weight = _as_number(data.get("weight", 1.0), "", (*path, "weight"), report)
    prior: Prior = kind(**numbers, weight=1.0 if weight is None else weight)
    for name, message in prior.problems():
        positions = [k for k, row in enumerate(rows(entries) or []) if entry(row, "name") == name]
        report((*path, "parameters", positions[0], "value") if positions else path, message, "")
    return prior


def raise_model_error(path: JsonPath, message: str, hint: str) -> None:
    """A ``report`` for values given in Python: raises `ModelError` at once."""
    place = ".".join(str(step) for step in path)
    raise ModelError(f"{place}: {message}" if place else message, hint)


def _as_prior(value: Any, unit: str, path: JsonPath, report: Report) -> Prior | None:
    if value is None:
        return None
    if not isinstance(value, Prior):
        return read_prior(value, unit, path, report)
    for name, message in value.problems():
        report((*path, name), message, "")
    return value


def _as_number(value: Any, unit: str, path: JsonPath, report: Report) -> float | None:
    if value is None and path[-1] in ("min", "max"):
        return math.nan
    try:
        return in_unit(value, unit)
    except UnitError as error:
        report(path, f"expected a number, found {value!r}" if not _is_quantity(value) else str(error), "")
        return None


def _is_quantity(value: Any) -> bool:
    try:
        return split_quantity(value)[1] is not None
    except UnitError:
        return False


def _same_unit(unit: str, other: str) -> bool:
    try:
        return factor(unit, other) == 1.0
    except UnitError:
        return False
