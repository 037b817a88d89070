"""Sizes of a source, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import energy, number, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A row for all energies and for each band of a ``gm/extension/1`` document."""
    status = paint(str(document["status"]), "green" if document["status"] == "ok" else "yellow", color)
    head = (
        f"{document['name']}: {document['source']} as a {document['shape']}, {document['parameter']} in deg   {status}"
    )
    rows = [
        [
            f"{energy(row['e_min'])} - {energy(row['e_max'])}",
            number(row["size"], 3),
            _errors(row),
            "-" if row["size_ul"] is None else f"< {number(row['size_ul'], 3)} {row['ul_method']}",
            number(row["ts_ext"]),
            row["status"],
            row["reason"] or "; ".join(f"{name}: {why}" for name, why in row["missing"].items()),
        ]
        for row in (document["all"], *document["bands"])
    ]
    return [head, "", *table(["energy", "size", "errors", "95 % limit", "TS", "status", "reason"], rows)]


def _errors(row: Mapping[str, Any]) -> str:
    signs = (("+", row["size_errp"]), ("-", row["size_errn"]))
    return " ".join(f"{sign}{number(error, 3)}" if error else f"{sign}?" for sign, error in signs)
