"""The section of sensitivities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.readable import energies, energy, number
from gm.report.html import Cell, paragraph, table

_ASKED = {"significance": "significance", "min_counts": "counts", "background_systematic": "systematic error"}


def section(document: Mapping[str, Any]) -> str:
    """What is asked for, then the bands, then what is above each energy."""
    asked = document["criteria"]
    told = (
        f"The flux of {document['source']} that is found with a probability of {asked['probability']:.3g} at "
        f"{asked['sigma']:g} sigma, with at least {asked['min_counts']:g} counts and "
        f"{100 * asked['background_systematic']:.3g} % of the background."
    )
    bands = [_row(row, energies(row["e_min"], row["e_max"]), ("dnde", "e2dnde", "flux")) for row in document["bands"]]
    above = [_row(row, f"> {energy(row['e_min'])}", ("flux", "eflux")) for row in document["integral"]]
    return paragraph(told) + _table(("dN/dE", "E2 dN/dE", "flux"), bands) + _table(("flux", "energy flux"), above)


def _table(fluxes: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> str:
    return table(["energies", *fluxes, "excess", "background", "decided by", "probability as modelled"], rows)


def _row(row: Mapping[str, Any], where: str, fluxes: Sequence[str]) -> list[str | Cell]:
    numbers = [Cell(number(row[name]), row[name], row.get(f"{name}_unit", "")) for name in fluxes]
    counts = [Cell(number(row[name]), row[name]) for name in ("excess", "background")]
    decided = _ASKED.get(row["criterion"] or "", row["reason"] or row["status"].replace("_", " "))
    return [Cell(where, row["e_min"]), *numbers, *counts, decided, Cell(number(row["probability"]), row["probability"])]
