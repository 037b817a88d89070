"""A fit result, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.room import room
from gm.cli.terminal.tables import (
    count,
    energy,
    link_text,
    number,
    shortened,
    table,
    together,
    with_error,
    without,
    wrapped,
)
from gm.readable import plural, prior_text

_COLORS = {"converged": "green", "at_limit": "yellow", "not_converged": "red", "failed": "red"}


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """Status, statistic, parameters, datasets and components of a ``gm/fit/1`` document."""
    lines = [*verdict_lines(document, color), ""]
    lines += [*wrapped(f"statistic   {_statistic(document)}"), ""]
    if room().every_row:
        lines += [*wrapped(_minimizer(document)), ""]
    lines += _parameter_lines(document)
    lines += _flux_lines(document) + _contour_lines(document)
    lines += ["", *_dataset_lines(document.get("datasets") or [])]
    tests = [row for row in document.get("components") or [] if row.get("ts") is not None]
    if tests:
        rows = [[row["name"], number(row["ts"], 6), str(row.get("degrees_of_freedom") or "-")] for row in tests]
        lines += ["", *table(["component", "TS", "degrees of freedom"], rows)]
    return lines


def _flux_lines(document: Mapping[str, Any]) -> list[str]:
    """Fluxes with errors, in each range."""
    rows = []
    for component in document.get("components") or []:
        for flux in component.get("fluxes") or []:
            between = f"{energy(flux['e_min'])} - {energy(flux['e_max'])}"
            both = [" ± ".join(with_error(flux[name], flux[f"{name}_err"])) for name in ("flux", "eflux")]
            rows.append([component["name"], between, *both])
    head = ["component", "energies", "flux [cm-2 s-1]", "energy flux [erg cm-2 s-1]"]
    return ["", *table(head, shortened(rows), left=2)] if rows else []


def _contour_lines(document: Mapping[str, Any]) -> list[str]:
    """Between which values each contour lies."""
    rows = []
    for contour in document.get("contours") or []:
        ends = []
        for k in (0, 1):
            known = [point[k] for point in contour["points"] if point[k] is not None]
            ends.append(f"{number(min(known), 5)} ... {number(max(known), 5)}" if known else "-")
        rise = number(contour.get("delta_statistic"), 3)
        rows.append([" and ".join(contour["parameters"]), rise, *ends, str(len(contour["points"]))])
    return ["", *table(["contour of", "rise", "first", "second", "points"], shortened(rows))] if rows else []


def verdict_lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """How the fit ended, why, and what to do about it."""
    status = document["status"]
    head = f"{document['name']}: {paint(status.replace('_', ' '), _COLORS.get(status, 'bold'), color)}"
    told = [] if status == "converged" else str(document.get("message") or "").splitlines()
    told += _advice(document)
    told += [f"warning: {text}" for text in document.get("warnings") or []]
    return [head, *(line for text in told for line in wrapped(text))]


def _advice(document: Mapping[str, Any]) -> list[str]:
    """What to do about parameters that the data do not fix."""
    message = str(document.get("message") or "")
    drifting = [row["name"] for row in document["parameters"] if not row["frozen"] and row["name"] in message.split()]
    if document["status"] != "not_converged" or not drifting:
        return []
    return [
        f"freeze one of them, or give it a prior or limits:   parameters: {{{drifting[-1]}: {{frozen: true}}}}",
        "the best point so far and its parameters are in the result, marked not_converged",
    ]


def _minimizer(document: Mapping[str, Any]) -> str:
    """How the minimum was found."""
    found = document["minimizer"]
    calls = f"{found.get('value_calls', '-')} values, {found.get('gradient_calls', '-')} gradients"
    return f"minimiser   {found['name']}: {found.get('steps', '-')} steps, {calls}, edm {number(found.get('edm'), 2)}"


def _statistic(document: Mapping[str, Any]) -> str:
    statistic = document["statistic"]
    start = (document.get("start") or {}).get("statistic")
    before = f"   ({start:.2f} at the start)" if start is not None else ""
    total = "-" if statistic["total"] is None else f"{statistic['total']:.2f}"
    priors = f"   {statistic['priors']:.2f} of them of priors" if statistic.get("priors") else ""
    before += priors
    size = f"{plural(statistic['bins'], 'bin')}, {plural(statistic['free_parameters'], 'free parameter')}"
    return f"{total}{before}   {size}"


def _parameter_lines(document: Mapping[str, Any]) -> list[str]:
    rows, frozen = [], []
    for row in document["parameters"]:
        unit = row.get("unit") or ""
        if row.get("frozen"):
            known = row["value"] is not None
            frozen += [f"{row['name']} = {row['value']:.6g} {unit}".rstrip()] if known else []
            continue
        value, error = with_error(row["value"], row.get("error"))
        note = link_text(row["link"]) if row.get("link") else ""
        if row.get("at_limit"):
            note = f"at its {row['at_limit']}"
        beside = _minos(row.get("minos"), row["value"]), prior_text(row.get("prior"))
        rows.append([row["name"], value, error, *beside, f"{unit}  {note}".strip()])
    head = ["parameter", "value", "error", "MINOS", "prior", "unit"]
    shown = [k for k, name in enumerate(head) if name not in ("MINOS", "prior") or any(row[k] for row in rows)]
    lines = table([head[k] for k in shown], [[row[k] for k in shown] for row in shortened(rows)]) if rows else []
    if frozen:
        more = [f"... ({len(frozen)})"] if len(frozen) > 4 else []
        lines += wrapped(f"(frozen: {', '.join(map(together, [*frozen[:4], *more]))})")
    lines += _missing(document)
    for row in document["components"][:4]:
        if row.get("decorrelation_energy"):
            lines.append(f"  decorrelation energy of {row['name']}: {row['decorrelation_energy']:.3g} TeV")
    return lines


def _missing(document: Mapping[str, Any]) -> list[str]:
    """Why numbers are not there; of a fit without a minimum its message says it."""
    if document["status"] not in ("converged", "at_limit"):
        return []
    told: dict[str, list[str]] = {}
    for row in document["parameters"]:
        if row.get("error_reason") and not row.get("at_limit"):
            told.setdefault(f"no error: {row['error_reason']}", []).append(row["name"])
        if row.get("minos") and row["minos"].get("reason"):
            told.setdefault(f"MINOS {row['minos']['reason']}", []).append(row["name"])
    for row in document.get("contours") or []:
        if row.get("reason"):
            told.setdefault(f"contour: {row['reason']}", []).append(" and ".join(row["parameters"]))
    for row in document["components"]:
        if row.get("ts_reason"):
            told.setdefault(f"no TS: {row['ts_reason']}", []).append(row["name"])
    return [line for why, names in told.items() for line in wrapped(f"{', '.join(dict.fromkeys(names))}: {why}")]


def _minos(minos: Mapping[str, Any] | None, value: float) -> str:
    if not minos:
        return ""
    signs = (("+", minos.get("upper")), ("-", minos.get("lower")))
    texts = [f"{sign}{with_error(value, abs(error))[1]}" if error else f"{sign}?" for sign, error in signs]
    return " ".join(texts)


def _dataset_lines(datasets: list[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            row["name"],
            count(row.get("counts")),
            "-" if row.get("predicted") is None else f"{row['predicted']:.1f}",
            "-" if row.get("background") is None else f"{row['background']:.1f}",
            "-" if row.get("statistic") is None else f"{row['statistic']:.2f}",
            str(row.get("bins", "-")),
            without(row),
        ]
        for row in datasets
    ]
    return (
        table(["dataset", "counts", "predicted", "background", "statistic", "bins", ""], shortened(rows))
        if rows
        else []
    )
