"""Numbers as people read them, on a screen and on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def number(value: float | None, digits: int = 4) -> str:
    """A number for eyes with ``digits`` significant digits; ``-`` for one that does not exist."""
    if value is None or not math.isfinite(value):
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent):+03d}"
    decimals = max(digits - 1 - (math.floor(math.log10(abs(value))) if value else 0), 0)
    return f"{value:.{decimals}f}"


def degrees(value: float | None, form: str = ".5f") -> str:
    """An angle for eyes; ``-`` for one that does not exist."""
    return "-" if value is None or not math.isfinite(value) else f"{value:{form}}"


def count(value: float | None) -> str:
    """A number of events: whole where it is whole."""
    return f"{value:.0f}" if value is not None and float(value).is_integer() else number(value, 6)


def plural(how_many: int, noun: str) -> str:
    """``1 dataset``, ``2 datasets``."""
    return f"{how_many} {noun}" + ("" if how_many == 1 else "s")


def with_error(value: float | None, error: float | None) -> tuple[str, str]:
    """A value and its error with the same exponent, to three significant digits of the error."""
    if value is None or error is None or not math.isfinite(error) or error <= 0 or not math.isfinite(value):
        return number(value), "-"
    scale = max(abs(value), error)
    exponent = 0 if 1e-3 <= scale < 1e6 else math.floor(math.log10(scale))
    unit = 10.0**exponent
    decimals = min(max(2 - math.floor(math.log10(error / unit)), 0), 10)
    suffix = f"e{exponent:+03d}" if exponent else ""
    return f"{value / unit:.{decimals}f}{suffix}", f"{error / unit:.{decimals}f}{suffix}"


def link_text(link: Mapping[str, Any]) -> str:
    """What a linked parameter is: ``= a.index``, ``= -0.5 a.index + 3.5``."""
    scale = {1.0: "", -1.0: "-"}.get(link.get("scale", 1.0), f"{link.get('scale', 1.0):g} ")
    offset = link.get("offset", 0.0)
    shift = f" {'-' if offset < 0 else '+'} {abs(offset):g}" if offset else ""
    return f"= {scale}{link['equals']}{shift}"


def prior_text(prior: Mapping[str, Any] | None) -> str:
    """What a prior says: ``1 ± 0.05`` for a Gaussian one, else its name and numbers; the weight where it is not 1."""
    if prior is None:
        return ""
    weight = "" if prior.get("weight", 1.0) == 1.0 else f", weight {prior['weight']:g}"
    if prior["type"] == "GaussianPrior":
        return f"{prior['mu']:.6g} ± {prior['sigma']:.3g}{weight}"
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in prior.items() if name not in ("type", "weight"))
    return f"{prior['type'].removesuffix('Prior')}: {numbers}{weight}"


def energy(value: float | None) -> str:
    """An energy given in TeV, in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return "-"
    for unit, size in (("TeV", 1.0), ("GeV", 1e-3), ("MeV", 1e-6)):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.4g} {unit}"
    return f"{value / 1e-6:.4g} MeV"


def energies(low: float | None, high: float | None) -> str:
    """A range of energies given in TeV."""
    return f"{energy(low)} - {energy(high)}"


def asked_energies(point: Mapping[str, Any]) -> str:
    """The range that a flux point was asked for, where that is not the one of the bins that entered; else nothing."""
    asked = point.get("asked")
    if asked is None or point.get("e_min") is None:
        return ""
    is_moved = point.get("e_max") is None or any(
        abs(point[end] / asked[end] - 1.0) > 1e-6 for end in ("e_min", "e_max")
    )
    return energies(asked["e_min"], asked["e_max"]) if is_moved else ""


def sources_of(points: Mapping[str, Any]) -> list[str]:
    """Whose flux points a document has."""
    return list(points.get("sources") or filter(None, [points["source"]]))


def fitted_together(points: Mapping[str, Any]) -> str:
    """What of flux points was one fit, and how much they have to do with each other; empty where they are alone."""
    said = {"joint": "all bands in one fit", "unfold": "bands of true energy in one fit"}
    parts = [said[points["method"]]] if points.get("method") in said else []
    if len(sources_of(points)) > 1:
        parts.append("norms of all sources fitted together")
    if points.get("smoothness"):
        parts.append(f"smoothed with a weight of {points['smoothness']:g}")
    largest = largest_correlation(points.get("covariance") or ())
    if largest is not None:
        parts.append(f"correlations of up to {largest:.2f}" if abs(largest) >= 0.005 else "no correlation above 0.005")
    return ", ".join(parts)


def largest_correlation(covariance: Sequence[Sequence[float | None]]) -> float | None:
    """Of two points, with its sign; None where there are no two with errors."""
    found: list[float] = []
    for k, row in enumerate(covariance):
        for j, value in enumerate(row[:k]):
            errors = row[k], covariance[j][j]
            if value is not None and errors[0] and errors[1]:
                found.append(value / math.sqrt(errors[0] * errors[1]))
    return max(found, key=abs, default=None)
