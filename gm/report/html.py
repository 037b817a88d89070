"""Pieces of a page: texts, tables and figures as HTML, without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import final

_ID = re.compile(r'(\bid="|href="#|url\(#)')
_LONG = re.compile(r"\S{25}")  # letters without a space, that a narrow column breaks anywhere
_UNIT = re.compile(r"(\[[^\]]+\])$")
_WIDE = 8  # columns, more than which are stacked on all but wide screens
_INK, _PAPER = "#010203", "#fdfeff"
COLORS = _INK, _PAPER
"""What figures are drawn in where the page, or the reader of the file, is to decide on ink and paper."""


@final
@dataclass(frozen=True)
class Cell:
    """``text`` as it is read; ``order``: what a column is sorted by, the text without it; ``note`` in small letters."""

    text: str
    order: float | None = None
    note: str = ""
    state: str = ""


def cell(content: str | Cell) -> Cell:
    return content if isinstance(content, Cell) else Cell(content)


def table(head: Sequence[str], rows: Sequence[Sequence[str | Cell]], caption: str = "") -> str:
    """A table that a click on its head sorts; on narrow screens each row is a block with the heads inside."""
    if not rows:
        return ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{_with_whole_unit(escape(name))}</th>' for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, head, map(cell, row)))}</tr>\n" for row in rows)
    wide = ' class="wide"' if len(head) > _WIDE else ""
    return f"<table{wide}>{title}<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"


def _with_whole_unit(name: str) -> str:
    """No line ends inside of the unit, as browsers would have it after the sign of an exponent."""
    return _UNIT.sub(r'<span class="whole">\1</span>', name)


def _cell(head: str, content: Cell) -> str:
    order = "" if content.order is None else f' data-order="{content.order!r}"'
    states = [content.state, "long" if _LONG.search(content.text) else ""]
    kind = f' class="{" ".join(filter(None, states))}"' if any(states) else ""
    note = f" <small>{escape(content.note)}</small>" if content.note else ""
    return f'<td data-head="{escape(head)}"{order}{kind}>{escape(content.text)}{note}</td>'


def paragraph(text: str, kind: str = "") -> str:
    return f"<p{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape(text)}</p>\n"


def inline_figure(svg: str, number: int, caption: str) -> str:
    """A figure that takes its ink and paper from the page; names inside are its own, as a page has each but once."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = _ID.sub(rf"\1f{number}-", body)
    body = body.replace(_INK, "currentColor").replace(_PAPER, "none")
    body = body.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)
    return f"<figure>{body}<figcaption>{escape(caption)}</figcaption></figure>\n"


def light_file(svg: str) -> str:
    """The same figure as a file, in black on white."""
    return svg.replace(_INK, "#1a1a1a").replace(_PAPER, "#ffffff")
