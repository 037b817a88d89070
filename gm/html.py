"""Tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape


def html_table(rows: Iterable[Mapping[str, object]], units: Mapping[str, str] | None = None) -> str:
    """A table with a column for every key of the rows, in the order in which they come; what is None stays empty."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    named = {column: f" [{unit}]" for column, unit in (units or {}).items()}
    head = "".join(f"<th>{escape(column.replace('_', ' ') + named.get(column, ''))}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(row.get(column))}</td>' for column in columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_cell, value))
    return escape(str(value))
