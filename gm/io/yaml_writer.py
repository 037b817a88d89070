"""Plain data to YAML text that YAML 1.1 and 1.2 readers understand alike.

Mappings and lists are written in block style; what is small stays on its line in flow style: lists of scalars, rows of
a list that hold no list of rows themselves, and mappings that fit the line. Equal data give equal text, byte by byte.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

WIDTH = 120

_PLAIN = re.compile(r"(?:[A-Za-z_$/]|\.{1,2}/)(?:[A-Za-z0-9_./@*()=<>^+~$%-]| (?=[A-Za-z0-9_./@*()<>^+~$%-]))*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_ESCAPED = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def dump_yaml(data: Any, *, allow_nan: bool = False) -> str:
    """The YAML text of dicts, lists, strings, numbers, booleans and None; also of arrays, tuples and paths.

    Floats are written with the fewest digits that give the same number. Raises `ValueError` for NaN and infinities
    unless ``allow_nan`` and for what is no Unicode, `TypeError` for keys that are no strings and for foreign objects.
    """
    plain = _plain(data, allow_nan)
    return "\n".join(_block_lines(plain, 0) if _holds_some(plain) else [_scalar(plain)]) + "\n"


def _plain(value: Any, allow_nan: bool) -> Any:
    """The data with tuples, arrays, NumPy scalars and paths replaced, and checked."""
    match value:
        case None | bool() | int():
            return value
        case str() | PurePath():
            return str(value)
        case float():
            if not allow_nan and not math.isfinite(value):
                raise ValueError(f"{value} has no place in a result file: use None")
            return float(value)
        case Mapping():
            return {_key(key): _plain(item, allow_nan) for key, item in value.items()}
        case bytes() | bytearray():
            raise TypeError(f"{type(value).__name__} has no plain YAML form")
        case Sequence():
            return [_plain(item, allow_nan) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), allow_nan)
    raise TypeError(f"{type(value).__name__} has no plain YAML form")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be a string, found {key!r}")
    return str(key)


def _holds_some(plain: Any) -> bool:
    """Whether it is a mapping or a list, and not an empty one."""
    return type(plain) in (dict, list) and bool(plain)


def _block_lines(plain: Any, indent: int) -> Iterator[str]:
    return _mapping_lines(plain, indent) if type(plain) is dict else _list_lines(plain, indent)


def _mapping_lines(mapping: dict[str, Any], indent: int) -> Iterator[str]:
    for key, value in mapping.items():
        head = f"{' ' * indent}{_string(key)}:"
        yield from _value_lines(head, value, indent)


def _value_lines(head: str, value: Any, indent: int) -> Iterator[str]:
    """Lines of ``key: value``: on one line where it fits, else with what is inside two columns further in."""
    if not _holds_some(value):
        yield f"{head} {_scalar(value)}"
        return
    if _is_small(value):
        pieces = _flow_pieces(value)
        if type(value) is list or len(head) + 1 + sum(map(len, pieces)) <= WIDTH:
            yield from _wrapped(f"{head} ", pieces, indent + 4)
            return
    yield head
    yield from _block_lines(value, indent + 2)


def _list_lines(items: list[Any], indent: int) -> Iterator[str]:
    for item in items:
        head = f"{' ' * indent}- "
        if not _holds_some(item):
            yield head + _scalar(item)
        elif _is_small(item):
            yield from _wrapped(head, _flow_pieces(item), indent + 4)
        else:
            inside = _block_lines(item, indent + 2)
            yield head + next(inside).lstrip(" ")
            yield from inside


def _is_small(value: Any) -> bool:
    """Whether a mapping or list holds no list of lists or mappings, at any depth."""
    if type(value) is dict:
        return all(type(item) not in (dict, list) or _is_small(item) for item in value.values())
    return not any(type(item) in (dict, list) for item in value)


def _flow_pieces(value: Any) -> list[str]:
    """Flow style, in pieces between which a line may end."""
    if not _holds_some(value):
        return [_scalar(value)]
    if type(value) is dict:
        pieces = []
        for key, item in value.items():
            first, *rest = _flow_pieces(item)
            pieces += [f"{_string(key)}: {first}", *rest]
            pieces[-1] += ", "
        opening, closing = "{", "}"
    else:
        pieces = [f"{_scalar(item)}, " for item in value]
        opening, closing = "[", "]"
    pieces[0] = opening + pieces[0]
    pieces[-1] = pieces[-1][:-2] + closing
    return pieces


def _wrapped(head: str, pieces: list[str], indent: int) -> Iterator[str]:
    """The pieces after ``head``, on as many lines as they need."""
    line, is_empty = head, True
    for piece in pieces:
        if not is_empty and len(line) + len(piece.rstrip(" ")) > WIDTH:
            yield line.rstrip(" ")
            line = " " * indent
        line += piece
        is_empty = False
    yield line


def _scalar(value: Any) -> str:
    """A value on one line: no mapping and no list but an empty one."""
    match value:
        case str():
            return _string(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _number(value)
    return str(value)  # integers, {} and []


def _number(value: float) -> str:
    """The shortest decimal form of a float, with the point that YAML 1.1 needs before an exponent."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(value).partition("e")
    return (mantissa if "." in mantissa else f"{mantissa}.0") + e + exponent


def _string(text: str) -> str:
    """A string, in double quotes unless every YAML reader takes it for a string without."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if _LONE_SURROGATE.search(text):
        raise ValueError(f"{text!r} is not Unicode text")
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
