"""Unit strings to factors: units stop at the border.

Inside gm every array is plain ``float64`` in TeV, cm, s, deg and sr. This module is the border: it turns unit strings, and
astropy quantities given to the public API, into factors and floats.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gm.errors import GmError

if TYPE_CHECKING:
    from astropy.units import UnitBase


class UnitError(GmError, ValueError):
    """A unit string is not a unit, or does not convert to what is needed."""

    exit_code = 3


@lru_cache(maxsize=1024)
def parse_unit(unit: str) -> UnitBase:
    """The astropy unit of a unit string; ``ph`` and ``ct`` count as dimensionless. Raises `UnitError`."""
    import astropy.units as u

    try:
        parsed = u.Unit(str(unit).strip())
    except (ValueError, TypeError) as error:
        raise UnitError(f"'{unit}' is not a unit") from error
    if not isinstance(parsed, u.UnitBase):
        raise UnitError(f"'{unit}' is not a linear unit")
    kept = [i for i, base in enumerate(parsed.bases) if base not in (u.ph, u.ct, u.pix)]
    bare: UnitBase = u.CompositeUnit(parsed.scale, [parsed.bases[i] for i in kept], [parsed.powers[i] for i in kept])
    return bare


@lru_cache(maxsize=1024)
def factor(unit: str, target: str) -> float:
    """How many ``target`` one ``unit`` is: ``factor("GeV", "TeV") == 1e-3``. Raises `UnitError`."""
    if unit == target:
        return 1.0
    import astropy.units as u

    try:
        return float(parse_unit(unit).to(parse_unit(target)))
    except u.UnitConversionError as error:
        raise UnitError(f"'{unit}' does not convert to '{target}'") from error


def convert(quantity: object, target: str) -> float:
    """A number in ``target`` from a string with a unit (``"30 GeV"``), an astropy quantity, or a bare number.

    A bare number is taken to be in ``target`` already. Raises `UnitError`.
    """
    if isinstance(quantity, str):
        number, _, unit = quantity.strip().partition(" ")
        try:
            value = float(number)
        except ValueError as error:
            raise UnitError(f"'{quantity}' is not a number with a unit, such as '1 {target}'") from error
        return value * (factor(unit.strip(), target) if unit.strip() else 1.0)
    if hasattr(quantity, "unit") and hasattr(quantity, "value"):
        return float(quantity.value) * factor(str(quantity.unit), target)
    if isinstance(quantity, (int, float)) and not isinstance(quantity, bool):
        return float(quantity)
    try:
        return float(quantity)  # type: ignore[arg-type]  # NumPy scalars and the like
    except (TypeError, ValueError) as error:
        raise UnitError(f"{quantity!r} is not a number with a unit, such as '1 {target}'") from error
