"""An analysis that is drafted, and parts that drafts are made of; all as plain data, ready to be written as YAML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Draft:
    """Documents to be written.

    models, datasets : None where the config names files that are there; notes : what its user should look at
    """

    config: dict[str, Any]
    models: dict[str, Any] | None = None
    datasets: list[dict[str, Any]] | None = None
    notes: list[str] = field(default_factory=list)


class Settings:
    """The config of another program, from which settings are taken one by one: what is left was not carried over."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._left: dict[str, Any] = deepcopy(dict(data))

    def take(self, *path: str | int) -> Any:
        """The value at a path, which is left no more; None where there is none."""
        here: Any = self._left
        for step in path[:-1]:
            here = _inside(here, step)
        value = _inside(here, path[-1])
        if value is not None:
            here[path[-1]] = None
        return value

    def take_all(self, *path: str, names: tuple[str, ...]) -> list[Any]:
        """The values of several keys of the mapping at a path."""
        return [self.take(*path, name) for name in names]

    def left(self) -> Iterator[str]:
        """What nobody took, as ``path: value``."""
        for path, value in _leaves(self._left, ""):
            yield f"{path}: {value}"


def _inside(data: Any, step: str | int) -> Any:
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return data.get(step) if isinstance(data, dict) else None


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All values inside that say something."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for index, value in enumerate(data):
            yield from _leaves(value, f"{path}[{index}]")
    elif data is not None and data != [] and data is not False:
        yield path, data


def number(value: float, digits: int = 6) -> float:
    """A number as a person would write it."""
    return float(f"{value:.{digits}g}")


def energy(value: float) -> str:
    """An energy [TeV] as a person would write it."""
    scale, unit = next((s, u) for s, u in ((1.0, "TeV"), (1e-3, "GeV"), (1e-6, "MeV"), (0.0, "keV")) if value >= s)
    return f"{number(value / (scale or 1e-9), 4):g} {unit}"


def power_law(e_min: float, e_max: float) -> dict[str, Any]:
    """A tenth of the Crab nebula; the reference energy is the decade in the middle of a range [TeV]."""
    reference = 10.0 ** round(math.log10(e_min * e_max) / 2)
    return {
        "type": "PowerLawSpectralModel",
        "parameters": [
            {"name": "index", "value": 2.3},
            {"name": "amplitude", "value": number(3e-12 * reference**-2.3, 2), "unit": "cm-2 s-1 TeV-1"},
            {"name": "reference", "value": number(reference), "unit": "TeV", "frozen": True},
        ],
    }


def sky_component(
    name: str, spectral: Mapping[str, Any], position: tuple[float, float] | None = None, frame: str = "icrs"
) -> dict[str, Any]:
    """A component with a spectrum, and a point on the sky [deg] where a position is given, which is frozen."""
    component: dict[str, Any] = {"name": name, "type": "SkyModel", "spectral": dict(spectral)}
    if position is not None:
        names = zip(("lon_0", "lat_0"), position, strict=True)
        rows = [{"name": key, "value": number(value), "unit": "deg", "frozen": True} for key, value in names]
        component["spatial"] = {"type": "PointSpatialModel", "frame": frame, "parameters": rows}
    return component


def background_component(dataset: str) -> dict[str, Any]:
    """The background of a map, with a norm."""
    rows = [{"name": "norm", "value": 1.0}, {"name": "tilt", "value": 0.0, "frozen": True}]
    rows.append({"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True})
    spectral = {"type": "PowerLawNormSpectralModel", "parameters": rows}
    return {"type": "FoVBackgroundModel", "datasets_names": [dataset], "spectral": spectral}


def flux_points(source: str, e_min: str, e_max: str, per_decade: int = 4) -> dict[str, Any]:
    """An entry of ``flux_points:``."""
    return {"source": source, "energy_edges": {"min": e_min, "max": e_max, "per_decade": per_decade}}
