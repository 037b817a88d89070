"""Numbers and tables as plain aligned text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from gm.cli.terminal.output import printed_width
from gm.cli.terminal.room import room
from gm.readable import count, energy, link_text, number, with_error

__all__ = [
    "count", "energy", "fitted", "is_wide_enough", "link_text", "number", "shortened", "table", "together",
    "with_error",
    "with_limits", "without", "wrapped",
]  # fmt: skip


_WORDS = ("target", "unit", "status", "reason", "state", "missing", "")
_FIRST = ("asked",)  # goes before limits do
_REASON = "reason"  # a sentence
_TOGETHER = "\N{NO-BREAK SPACE}"
_LEAST = (
    "asked", "bins", "type", "limits", "livetime [h]", "off or background", "deviance", "statistic", "MINOS",
    "prior", "responses", "target", "offset [deg]", "background", "upper limit", "TS", "missing", "state", "status",
    "reason", "unit", "error",
)  # fmt: skip
"""Columns that a narrow terminal goes without, the first one first."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, indent: int = 2) -> list[str]:
    """Lines of a table: the first ``left`` columns and those that hold words flush left.

    Where there is no room, reasons are told in lines below; then columns go, those first that say least, and a line
    names them; no word and no number is broken.
    """
    kept, gone = list(range(len(head))), list[str]()
    below = list[str]()
    least = [name for name in _LEAST if name in head[1:]] + [name for name in reversed(head[1:]) if name not in _LEAST]
    lines = _table(head, rows, kept, left, indent)
    width = room().width
    if width is not None and _REASON in least and max(map(printed_width, lines)) > width:
        least.remove(_REASON)
        kept.remove(at := list(head).index(_REASON))
        below = _reasons(rows, at, indent)
        lines = _table(head, rows, kept, left, indent)
    while width is not None and least and max(map(printed_width, lines)) > width:
        kept.remove(list(head).index(gone_name := least.pop(0)))
        gone += [gone_name] if gone_name else []
        lines = _table(head, rows, kept, left, indent)
    return lines + below + (wrapped(f"(no room for: {', '.join(gone)})", indent) if gone else [])


def _reasons(rows: Sequence[Sequence[str]], at: int, indent: int) -> list[str]:
    """What the rows have in the column ``at``, in lines of their own: each reason once, after what it is of."""
    one_is_enough = len({row[0] for row in rows}) == len(rows)
    named: dict[str, list[str]] = {}
    for row in rows:
        if row[at]:
            named.setdefault(row[at], []).append(" ".join(row[: 1 if one_is_enough else 2]))
    return [line for reason, names in named.items() for line in wrapped(f"{', '.join(names)}: {reason}", indent)]


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], left: int, indent: int
) -> list[str]:
    """The columns ``kept``."""
    cells = [[row[column] for column in kept] for row in (head, *rows)]
    widths = [max(map(printed_width, column)) for column in zip(*cells, strict=True)]
    flush = [column < left or head[column] in _WORDS for column in kept]
    return [
        " " * indent
        + "   ".join(
            _padded(cell, width, is_left) for cell, width, is_left in zip(row, widths, flush, strict=True)
        ).rstrip()
        for row in cells
    ]


def _padded(cell: str, width: int, is_left: bool) -> str:
    """A cell, painted or not, with spaces after or before it."""
    space = " " * (width - printed_width(cell))
    return cell + space if is_left else space + cell


def with_limits(
    head: Sequence[str], rows: Sequence[Sequence[str]], at: int, is_limit: Sequence[bool]
) -> tuple[list[str], list[list[str]]]:
    """A table whose columns ``at``, and the two beside it, are a value, its error and its limit: as they are where
    there is room, else as one column, in which a row that ``is_limit`` has its limit: none goes before the value that
    stands for it."""
    first = [k for k, name in enumerate(head) if name not in (*_FIRST, _REASON)]
    whole = [list(row) for row in rows]
    if is_wide_enough([head[k] for k in first], [[row[k] for k in first] for row in rows]):
        return list(head), whole
    for row, told in zip(whole, is_limit, strict=True):
        value, error, limit = row[at : at + 3]
        row[at : at + 3] = [limit if told else f"{value} ± {error}" if error not in ("", "-") else value]
    return [*head[: at + 1], *head[at + 3 :]], whole


def is_wide_enough(head: Sequence[str], rows: Sequence[Sequence[str]], indent: int = 2) -> bool:
    """Whether there is room for all columns of a table."""
    width = room().width
    return width is None or max(map(printed_width, _table(head, rows, range(len(head)), 1, indent))) <= width


def wrapped(text: str, indent: int = 2) -> list[str]:
    """A sentence in as many lines as it takes; words stay whole."""
    width = room().width
    if width is None:
        return [" " * indent + text.replace(_TOGETHER, " ")]
    space = " " * indent
    lines = wrap(
        text, max(width, 20), initial_indent=space, subsequent_indent=space, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(_TOGETHER, " ") for line in lines]


def together(text: str) -> str:
    """Words that `wrapped` keeps on one line."""
    return text.replace(" ", _TOGETHER)


def fitted(lines: Iterable[str]) -> list[str]:
    """Lines that are no wider than the room there is: longer ones go on, further in; words and styles stay whole."""
    width = room().width
    return [part for line in lines for part in ([line] if width is None else _folded(line, max(width, 20)))]


def _folded(line: str, width: int) -> Iterator[str]:
    if printed_width(line) <= width:
        yield line
        return
    indent = " " * (len(line) - len(line.lstrip()))
    part = ""
    for gap, word in re.findall(r"(\s*)(\S+)", line):
        if part.strip() and printed_width(part + gap + word) > width:
            yield part
            part = f"{indent}    {word}"
        else:
            part += gap + word
    yield part


def without(row: Mapping[str, Any]) -> str:
    """Which responses a dataset does not have: ``no PSF``; and whether its points are correlated."""
    words = {"psf": "PSF", "edisp": "energy dispersion"}
    missing = [words.get(name, name) for name in row.get("missing_responses") or []]
    correlated = ["with covariance between points"] if row.get("correlated") else []
    return ", ".join([*(f"no {word}" for word in missing), *correlated])


def shortened(rows: Sequence[Sequence[str]], limit: int = 24) -> list[Sequence[str]]:
    """At most ``limit`` rows, unless all are wanted: a long table keeps its beginning and its end."""
    if len(rows) <= limit or room().every_row:
        return list(rows)
    gap = ["...", *[""] * (len(rows[0]) - 1)]
    return [*rows[: limit - 5], gap, *rows[-4:]]
