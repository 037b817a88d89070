"""Found sources, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A row for each source of a ``gm/find/1`` document, in the order in which they were added."""
    status = paint(str(document["status"]), "green" if document["status"] == "ok" else "red", color)
    head = [f"find: {document['message']}   {status}"]
    rows = [
        [
            row["name"],
            number(row["peak"]["sqrt_ts"], 3),
            number(row["ts"]),
            "-" if row["lon"] is None else f"{row['lon']:.4f} {row['lat']:+.4f}",
            number(row["r68"], 3),
            "kept" if row["kept"] else "left out",
            row["reason"],
        ]
        for row in document["sources"]
    ]
    if not rows:
        return head
    return [*head, "", *table(["source", "peak", "TS", "position", "r68", "", "reason"], rows)]
