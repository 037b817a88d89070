"""Tables for notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from html import escape


class Shown(ABC):
    """What shows itself in one line, and in a notebook as a table."""

    @abstractmethod
    def told(self) -> str:
        """What it holds, in a few words."""

    @abstractmethod
    def shown_rows(self) -> Iterable[Mapping[str, object]]:
        """The rows of its table."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.told()})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>" + html_table(self.shown_rows(), UNITS)


UNITS = {
    **dict.fromkeys(("e_min", "e_max"), "TeV"),
    **dict.fromkeys(("time_min", "time_max"), "MJD TT"),
    **dict.fromkeys(("flux", "flux_err", "flux_ul"), "cm-2 s-1"),
    **dict.fromkeys(("dnde", "dnde_err", "dnde_ul"), "cm-2 s-1 TeV-1"),
    **dict.fromkeys(("distance_min", "distance_max", "size", "size_errn", "size_errp", "size_ul"), "deg"),
}
"""Units of columns, by their names."""


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
