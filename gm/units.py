"""Unit strings to factors: units stop at the border.

Inside gm every array is plain ``float64`` in TeV, cm, s, deg and sr. This module is the border: it turns unit strings,
and astropy quantities given to the public API, into factors and floats.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from gm.errors import GmError

if TYPE_CHECKING:
    from astropy.units import UnitBase


TEV_IN_ERG = 1.602176634  # exact, SI 2019
_PER_SQUARE_DEGREE = math.radians(1.0) ** -2  # sr-1, of which PSFs are; to the last digit what astropy says


class UnitError(GmError, ValueError):
    """A unit string is not a unit, or does not convert to what is needed."""

    exit_code = 3


@lru_cache(maxsize=1024)
def parse_unit(unit: str) -> UnitBase:
    """The astropy unit of a unit string; ``ph`` and ``ct`` count as dimensionless. Raises `UnitError`."""
    import astropy.units as u

    text = respelled(str(unit))
    if len(text) > _MAX_LENGTH or _HUGE_POWER.search(text):
        raise UnitError(f"'{_clipped(text)}' is not a unit")
    try:
        parsed = u.Unit(text)
        if not isinstance(parsed, u.UnitBase):
            raise UnitError(f"'{text}' is not a linear unit")
        kept = [i for i, base in enumerate(parsed.bases) if base not in (u.ph, u.ct, u.pix)]
        bare: UnitBase = u.CompositeUnit(
            parsed.scale, [parsed.bases[i] for i in kept], [parsed.powers[i] for i in kept]
        )
    except UnitError:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UnitError(f"'{text}' is not a unit") from error
    return bare


def _known_factor(unit: str, target: str) -> float | None:
    """The factor between units made of the field's common symbols; None when astropy has to decide.

    Importing astropy costs a quarter of a second, more than reading most data.
    """
    ours, theirs = _common_unit(unit), _common_unit(target)
    if ours is None or theirs is None:
        return None
    size = ours[0] / theirs[0]
    if ours[1] != theirs[1]:
        rest = {base: power for base, power in ours[1].items() if base not in ("deg", "sr")}
        is_per_square_degree = ours[1] == {**rest, "deg": -2} and theirs[1] == {**rest, "sr": -1}
        return _PER_SQUARE_DEGREE if is_per_square_degree and size == 1 else None
    try:
        return float(size)
    except OverflowError:
        return math.inf


def _common_unit(unit: str) -> tuple[Fraction, dict[str, int]] | None:
    """Exact scale, and the powers of cm, s, TeV, deg and sr: ``"1 / (m2 s GeV)"`` -> 1/10, {cm: -2, s: -1, TeV: -1}."""
    form = _COMMON_FORM.fullmatch(respelled(unit)) if len(unit) <= _MAX_LENGTH else None
    if form is None:
        return None
    scale, powers = Fraction(1), dict[str, int]()
    for text, sign in ((form["above"], 1), (form["below"] or form["only"], -1)):
        for symbol, power in _COMMON_FACTOR.findall(text or ""):
            if symbol not in _COMMON_SYMBOLS:
                return None
            size, base = _COMMON_SYMBOLS[symbol]
            exponent = sign * int(power or 1)
            scale *= size**exponent
            if base:
                powers[base] = powers.get(base, 0) + exponent
    return scale, {base: power for base, power in powers.items() if power}


def respelled(unit: str) -> str:
    """A unit string in the standard's spelling: words that people write, and divisions one after the other.

    ``a/b/c`` is ``a / (b c)``, as the FITS standard has it (version 4.0, section 4.3.1), which discourages it.
    """
    text = unit.strip()
    if len(text) > _MAX_LENGTH:
        return text
    text = _WORD.sub(lambda word: _SPELLINGS.get(word[0], word[0]), text)
    over, *under = _SLASH.split(text)
    if under and (len(under) > 1 or not over) and all(_ONE_FACTOR.fullmatch(part) for part in under):
        text = f"{over or 1} / ({' '.join(part.strip('()') for part in under)})"
    return text


_SPELLINGS = {
    **dict.fromkeys(("None", "none", "NONE", "unitless", "dimensionless"), ""),
    **dict.fromkeys(("counts", "Counts", "COUNTS", "count", "Count", "COUNT", "cts"), "ct"),
    **dict.fromkeys(("photons", "Photons", "PHOTONS", "photon", "Photon", "PHOTON", "phot"), "ph"),
    **dict.fromkeys(("EV", "ev"), "eV"),
    **dict.fromkeys(("KeV", "KEV", "Kev", "kev"), "keV"),
    **dict.fromkeys(("MEV", "Mev"), "MeV"),
    **dict.fromkeys(("GEV", "Gev", "gev"), "GeV"),
    **dict.fromkeys(("TEV", "Tev", "tev"), "TeV"),
    **dict.fromkeys(("PEV", "Pev"), "PeV"),
    **dict.fromkeys(("ergs", "Erg", "ERG", "ERGS"), "erg"),
    **dict.fromkeys(("CM", "Cm"), "cm"),
    **dict.fromkeys(("sec", "secs", "SEC", "second", "seconds"), "s"),
    **dict.fromkeys(("hr", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("degree", "degrees", "Deg", "DEG"), "deg"),
    **dict.fromkeys(("steradian", "steradians", "Sr", "SR", "str"), "sr"),
}
_WORD, _SLASH = re.compile(r"[a-zA-Z]+"), re.compile(r"\s*/\s*")
_ERG = Fraction(10**9, 1602176634)  # TeV; 1 eV is 1.602176634e-12 erg exactly (SI 2019)
_COMMON_SYMBOLS: dict[str, tuple[Fraction, str]] = {
    "": (Fraction(1), ""),
    "ph": (Fraction(1), ""),
    "ct": (Fraction(1), ""),
    "eV": (Fraction(1, 10**12), "TeV"),
    "keV": (Fraction(1, 10**9), "TeV"),
    "MeV": (Fraction(1, 10**6), "TeV"),
    "GeV": (Fraction(1, 10**3), "TeV"),
    "TeV": (Fraction(1), "TeV"),
    "PeV": (Fraction(10**3), "TeV"),
    "erg": (_ERG, "TeV"),
    "cm": (Fraction(1), "cm"),
    "m": (Fraction(100), "cm"),
    "km": (Fraction(10**5), "cm"),
    "s": (Fraction(1), "s"),
    "min": (Fraction(60), "s"),
    "h": (Fraction(3600), "s"),
    "d": (Fraction(86400), "s"),
    "yr": (Fraction(31557600), "s"),
    "deg": (Fraction(1), "deg"),
    "arcmin": (Fraction(1, 60), "deg"),
    "arcsec": (Fraction(1, 3600), "deg"),
    "sr": (Fraction(1), "sr"),
}
# A sign belongs to the digits of a power, so that there is one way to read any text: a pattern with many ways to match
# takes exponentially long over a text that does not.
_FACTOR = r"[a-zA-Z]+(?:(?:\*\*|\^)?-?\d{1,2})?"
_PRODUCT = rf"{_FACTOR}(?:[ *.]+{_FACTOR})*"
_COMMON_FACTOR = re.compile(r"([a-zA-Z]+)(?:(?:\*\*|\^)?(-?\d{1,2}))?")
_COMMON_FORM = re.compile(rf"(?P<above>{_PRODUCT}|1?)(?:\s*/\s*(?:\((?P<below>{_PRODUCT})\)|(?P<only>{_FACTOR})))?")
_ONE_FACTOR = re.compile(rf"{_FACTOR}|\({_PRODUCT}\)")
_MAX_LENGTH = 200
_QUANTITY = re.compile(
    r"([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|nan))\s*((?<=\s)\S.*|[a-zA-Z].*|)", re.DOTALL
)
_HUGE_POWER = re.compile(r"[a-zA-Z)](?:\*\*|\^)?\(?[-+]?\d{3}|(?:\*\*|\^)\(?[-+]?\d{3}")  # astropy would never end


@lru_cache(maxsize=1024)
def factor(unit: str, target: str) -> float:
    """How many ``target`` one ``unit`` is: ``factor("GeV", "TeV") == 1e-3``. Raises `UnitError`."""
    if unit == target:
        return 1.0
    size = _known_factor(unit, target)
    if size is None:
        import astropy.units as u

        try:
            size = float(parse_unit(unit).to(parse_unit(target)))
        except u.UnitConversionError as error:
            raise UnitError(f"'{unit}' does not convert to '{target}'") from error
        except ArithmeticError:
            size = math.inf
    if not (math.isfinite(size) and size > 0.0):
        raise UnitError(f"'{unit}' is beyond the range of numbers in '{target}'")
    return size


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "..."


def convert(quantity: object, target: str) -> float:
    """A number in ``target`` from a string with a unit (``"30 GeV"``), an astropy quantity, or a bare number.

    A bare number is taken to be in ``target`` already. Raises `UnitError`, for what is not finite too.
    """
    value = _converted(quantity, target)
    if not math.isfinite(value):
        raise UnitError(f"{_clipped(str(quantity))} is not finite")
    return value


def split_text(quantity: str, example: str) -> tuple[float, str]:
    """Number and unit, which may be empty, of ``"30 GeV"`` or ``"30GeV"``. Raises `UnitError`.

    example : a unit that fits, for the error
    """
    match = _QUANTITY.fullmatch(quantity.strip())
    if match is None:
        raise UnitError(f"'{_clipped(quantity)}' is not a number with a unit, such as '1 {example}'")
    return float(match[1]), match[2]


def _converted(quantity: object, target: str) -> float:
    if isinstance(quantity, str):
        value, unit = split_text(quantity, target)
        return value * (factor(unit, target) if unit else 1.0)
    if hasattr(quantity, "unit") and hasattr(quantity, "value"):
        return float(quantity.value) * factor(str(quantity.unit), target)
    try:
        return float(quantity)  # type: ignore[arg-type]  # NumPy scalars and the like
    except (TypeError, ValueError, OverflowError) as error:
        raise UnitError(f"{_clipped(repr(quantity))} is not a number with a unit, such as '1 {target}'") from error
