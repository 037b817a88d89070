"""A config's data as frozen settings: defaults filled in, energies in TeV, paths made whole."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gm.conventions import Conventions
from gm.errors import JsonPath, UsageError
from gm.pipeline.stages.sky_masks import SkyMask, read_sky_masks
from gm.units import UnitError, convert

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([^}]*)\})")

Report = Callable[[JsonPath, str, str], None]
MAX_BINS = 10_000  # of flux points: more than any instrument resolves

FIT: dict[str, Any] = {
    "datasets": "*",
    "energy_range": [],
    "mask": [],
    "minos": [],
    "contours": [],
    "contour_levels": None,
    "test": [],
}
FLUX_POINTS: dict[str, Any] = {
    "source": None,
    "name": None,
    "datasets": "*",
    "energy_edges": None,
    "reoptimize": False,
    "confidence": {"sigma": 1, "sigma_ul": 2},
}
SIMULATE: dict[str, Any] = {"seed": 0, "asimov": False}
CONFIG: dict[str, Any] = {
    "version": 1,
    "name": None,
    "output": None,
    "datasets": None,
    "models": None,
    "covariance": "auto",
    "conventions": "gammapy",
    "parameters": {},
    "links": [],
    "operations": [],
    "fit": FIT,
    "flux_points": [],
    "engine": {"kind": "local", "workers": None},
}


@dataclass(frozen=True)
class EnergyRange:
    """Which bins of some datasets are fitted; ``min`` and ``max`` in TeV, ``None`` for no bound."""

    datasets: tuple[str, ...]
    min: float | None
    max: float | None


@dataclass(frozen=True)
class FitSettings:
    """The ``fit:`` section."""

    datasets: tuple[str, ...] = ("*",)
    energy_range: tuple[EnergyRange, ...] = ()
    mask: tuple[SkyMask, ...] = ()
    minos: tuple[str, ...] = ()
    contours: tuple[tuple[str, str], ...] = ()
    contour_levels: tuple[float, ...] | None = None
    test: tuple[str, ...] = ()


@dataclass(frozen=True)
class FluxPointsSettings:
    """One entry of ``flux_points:``; edges in TeV."""

    source: str
    name: str
    datasets: tuple[str, ...]
    energy_edges: tuple[float, ...]
    reoptimize: bool
    sigma: float
    sigma_ul: float


@dataclass(frozen=True)
class Settings:
    """A whole config. ``fit`` is ``None`` when the config has no such section."""

    name: str
    output: Path
    covariance: str | bool | None
    conventions: Conventions
    parameters: Mapping[str, Mapping[str, Any]]
    links: tuple[Mapping[str, Any], ...]
    fit: FitSettings | None
    flux_points: tuple[FluxPointsSettings, ...]
    simulates: bool
    workers: int | None


def resolve(data: Mapping[str, Any]) -> dict[str, Any]:
    """The config's data with every default written out."""
    resolved = _filled(data, CONFIG)
    for key in ("parameters", "links", "operations"):
        resolved[key] = resolved[key] or type(CONFIG[key])()
    resolved["flux_points"] = [_filled(entry, FLUX_POINTS) for entry in _entries(data.get("flux_points"))]
    if isinstance(data.get("simulate"), Mapping):
        resolved["simulate"] = _filled(data["simulate"], SIMULATE)
    return resolved


def build_settings(data: Mapping[str, Any], stem: str, directory: Path, report: Report) -> Settings:
    """Settings from data that agree with the schema; what the schema cannot see goes to ``report``."""
    resolved = resolve(data)
    name = str(resolved["name"] or stem)
    output = directory / f"{stem}-results"
    if resolved["output"] is not None:
        try:
            output = directory / expand(folder_name(resolved["output"]))
        except UsageError as error:
            report(("output",), str(error), "")
    engine = resolved["engine"]
    return Settings(
        name=name,
        output=output,
        covariance=resolved["covariance"],
        conventions=Conventions(resolved["conventions"]),
        parameters=resolved["parameters"],
        links=tuple(resolved["links"]),
        fit=_fit_settings(resolved["fit"], directory, report) if "fit" in data else None,
        flux_points=tuple(
            _flux_points_settings(entry, ("flux_points", index), report)
            for index, entry in enumerate(resolved["flux_points"])
        ),
        simulates=data.get("simulate") is not None,
        workers=engine["workers"],
    )


def expand(path: str) -> str:
    """``$VAR`` and ``~`` in a path replaced by what they stand for."""
    return os.path.expanduser(os.path.expandvars(path))


