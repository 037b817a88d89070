"""The entries of ``profiles:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gm.errors import DataError, JsonPath, UsageError
from gm.estimators.quantity import Quantity
from gm.models import Models
from gm.models.asked import contour_problems
from gm.pipeline.analysis.sections import Known, Section, patterns, sound_items

_AXES = "one of: parameter (an address), parameters (two addresses), quantity (such as flux(crab, 1 TeV, 10 TeV))"


@dataclass(frozen=True)
class ProfileSettings:
    """One entry of ``profiles:``; values are those of each axis, in its unit; datasets None: those of the fit."""

    name: str
    parameters: tuple[str, ...]
    quantity: Quantity | None
    datasets: tuple[str, ...] | None
    sigma: float
    n: int
    values: tuple[tuple[float, ...], ...] | None
    levels: tuple[float, ...]

    @property
    def about(self) -> str:
        """What it is a profile of, in words."""
        return " and ".join(self.parameters) if self.quantity is None else str(self.quantity)


def read_profiles(section: Section) -> tuple[ProfileSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(_read(section, index, entry) for index, entry in section.entries())


def _read(section: Section, index: int, entry: Mapping[str, Any]) -> ProfileSettings:
    given = [key for key in ("parameter", "parameters", "quantity") if entry[key] is not None]
    if len(given) > 1 or (not given and section.is_whole):
        section.add((index,), f"a profile of {' and of '.join(given) or 'nothing'}", f"expected {_AXES}")
    parameters = (entry["parameter"],) if entry["parameter"] else tuple(p for p in entry["parameters"] or () if p)
    return ProfileSettings(
        name=default_name(entry),
        parameters=parameters,
        quantity=_quantity(section, index, entry["quantity"]),
        datasets=None if entry["datasets"] is None else patterns(entry["datasets"]),
        sigma=float(entry["sigma"]),
        n=entry["n"] or (41 if len(parameters) == 2 else 31),
        values=_values(section, index, entry, max(len(parameters), 1)),
        levels=tuple(map(float, sound_items(entry["levels"]))),
    )


def default_name(entry: Mapping[str, Any]) -> str:
    """The name of a result: that of the entry, or of what it is of."""
    quantity = (entry["quantity"] or "").split(",")[0].replace("(", "-").replace(" ", "")
    return str(entry["name"] or entry["parameter"] or "-".join(filter(None, entry["parameters"] or ())) or quantity)


def _quantity(section: Section, index: int, text: str | None) -> Quantity | None:
    if text is None:
        return None
    try:
        return Quantity.parse(text)
    except UsageError as error:
        message, _, hint = str(error).partition("; ")
        section.add((index, "quantity"), message, hint)
        return None


def _values(
    section: Section, index: int, entry: Mapping[str, Any], n_axes: int
) -> tuple[tuple[float, ...], ...] | None:
    """Of each axis, where the entry gives them."""
    given = entry["values"]
    if given is None:
        return None
    if n_axes == 1:
        return (_axis(section, (index, "values"), given),)
    if not isinstance(given, list) or len(given) != 2 or any(isinstance(one, int | float) for one in given):
        hint = "a list of two, each of them {min, max, n} or a list"
        section.add((index, "values"), "expected the values of two parameters", hint)
        return None
    return tuple(_axis(section, (index, "values", k), axis) for k, axis in enumerate(given))


def _axis(section: Section, place: JsonPath, given: Any) -> tuple[float, ...]:
    if isinstance(given, dict):
        if not {"min", "max"} <= given.keys():  # told by the schema
            return ()
        if not given["min"] < given["max"]:
            section.add((*place, "max"), f"max {given['max']} is not above min {given['min']}")
        return tuple(np.linspace(given["min"], given["max"], given.get("n", 31)).tolist())
    numbers = [value for value in given or () if isinstance(value, int | float)]
    if any(isinstance(value, list | dict) for value in given or ()):
        section.add(place, "expected a list of numbers, in the unit of the parameter")
    return tuple(map(float, numbers))


def check_profiles(section: Section, known: Known) -> None:
    """Addresses are free parameters, quantities are those of a sky component, and no two entries have one name."""
    section.check_names(
        {index: default_name(entry) for index, entry in section.entries()}, ("parameter", "parameters", "quantity")
    )
    for index, entry in section.entries():
        if entry["datasets"] is not None:
            known.check_datasets(section, (index, "datasets"), entry["datasets"])
        if known.models is None:
            continue
        addresses: Sequence[tuple[JsonPath, str]] = [
            *([((index, "parameter"), entry["parameter"])] if entry["parameter"] else []),
            *(((index, "parameters", k), p) for k, p in enumerate(entry["parameters"] or ()) if p),
        ]
        for place, address in addresses:
            for message, hint in contour_problems(known.models, address):
                section.add(
                    place, message, hint.replace("a contour needs two free parameters", "a profile varies free ones")
                )
        _check_quantity(section, index, entry["quantity"], known.models)


def _check_quantity(section: Section, index: int, text: str | None, models: Models) -> None:
    try:
        problem = None if text is None else Quantity.parse(text).problem(models)
    except (UsageError, DataError):  # told when it is read, or when a template is used
        return
    if problem is None and text is not None and not models.parameters.free:
        hint = "free a parameter of the models: parameters: {crab.amplitude: {frozen: false}}"
        problem = "nothing to fit: no parameter is free", hint
    if problem is not None:
        section.add((index, "quantity"), *problem)
