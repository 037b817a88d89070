"""Compared results as lines of text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import energy, fitted, is_wide_enough, number, table, with_error
from gm.html import UNITS

Rows = Sequence[Sequence[str]]
_FEW = 12
_LARGE = 3.0  # sigma
_LONG = 60  # characters of a setting, beyond which words are left out
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DATA = {
    "same": "the same data",
    "subset": "the data of one are among those of the other",
    "some": "some data in common",
    "none": "no data in common",
    "unknown": "data that are not on record",
}


def lines(compared: Mapping[str, Any], color: bool = False, verbose: bool = False) -> list[str]:
    """A ``gm/comparison/1`` document: what is compared, the fits, flux points and light curves, what has changed.

    Differences are in sigma, for data as they are shared: where all or some are in common, both ways.
    """
    return fitted(_lines(compared, color, verbose))


def _lines(compared: Mapping[str, Any], color: bool, verbose: bool) -> list[str]:
    letters = [_LETTERS[k % 26] for k in range(len(compared["results"]))]
    told = [f"{letter}  {row['label']}" for letter, row in zip(letters, compared["results"], strict=True)]
    told += [f"{letters[k + 1]} has {_DATA[data]} as A" if data == "same" else f"A and {letters[k + 1]}: {_DATA[data]}"
             for k, data in enumerate(compared["data"])]  # fmt: skip
    if compared["fit"] is not None:
        told += ["", *_fit_lines(compared["fit"], compared["data"], letters, color)]
    for series in compared["series"]:
        told += ["", *_series_lines(series, compared["data"], letters, color)]
    return [*told, *_change_lines(compared, letters, None if verbose else _FEW)]


def _fit_lines(fit: Mapping[str, Any], data: Sequence[str], letters: Sequence[str], color: bool) -> list[str]:
    rows = []
    for letter, row in zip(letters, fit["statistics"], strict=True):
        known = row or {
            "total": None,
            "bins": "-",
            "free_parameters": "-",
            "aic": None,
            "bic": None,
            "status": "no fit",
        }
        numbers = [_two_digits(known[key]) for key in ("total", "aic", "bic")]
        rows.append(
            [
                letter,
                *numbers,
                str(known["bins"]),
                str(known["free_parameters"]),
                paint(known["status"], _style(known["status"]), color),
            ]
        )
    told = table(["fit", "-2 ln L", "AIC", "BIC", "bins", "free", "status"], rows)
    for letter, test in zip(letters[1:], fit["tests"], strict=True):
        told.append(f"  {letter}: {_test_text(test, letter)}")
    cells = [(row["name"], row["values"], row["differences"], row["unit"]) for row in fit["parameters"]]
    return [*told, "", *_side_by_side("parameter", cells, data, letters, color)]


def _test_text(test: Mapping[str, Any], letter: str) -> str:
    if test["ts"] is None:
        return f"no TS: {test['reason']}"
    simpler = "A" if test["simpler"] == "first" else letter
    n, sigma = test["degrees_of_freedom"], test["sigma"]
    told = f"TS {test['ts']:.2f}, {n} degree{'' if n == 1 else 's'} of freedom, {simpler} is the simpler one"
    return told + (f", {number(sigma, 3)} sigma" if sigma is not None else f", p {number(test['p_value'], 2)}")


def _side_by_side(
    what: str, rows: Sequence[Any], data: Sequence[str], letters: Sequence[str], color: bool
) -> list[str]:
    """All values in one row where the width allows it, else one below the other."""
    head = [what, *letters, *(f"{letter} - A" for letter in letters[1:]), "unit"]
    wide = []
    for name, values, differences, unit in rows:
        pairs = zip(differences, data, strict=True) if differences else ()
        sigmas = [_sigma(difference, shared, color) for difference, shared in pairs] or ["-" for _ in data]
        wide.append([name, *map(_value, values), *sigmas, unit])
    if is_wide_enough(head, wide):
        return table(head, wide)
    without_units = [row[:-1] for row in wide]
    if is_wide_enough(head[:-1], without_units):
        return table(head[:-1], without_units)
    tall: list[list[str]] = []
    for row in wide:
        sigmas, units = ["", *row[len(letters) + 1 : -1]], [row[-1], *[""] * len(data)]
        names = [row[0], *[""] * len(data)]
        tall += [list(cells) for cells in zip(names, letters, row[1:], sigmas, units, strict=False)]
    has_units = any(row[-1] for row in tall)
    head = [what, "", "value", "- A", "unit"]
    return table(head, tall) if has_units else table(head[:-1], [row[:-1] for row in tall])


def _value(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell.get("value") is None:
        return "-" if cell is None or cell.get("upper_limit") is None else f"< {number(cell['upper_limit'])}"
    if cell.get("frozen"):
        return f"{number(cell['value'])} fixed"
    value, error = with_error(cell["value"], cell.get("error"))
    return value if error == "-" else f"{value} ± {error}"


def _style(status: str) -> str:
    return "green" if status in ("converged", "at_limit") else "yellow"


def _sigma(difference: Mapping[str, Any], data: str, color: bool) -> str:
    """In sigma: of independent data, or of shared ones, where that is known; else both. Large ones stand out."""
    independent, shared = (difference[f"sigma_{kind}"] for kind in ("independent", "shared"))
    known = {"none": [independent], "same": [shared], "subset": [shared]}.get(data, [independent, shared])
    texts = ["-" if value is None else f"{value:+.2f}" for value in known]
    is_large = any(value is not None and abs(value) >= _LARGE for value in known)
    return paint(" / ".join(texts), "yellow", color and is_large)


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _series_lines(series: Mapping[str, Any], data: Sequence[str], letters: Sequence[str], color: bool) -> list[str]:
    cells = [(_place(row), row["values"], row["differences"], "") for row in series["bins"]]
    unit = UNITS.get(series["quantity"])
    head = f"{series['name']}, {series['quantity']}" + (f" [{unit}]" if unit else "")
    return [head, *_side_by_side("bin", cells, data, letters, color)]


def _place(row: Mapping[str, Any]) -> str:
    parts = []
    if isinstance(row.get("time_min"), int | float):
        parts.append(f"{row['time_min']:.5g} - {row['time_max']:.5g}")
    if row.get("e_min") is not None:
        parts.append(f"{energy(row['e_min'])} - {energy(row['e_max'])}")
    return ", ".join(parts)


def _change_lines(compared: Mapping[str, Any], letters: Sequence[str], most: int | None) -> list[str]:
    told: list[str] = []
    for letter, inputs, settings in zip(letters[1:], compared["inputs"], compared["settings"], strict=True):
        changes = [
            f"{row['file']} {row['change'].replace('the other', letter).replace('the first', 'A')}" for row in inputs
        ]
        changes += [f"{row['path']}: {_setting(row['values'][0])} -> {_setting(row['values'][1])}" for row in settings]
        shown = changes[:most]
        more = [f"and {len(changes) - len(shown)} more; -v shows all"] if len(changes) > len(shown) else []
        told += ["", f"from A to {letter}"]
        told += [f"  {text}" for text in (*shown, *more) or ["nothing has changed"]]
    return told


def _setting(value: Any) -> str:
    """As one may write it in YAML."""
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[: max(text.rfind(' ', 0, _LONG), 1)]} ..."
