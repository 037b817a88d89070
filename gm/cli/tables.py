"""Numbers and tables as plain aligned text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def number(value: float | None, digits: int = 4) -> str:
    """A number for eyes with ``digits`` significant digits; ``-`` for one that does not exist."""
    if value is None or not math.isfinite(value):
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent):+03d}"
    decimals = max(digits - 1 - (math.floor(math.log10(abs(value))) if value else 0), 0)
    return f"{value:.{decimals}f}"


def count(value: float | None) -> str:
    """A number of events: whole where it is whole."""
    return f"{value:.0f}" if value is not None and float(value).is_integer() else number(value, 6)


def with_error(value: float | None, error: float | None) -> tuple[str, str]:
    """A value and its error with the same exponent, to three significant digits of the error."""
    if value is None or error is None or not math.isfinite(error) or error <= 0 or not math.isfinite(value):
        return number(value), "-"
    scale = max(abs(value), error)
    exponent = 0 if 1e-3 <= scale < 1e6 else math.floor(math.log10(scale))
    unit = 10.0**exponent
    decimals = min(max(2 - math.floor(math.log10(error / unit)), 0), 10)
    suffix = f"e{exponent:+03d}" if exponent else ""
    return f"{value / unit:.{decimals}f}{suffix}", f"{error / unit:.{decimals}f}{suffix}"


def link_text(link: Mapping[str, Any]) -> str:
    """What a linked parameter is: ``= a.index``, ``= -0.5 a.index + 3.5``."""
    scale = {1.0: "", -1.0: "-"}.get(link.get("scale", 1.0), f"{link.get('scale', 1.0):g} ")
    offset = link.get("offset", 0.0)
    shift = f" {'-' if offset < 0 else '+'} {abs(offset):g}" if offset else ""
    return f"= {scale}{link['equals']}{shift}"


def energy(value: float | None) -> str:
    """An energy given in TeV, in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return "-"
    for unit, size in (("TeV", 1.0), ("GeV", 1e-3), ("MeV", 1e-6)):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.4g} {unit}"
    return f"{value / 1e-6:.4g} MeV"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, indent: int = 2) -> list[str]:
    """Lines of a table: the first ``left`` columns and the last one, if it holds words, flush left."""
    cells = [list(head), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    keep_left = [column < left or head[column] in ("unit", "status", "reason", "") for column in range(len(head))]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if flush else cell.rjust(width)
            for cell, width, flush in zip(row, widths, keep_left, strict=True)
        ]
        lines.append(" " * indent + "   ".join(padded).rstrip())
    return lines


def without(row: Mapping[str, Any]) -> str:
    """Which responses a dataset does not have: ``no PSF``."""
    words = {"psf": "PSF", "edisp": "energy dispersion"}
    missing = [words.get(name, name) for name in row.get("missing_responses") or []]
    return ", ".join(f"no {word}" for word in missing)


def shortened(rows: Sequence[Sequence[str]], limit: int = 24) -> list[Sequence[str]]:
    """At most ``limit`` rows: a long table keeps its beginning and its end."""
    if len(rows) <= limit:
        return list(rows)
    gap = ["...", *[""] * (len(rows[0]) - 1)]
    return [*rows[: limit - 5], gap, *rows[-4:]]
