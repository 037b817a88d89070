"""Units and names as figures write them."""

from __future__ import annotations

import re
from functools import lru_cache

from gm.errors import UsageError
from gm.units import UnitError, factor

_PART = re.compile(r"([A-Za-zµ]+)\^?(-?\d+)?")


def unit_label(unit: str) -> str:
    """``cm-2 s-1 TeV-1`` with exponents raised, in Matplotlib's mathematics; positive powers first."""
    parts = [(name, int(power or 1)) for name, power in _PART.findall(unit)]
    parts.sort(key=lambda part: part[1] < 0)
    written = [rf"\mathrm{{{name}}}" + ("" if power == 1 else f"^{{{power}}}") for name, power in parts]
    return "$" + r"\,".join(written) + "$" if written else ""


def with_unit(name: str, unit: str) -> str:
    """``name [unit]``, without the brackets where there is no unit."""
    return f"{name} [{unit_label(unit)}]" if unit else name


@lru_cache(maxsize=64)
def scale(unit: str, wanted: str) -> float:
    """Factor from one unit to another. Raises `UsageError`."""
    try:
        return factor(unit, wanted)
    except UnitError as error:
        raise UsageError(f"unit '{wanted}': {error}") from error