def folder_name(text: str) -> str:
    """The name of a folder for results. Raises `UsageError` where it, or a variable in it, is empty."""
    unset = [match[1] or match[2] for match in _VARIABLE.finditer(text) if not os.environ.get(match[1] or match[2])]
    if unset:
        raise UsageError(f"the folder of the results is '{text}', and ${unset[0]} is not set")
    if not text.strip():
        raise UsageError("the folder of the results has an empty name, expected '.' for this one")
    return text


def patterns(value: str | list[str]) -> tuple[str, ...]:
    """One pattern or a list of them, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def ranges(value: Any) -> list[tuple[JsonPath, Mapping[str, Any]]]:
    """The entries of ``energy_range``, one mapping or a list of them, with their places below it."""
    if isinstance(value, dict):
        return [((), value)]
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((index,), entry) for index, entry in entries if isinstance(entry, dict)]


def plural(number: int, noun: str) -> str:
    """``1 dataset``, ``2 datasets``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def log_edges(e_min: float, e_max: float, per_decade: float) -> tuple[float, ...]:
    """Edges equally spaced in log energy: the nearest whole number of bins, at least one; the ends are exact."""
    n_bins = max(round(per_decade * math.log10(e_max / e_min)), 1)
    inner = (e_min * (e_max / e_min) ** (index / n_bins) for index in range(1, n_bins))
    return (e_min, *inner, e_max)


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _filled(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` over ``defaults``; mappings that have a default mapping are filled in turn."""
    filled = deepcopy({**defaults, **data})
    for key, default in defaults.items():
        if isinstance(default, dict) and default and isinstance(data.get(key) or {}, dict):
            filled[key] = _filled(data.get(key) or {}, default)
    return filled


def _fit_settings(data: Mapping[str, Any], directory: Path, report: Report) -> FitSettings:
    return FitSettings(
        datasets=patterns(data["datasets"]),
        energy_range=tuple(
            _energy_range(entry, ("fit", "energy_range", *place), report)
            for place, entry in ranges(data["energy_range"])
        ),
        mask=read_sky_masks(data["mask"], directory, report),
        minos=patterns(data["minos"] or []),
        contours=tuple((pair[0], pair[1]) for pair in data["contours"] or []),
        contour_levels=tuple(map(float, data["contour_levels"])) if data["contour_levels"] else None,
        test=patterns(data["test"] or []),
    )


def _energy_range(entry: Mapping[str, Any], path: JsonPath, report: Report) -> EnergyRange:
    lower = _energy(entry.get("min"), (*path, "min"), report)
    upper = _energy(entry.get("max"), (*path, "max"), report)
    if lower is not None and upper is not None and not lower < upper:
        report((*path, "max"), f"max {entry['max']} is not above min {entry['min']}", "")
    return EnergyRange(patterns(entry.get("datasets", "*")), lower, upper)


def _flux_points_settings(entry: Mapping[str, Any], path: JsonPath, report: Report) -> FluxPointsSettings:
    edges = entry["energy_edges"]
    confidence = entry["confidence"]
    return FluxPointsSettings(
        source=str(entry["source"]),
        name=str(entry["name"] or f"{entry['source']}-sed"),
        datasets=patterns(entry["datasets"]),
        energy_edges=_energy_edges(edges, (*path, "energy_edges"), report) if edges is not None else (),
        reoptimize=bool(entry["reoptimize"]),
        sigma=float(confidence["sigma"]),
        sigma_ul=float(confidence["sigma_ul"]),
    )


def _energy_edges(edges: Any, path: JsonPath, report: Report) -> tuple[float, ...]:
    if isinstance(edges, list):
        values = [_energy(edge, (*path, index), report) for index, edge in enumerate(edges)]
        numbers = [value for value in values if value is not None]
        for index, (low, high) in enumerate(pairwise(numbers)):
            if not low < high and len(numbers) == len(values):
                report((*path, index + 1), f"edge {edges[index + 1]} is not above {edges[index]}", "edges increase")
        return tuple(numbers)
    lower = _energy(edges["min"], (*path, "min"), report)
    upper = _energy(edges["max"], (*path, "max"), report)
    if lower is None or upper is None:
        return ()
    if not lower < upper:
        report((*path, "max"), f"max {edges['max']} is not above min {edges['min']}", "")
        return ()
    per_decade = edges["n_bins"] / math.log10(upper / lower) if "n_bins" in edges else edges["per_decade"]
    if per_decade * math.log10(upper / lower) > MAX_BINS:
        report(path, f"more than {MAX_BINS} bins", "fewer bins per decade, or a shorter range")
        return ()
    return log_edges(lower, upper, per_decade)


def _energy(value: Any, path: JsonPath, report: Report) -> float | None:
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
