"""Numbers and tables as plain aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.readable import count, energy, link_text, number, with_error

__all__ = ["count", "energy", "link_text", "number", "shortened", "table", "with_error", "without"]


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
