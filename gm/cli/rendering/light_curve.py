"""A light curve, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import energy, number, shortened, table, with_error, with_limits

_MANY = 60


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A row for each time bin of a ``gm/light-curve/1`` document: flux or upper limit, TS; then whether it varies."""
    status = str(document.get("status", ""))
    style = "green" if status == "ok" else "yellow"
    edges = {(point["e_min"], point["e_max"]) for point in document["points"] if point.get("flux") is not None}
    has_energies = len(edges) > 1 or len(document["variability"]) > 1
    fitted = list(dict.fromkeys(one["name"] for point in document["points"] for one in point.get("parameters", ())))
    band = ["energy"] if has_energies else []
    head = ["MJD (UTC)", *band, "flux", "error", "upper limit", "TS", *fitted, "status", "reason"]
    cells = [_cells(point, has_energies, fitted) for point in document["points"]]
    is_limit = [point["status"] == "upper_limit" for point in document["points"]]
    head, rows = with_limits(head, cells, head.index("flux"), is_limit)
    told = [
        f"{document['name']}: {document['source']}, flux in cm-2 s-1   {paint(status, style, color)}",
        "",
        *table(head, shortened(rows, _MANY), left=2 if has_energies else 1),
        "",
    ]
    together = [
        [one["name"], *with_error(one["value"], one["error"]), one["unit"]] for one in document.get("parameters") or ()
    ]
    if together:
        told += [*table(["all bins", "value", "error", "unit"], together), ""]
    for row in document.get("variability") or ():
        told += _variability(row)
    return [*told, *(f"  warning: {text}" for text in document.get("warnings", ()))]


def _cells(point: Mapping[str, Any], with_energy: bool, fitted: Sequence[str]) -> list[str]:
    start, stop = point["time_min_utc"], point["time_max_utc"]
    when = ", ".join(point["datasets"]) if None in (start, stop) else f"{start:.4f} - {stop:.4f}"
    values = {one["name"]: " ± ".join(with_error(one["value"], one["error"])) for one in point.get("parameters", ())}
    value, error = ("-", "-") if point.get("flux") is None else with_error(point["flux"], point.get("flux_err"))
    return [
        when,
        *([f"{energy(point['e_min'])} - {energy(point['e_max'])}"] if with_energy else []),
        value,
        error,
        "-" if point.get("flux_ul") is None else f"< {number(point['flux_ul'])}",
        number(point.get("ts")),
        *(values.get(name, "-") for name in fitted),
        point["status"],
        point.get("reason") or "",
    ]


def _variability(row: Mapping[str, Any]) -> list[str]:
    """What is said of one band."""
    band = f"  {energy(row['e_min'])} - {energy(row['e_max'])}: "
    chi2, ratio, excess = row["chi2"], row["likelihood_ratio"], row["excess_variance"]
    if chi2 is None or excess is None:
        return [f"{band}{row['reason']}"]
    told = [f"{band}constant: chi2 {_test(chi2)}"]
    if ratio["value"] is not None:
        told.append(f"    likelihood ratio {_test(ratio)}")
    fvar = "-" if excess["fvar"] is None else f"{number(excess['fvar'], 3)} ± {number(excess['fvar_err'], 2)}"
    told.append(f"    fractional excess variance {fvar}" + (f": {excess['reason']}" if excess["reason"] else ""))
    for name, pace in (("doubling", row["doubling_time"]), ("halving", row["halving_time"])):
        if pace["days"] is not None:
            told.append(f"    {name} time {number(pace['days'], 3)} ± {number(pace['error'], 2)} d")
    return told


def _test(test: Mapping[str, Any]) -> str:
    return f"{number(test['value'])} for {test['degrees_of_freedom']}, probability {number(test['probability'], 3)}"
