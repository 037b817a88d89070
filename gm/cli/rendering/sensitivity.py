"""Sensitivity, read from its document, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import energy, number, table

_MANY = 40


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A ``gm/sensitivity/1`` document: by band, and above energies."""
    status = document["status"]
    head = f"{document['name']}: {paint(status, 'green' if status == 'ok' else 'yellow', color)}, "
    head += f"to {document['source']}, {document['message']}"
    bands = [
        [
            f"{energy(row['e_min'])} - {energy(row['e_max'])}",
            number(row["e2dnde"]),
            number(row["excess"]),
            number(row["background"]),
            _criterion(row),
        ]
        for row in _shown(document["bands"])
    ]
    above = [
        [f"> {energy(low)}", number(row["flux"]), number(row["excess"]), number(row["background"]), _criterion(row)]
        for low, row in {row["e_min"]: row for row in _shown(document["integral"])}.items()
    ]
    told = [head, "", *table(["energy", "E2 dnde", "excess", "background", ""], bands)]
    told += ["", *table(["above", "flux", "excess", "background", ""], above)]
    reasons = Counter(row["reason"] for row in document["bands"] if row["reason"])
    notes = [f"  {number_of} of {len(document['bands'])} bands: {reason}" for reason, number_of in reasons.items()]
    return [*told, *([""] if notes else []), *notes]


def _shown(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Of many those that have a number."""
    return rows if len(rows) <= _MANY else [row for row in rows if row["status"] != "no_data"]


def _criterion(row: Mapping[str, Any]) -> str:
    return str(row["criterion"] or row["status"]).replace("_", " ")
