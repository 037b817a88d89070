"""A parameter of the global model: one number with a unit, limits, and what a fit may do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite, isinf, isnan
from typing import Any

import numpy as np

from gm.models.errors import ModelError
from gm.models.prior import Prior, is_number
from gm.units import UnitError, factor, split_text
from gm.values import read_only

_NO_EXTRA: Mapping[str, Any] = {}
_NUMBERS = ("value", "error", "min", "max")
_NONE = {"min": -inf, "max": inf, "error": 0.0}


@read_only("Models.with_parameters makes others")
@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a model, in its own unit.

    value, error, min, max : in ``unit``; limits are infinite where there are none
    frozen : True when a fit leaves it alone
    prior : penalty on the value, or None
    extra : the YAML keys that gm does not use (``interp``, ``scale_method``, ``scan_min``, ...), kept for writing back
    """

    name: str
    value: float
    unit: str = ""
    error: float = 0.0
    min: float = -inf
    max: float = inf
    frozen: bool = False
    prior: Prior | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: _NO_EXTRA, hash=False)

    def limits(self) -> tuple[float, float]:
        """Lowest and highest value allowed; a uniform prior's support replaces ``min`` and ``max``."""
        support = None if self.prior is None else self.prior.support
        return (self.min, self.max) if support is None else support

    def given(self, value: object) -> Parameter:
        """This parameter with a value given as a number, ``"1 TeV"``, an astropy quantity, or a `Parameter`.

        A number is in this parameter's unit; a string or quantity brings its own. Limits that are no number are none,
        and so is such an error. Raises `UnitError`, and `ModelError` for what a document is refused for too.
        """
        if isinstance(value, Parameter):
            none: dict[str, Any] = {
                key: none for key, none in _NONE.items() if getattr(value, key) != getattr(value, key)
            }
            made = value if value.name == self.name and not none else replace(value, name=self.name, **none)
        else:
            number, unit = split_quantity(value)
            made = replace(self, value=number, unit=self.unit if unit is None else unit)
        for key, message, hint in problems(made, self):
            raise ModelError(f"{self.name}.{key}: {message}", hint)
        return made


def problems(parameter: Parameter, default: Parameter) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a parameter that stands for the ``default`` of a model: the field, a message and a hint.

    A value that is no number stands for one that a file tells, where that is so by default. One beyond its limits is
    none in Python: fits start at the limit, and say so.
    """
    odd = [key for key in _NUMBERS if not is_number(getattr(parameter, key))]
    yield from ((key, f"expected a number, found {getattr(parameter, key)!r}", "") for key in odd)
    frozen: object = parameter.frozen
    prior: object = parameter.prior
    if not isinstance(frozen, bool | np.bool_):
        yield "frozen", f"expected true or false, found {frozen!r}", ""
    if isinstance(prior, Prior):
        yield from (("prior", message, "") for _, message in prior.problems())
    elif prior is not None:
        yield "prior", f"expected a prior, found {prior!r}", "such as GaussianPrior(mu=1, sigma=0.1)"
        return
    if odd:
        return
    if not isfinite(parameter.value) and not (isnan(parameter.value) and isnan(default.value)):
        yield "value", f"expected a finite number, found {parameter.value}", ""
    yield from (row for row in number_problems(parameter) if row[0] != "value")


def number_problems(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a parameter's numbers together: the field, a message and a hint."""
    low, high = parameter.limits()
    if low > high:
        yield "min", f"min {low} is above max {high}", "no value lies between them"
    elif not low <= parameter.value <= high and not isnan(parameter.value):
        limits = " ... ".join("none" if isinf(limit) else f"{limit}" for limit in (low, high))
        yield "value", f"{parameter.value} is outside the limits {limits}", "a fit starts inside the limits"
    if parameter.error < 0:
        yield "error", f"an error is not negative, found {parameter.error}", ""


def split_quantity(value: object) -> tuple[float, str | None]:
    """Number and unit of ``"1 TeV"``, an astropy quantity or a number (whose unit is None). Raises `UnitError`."""
    if isinstance(value, str):
        number, unit = split_text(value, "TeV")
        return number, unit or None
    if hasattr(value, "unit") and hasattr(value, "value"):
        return float(value.value), str(value.unit)
    if isinstance(value, bool):
        raise UnitError(f"{value} is not a number")
    try:
        return float(value), None  # type: ignore[arg-type]  # anything that Python takes for a number
    except (TypeError, ValueError) as error:
        raise UnitError(f"{value!r} is not a number") from error


def in_unit(value: object, unit: str) -> float:
    """``"30 GeV"``, a quantity, or a number already in ``unit``, as a number in ``unit``. Raises `UnitError`."""
    number, own = split_quantity(value)
    return number if own is None else number * factor(own, unit)
