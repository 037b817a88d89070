"""A parameter of the global model: one number with a unit, limits, and what a fit may do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from gm.models.prior import Prior
from gm.units import UnitError, factor, split_text
from gm.values import read_only

_NO_EXTRA: Mapping[str, Any] = {}


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

        A number is in this parameter's unit; a string or quantity brings its own. Raises `UnitError`.
        """
        if isinstance(value, Parameter):
            return value if value.name == self.name else replace(value, name=self.name)
        number, unit = split_quantity(value)
        return replace(self, value=number, unit=self.unit if unit is None else unit)


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
