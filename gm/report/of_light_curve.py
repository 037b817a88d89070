"""The section of a light curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gm.readable import energy, number, with_error
from gm.report.html import Cell, paragraph, table


def section(document: Mapping[str, Any]) -> str:
    """A row for each bin, and whether they vary."""
    fitted = list(dict.fromkeys(row["name"] for point in document["points"] for row in _fitted(point)))
    rows = [[*_bin(point), *_parameters(point, fitted)] for point in document["points"]]
    head = ["from [MJD, UTC]", "to [MJD, UTC]", "livetime [s]", "energies", "flux [cm-2 s-1]"]
    head += ["upper limit [cm-2 s-1]", "TS", "status", "reason", *fitted]
    told = "".join(map(paragraph, _variability(document)))
    return table(head, rows) + (f"<h3>Variability</h3>\n{told}" if told else "")


def _bin(point: Mapping[str, Any]) -> list[str | Cell]:
    times = [point.get(f"{end}_utc", point[end]) for end in ("time_min", "time_max")]
    known, limit = point.get("flux") is not None, point.get("flux_ul")
    value = " ± ".join(with_error(point["flux"], point.get("flux_err"))) if known else "-"
    return [
        *(Cell("-" if time is None else f"{time:.5f}", time) for time in times),
        Cell(number(point.get("livetime")), point.get("livetime")),
        Cell(f"{energy(point['e_min'])} - {energy(point['e_max'])}", point["e_min"]),
        Cell(value, point.get("flux")),
        Cell("-" if limit is None else f"< {number(limit)}", limit),
        Cell(number(point.get("ts")), point.get("ts")),
        point["status"].replace("_", " "),
        point.get("reason") or "",
    ]


def _fitted(point: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(point.get("parameters") or ())


def _parameters(point: Mapping[str, Any], names: list[str]) -> Iterator[Cell]:
    own = {row["name"]: row for row in _fitted(point)}
    for name in names:
        row = own.get(name)
        yield Cell("-") if row is None else Cell(" ± ".join(with_error(row["value"], row.get("error"))), row["value"])


def _variability(document: Mapping[str, Any]) -> Iterator[str]:
    """For each band: whether it is constant, how much it varies, how fast."""
    for band in document.get("variability") or ():
        told = [f"{energy(band['e_min'])} - {energy(band['e_max'])}, {band['bins']} bins"]
        if band.get("reason"):
            told.append(str(band["reason"]))
        chi2, excess = band.get("chi2"), band.get("excess_variance")
        if chi2 and chi2.get("value") is not None:
            told.append(
                f"chi2 of a constant {number(chi2['value'])} for {chi2['degrees_of_freedom']} degrees of freedom, "
                f"probability {number(chi2['probability'], 3)}"
            )
        if excess and excess.get("fvar") is not None:
            fraction = " ± ".join(with_error(excess["fvar"], excess.get("fvar_err")))
            told.append(f"fractional excess variance {fraction}")
        for key in ("doubling_time", "halving_time"):
            row = band.get(key)
            if row and row.get("days") is not None:
                time = " ± ".join(with_error(row["days"], row.get("error")))
                told.append(f"shortest {key.replace('_', ' ')} {time} d")
        yield "; ".join(told) + "."
