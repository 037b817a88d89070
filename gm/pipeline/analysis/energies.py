"""Energies in a config as numbers in TeV, with every problem reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from gm.errors import JsonPath
from gm.pipeline.analysis.findings import Report
from gm.units import UnitError, convert

MAX_BINS = 10_000  # more than any instrument resolves


def read_energy(value: Any, path: JsonPath, report: Report) -> float | None:
    """An energy in TeV (a bare number is one); a bad unit or a value that is not above zero is reported."""
    if value is None:
        return None
    try:
        energy = convert(value, "TeV")
    except UnitError as error:
        report(path, str(error), "an energy is a number with a unit: 30 GeV, 1 TeV")
        return None
    if not (math.isfinite(energy) and energy > 0):
        report(path, f"{value} is not an energy above zero", "")
        return None
    return energy


def read_range(data: Mapping[str, Any], path: JsonPath, report: Report) -> tuple[float | None, float | None]:
    """``min`` and ``max`` of a mapping in TeV, None for no bound."""
    lower = read_energy(data.get("min"), (*path, "min"), report)
    upper = read_energy(data.get("max"), (*path, "max"), report)
    if lower is not None and upper is not None and not lower < upper:
        report((*path, "max"), f"max {data['max']} is not above min {data['min']}", "")
    return lower, upper


def read_edges(edges: Any, path: JsonPath, report: Report) -> tuple[float, ...]:
    """Edges of energy bins in TeV: those of a list, or of ``min``, ``max`` and a number of bins."""
    if isinstance(edges, list):
        values = [read_energy(edge, (*path, index), report) for index, edge in enumerate(edges)]
        numbers = [value for value in values if value is not None]
        for index, (low, high) in enumerate(pairwise(numbers)):
            if not low < high and len(numbers) == len(values):
                report((*path, index + 1), f"edge {edges[index + 1]} is not above {edges[index]}", "edges increase")
        return tuple(numbers)
    lower, upper = read_range(edges, path, report)
    if lower is None or upper is None or not lower < upper:
        return ()
    per_decade = edges["n_bins"] / math.log10(upper / lower) if "n_bins" in edges else edges["per_decade"]
    if per_decade * math.log10(upper / lower) > MAX_BINS:
        report(path, f"more than {MAX_BINS} bins", "fewer bins per decade, or a shorter range")
        return ()
    return log_edges(lower, upper, per_decade)


def log_edges(e_min: float, e_max: float, per_decade: float) -> tuple[float, ...]:
    """Edges equally spaced in log energy [TeV]: the nearest whole number of bins, at least one; the ends are exact."""
    n_bins = max(round(per_decade * math.log10(e_max / e_min)), 1)
    inner = (e_min * (e_max / e_min) ** (index / n_bins) for index in range(1, n_bins))
    return (e_min, *inner, e_max)
