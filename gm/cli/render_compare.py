"""Compared results as lines of text, within the width of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from gm.cli.tables import energy, number, table, with_error

Rows = Sequence[Sequence[str]]
_FEW = 12
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DATA = {
    "same": "the same data",
    "subset": "the data of one are among those of the other",
    "some": "some data in common",
    "none": "no data in common",
    "unknown": "data that are not on record",
}


def lines(compared: Mapping[str, Any], width: int, verbose: bool = False) -> list[str]:
    """A ``gm/comparison/1`` document: what is compared, the fits, flux points and light curves, what has changed.

    Differences are in sigma, for data as they are shared: where all or some are in common, both ways.
    """
    letters = [_LETTERS[k % 26] for k in range(len(compared["results"]))]
    told = [f"{letter}  {row['label']}" for letter, row in zip(letters, compared["results"], strict=True)]
    told += [f"{letters[k + 1]} has {_DATA[data]} as A" if data == "same" else f"A and {letters[k + 1]}: {_DATA[data]}"
             for k, data in enumerate(compared["data"])]  # fmt: skip
    if compared["fit"] is not None:
        told += ["", *_fit_lines(compared["fit"], compared["data"], letters, width)]
    for series in compared["series"]:
        told += ["", *_series_lines(series, compared["data"], letters, width)]
    return [*told, *_change_lines(compared, letters, None if verbose else _FEW, width)]


def _fit_lines(fit: Mapping[str, Any], data: Sequence[str], letters: Sequence[str], width: int) -> list[str]:
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
        rows.append([letter, *numbers, str(known["bins"]), str(known["free_parameters"]), known["status"]])
    told = table(["fit", "-2 ln L", "AIC", "BIC", "bins", "free", "status"], rows)
    for letter, test in zip(letters[1:], fit["tests"], strict=True):
        told += wrap(f"{letter}: {_test_text(test, letter)}", width, initial_indent="  ", subsequent_indent="     ")
    cells = [(row["name"], row["values"], row["differences"], row["unit"]) for row in fit["parameters"]]
    return [*told, "", *_side_by_side("parameter", cells, data, letters, width)]


def _test_text(test: Mapping[str, Any], letter: str) -> str:
    if test["ts"] is None:
        return f"no TS: {test['reason']}"
    simpler = "A" if test["simpler"] == "first" else letter
    n, sigma = test["degrees_of_freedom"], test["sigma"]
    told = f"TS {test['ts']:.2f}, {n} degree{'' if n == 1 else 's'} of freedom, {simpler} is the simpler one"
    return told + (f", {number(sigma, 3)} sigma" if sigma is not None else f", p {number(test['p_value'], 2)}")


def _side_by_side(what: str, rows: Sequence[Any], data: Sequence[str], letters: Sequence[str], width: int) -> list[str]:
    """All values in one row where the width allows it, else one below the other."""
    head = [what, *letters, *(f"{letter} - A" for letter in letters[1:]), "unit"]
    wide = [
        [name, *map(_value, values), *(_sigma(d, shared) for d, shared in zip(differences, data, strict=True)), unit]
        if differences
        else [name, *map(_value, values), *("-" for _ in data), unit]
        for name, values, differences, unit in rows
    ]
    found = table(head, wide)
    if all(len(line) <= width for line in found):
        return found
    without_units = table(head[:-1], [row[:-1] for row in wide])
    if all(len(line) <= width for line in without_units):
        return without_units
    tall: list[list[str]] = []
    for row in wide:
        sigmas = ["", *row[len(letters) + 1 : -1]]
        tall += [[row[0] if k == 0 else "", letters[k], row[k + 1], sigmas[k]] for k in range(len(letters))]
    return table([what, "", "value", "- A"], tall)


def _value(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell.get("value") is None:
        return "-" if cell is None or cell.get("upper_limit") is None else f"< {number(cell['upper_limit'])}"
    if cell.get("frozen"):
        return f"{number(cell['value'])} fixed"
    value, error = with_error(cell["value"], cell.get("error"))
    return value if error == "-" else f"{value} ± {error}"


def _sigma(difference: Mapping[str, Any], data: str) -> str:
    """In sigma: of independent data, or of shared ones, where that is known; else both."""
    independent, shared = (difference[f"sigma_{kind}"] for kind in ("independent", "shared"))
    known = {"none": [independent], "same": [shared], "subset": [shared]}.get(data, [independent, shared])
    texts = ["-" if value is None else f"{value:+.2f}" for value in known]
    return " / ".join(texts)


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _series_lines(series: Mapping[str, Any], data: Sequence[str], letters: Sequence[str], width: int) -> list[str]:
    cells = [(_place(row), row["values"], row["differences"], "") for row in series["bins"]]
    return [f"{series['name']}, {series['quantity']}", *_side_by_side("bin", cells, data, letters, width)]


def _place(row: Mapping[str, Any]) -> str:
    parts = []
    if isinstance(row.get("time_min"), int | float):
        parts.append(f"{row['time_min']:.5g} - {row['time_max']:.5g}")
    if row.get("e_min") is not None:
        parts.append(f"{energy(row['e_min'])} - {energy(row['e_max'])}")
    return ", ".join(parts)


def _change_lines(compared: Mapping[str, Any], letters: Sequence[str], most: int | None, width: int) -> list[str]:
    told: list[str] = []
    for letter, inputs, settings in zip(letters[1:], compared["inputs"], compared["settings"], strict=True):
        changes = [
            f"{row['file']} {row['change'].replace('the other', letter).replace('the first', 'A')}" for row in inputs
        ]
        changes += [f"{row['path']}: {_setting(row['values'][0])} -> {_setting(row['values'][1])}" for row in settings]
        shown = changes[:most]
        more = [f"and {len(changes) - len(shown)} more; -v shows all"] if len(changes) > len(shown) else []
        told += ["", f"from A to {letter}"]
        for text in (*shown, *more) or ["nothing has changed"]:
            told += wrap(text, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return told


def _setting(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
