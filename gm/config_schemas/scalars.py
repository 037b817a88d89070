"""Plain scalars of the YAML 1.2 core schema, and how values are called in messages."""

from __future__ import annotations

import math
import re
import sys
from types import NoneType
from typing import Any

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_CURLY = re.compile("[\u2018-\u201e].*[\u2018-\u201e]", re.DOTALL)  # typographic quotes around a whole scalar
_MAX_DIGITS = 400  # Python takes a quadratic time for very long integers, and refuses them


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef]")  # no text has these: no path, name or title


class ScalarError(ValueError):
    """A plain scalar is a number that cannot be represented, or in quotes that are none."""


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar. Raises `ScalarError` for numbers beyond the range of a float, and for
    typographic quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _CURLY.fullmatch(text):
        raise ScalarError(f'{text} has typographic quotes, which are letters to YAML: write "{text[1:-1]}"')
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, 10)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ScalarError(f"{text} is too large for a number (write .inf for infinity)")
        return number
    if _OCTAL_OR_HEX.fullmatch(text):
        return _integer(text, 0)
    return text


def _integer(text: str, base: int) -> int:
    """The integer, which a float can hold too. Raises `ScalarError` for one beyond."""
    number = int(text, base) if len(text) <= _MAX_DIGITS else math.inf
    if abs(number) > sys.float_info.max:
        raise ScalarError(f"an integer of {len(text)} digits is beyond the range of numbers (1.8e308)")
    return int(number)


def control_character(text: str) -> str | None:
    """The first character of a text that is not for text, as ``U+001B``; line breaks and tabs are."""
    found = _CONTROL.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def is_number(text: str) -> bool:
    """Whether the text would be a number without quotes."""
    return bool(_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text))


def describe(value: Any) -> str:
    """A value as messages call it: ``the string 'yes'``, ``a list``, ``nothing (null)``."""
    match kind_of(value):
        case "boolean":
            return f"the boolean {str(value).lower()}"
        case "integer":
            return f"the integer {_clipped(str(value)) if abs(value) < 10**40 else 'of many digits'}"
        case "number":
            return f"the number {value!r}"
        case "string":
            return f"the string '{_clipped(value)}'" if value else "an empty string"
        case "null":
            return "nothing (null)"
        case kind:
            return "a mapping" if kind == "object" else "a list"


def kind_of(value: Any) -> str:
    """The JSON type of plain data; ``number`` for a float, ``integer`` for an int. The name of the class for others."""
    kind = _KINDS.get(type(value))
    return kind or next((_KINDS[base] for base in type(value).__mro__ if base in _KINDS), type(value).__name__)


_KINDS: dict[type, str] = {
    NoneType: "null", bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"
}  # fmt: skip


def _clipped(text: str, width: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."
