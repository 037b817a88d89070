"""The entries of ``maps:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gm.datasets import Datasets
from gm.errors import JsonPath, suggest
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.profile import LineBins, ProfileBins, RadialBins, places_of
from gm.maps.sphere import separation
from gm.models import SkyModel
from gm.pipeline.analysis.blocks import read_source
from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.sections import Known, Section, patterns
from gm.units import UnitError, convert

_ALL = ("type", "name", "datasets", "energy_edges", "confidence")
_KERNEL = ("kernel", "kernel_width", "sum_over_energy", "intervals", "threshold")
_CIRCLE = ("correlation_radius", "correlate_off")
KEYS: Mapping[str, tuple[str, ...]] = {
    "ts": (*_ALL, *_KERNEL),
    "excess": (*_ALL, *_CIRCLE, "intervals"),
    "residual": (*_ALL, *_CIRCLE),
    "ps": (*_ALL[:-1], "correlation_radius"),
    "profile": (*_ALL, "source", "center", "start", "stop", "frame", "max", "width", "n"),
    "peaks": ("type", "name", "of", "threshold", "min_distance"),
}
"""The keys that mean something for a type of map."""

_CORRELATION_RADIUS = 0.1  # [deg]
_THRESHOLD = 5.0
_N_BINS = 10


@dataclass(frozen=True)
class MapSettings:
    """One entry of ``maps:``; edges in TeV, angles in deg."""

    type: str
    name: str
    datasets: tuple[str, ...] = ("*",)
    energy_edges: tuple[float, ...] | None = None
    sigma: float = 1.0
    sigma_ul: float = 2.0
    intervals: bool = True
    kernel: SkyModel | None = field(default=None, compare=False)
    kernel_width: float | None = None
    sum_over_energy: bool = True
    threshold: float | None = None
    correlation_radius: float | None = None
    correlate_off: bool = True
    bins: ProfileBins | None = field(default=None, compare=False)
    source: str = ""
    of: str = ""
    min_distance: float = 0.0

    def about(self, origin: str) -> str:
        """What it is, in a few words; ``origin``: what it starts from."""
        if self.of:
            return f"peaks of {self.of} above {self.threshold:g} sigma"
        if self.bins is not None:
            return f"{len(self.bins.edges) - 1} bins of {self.source or 'the residuals'}, from {origin}"
        n_bands = 1 if self.energy_edges is None else len(self.energy_edges) - 1
        bands = "one band" if n_bands == 1 else f"{n_bands} bands"
        return f"{self.type} map, {bands}, from {origin}"


def read_maps(section: Section) -> tuple[MapSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    found = []
    for index, entry in section.entries():
        kind, edges = entry["type"], entry["energy_edges"]
        if kind not in KEYS:  # which the schema has told
            continue
        is_peaks = kind == "peaks"
        angle = {key: _angle(section, (index, key), entry.get(key)) for key in ("correlation_radius", "kernel_width")}
        threshold = entry.get("threshold")
        found.append(
            MapSettings(
                type=kind,
                name=_name(entry),
                datasets=patterns(entry["datasets"]),
                energy_edges=None if edges is None else read_edges(edges, (index, "energy_edges"), section.add),
                sigma=float(entry["confidence"]["sigma"]),
                sigma_ul=float(entry["confidence"]["sigma_ul"]),
                intervals=entry.get("intervals", True),
                kernel=_kernel(section, (index, "kernel"), entry.get("kernel")) if kind == "ts" else None,
                kernel_width=angle["kernel_width"],
                sum_over_energy=entry.get("sum_over_energy", True),
                threshold=_THRESHOLD if is_peaks and threshold is None else threshold,
                correlation_radius=angle["correlation_radius"] or (None if kind == "ps" else _CORRELATION_RADIUS),
                correlate_off=entry.get("correlate_off", True),
                bins=_bins(section, index, entry) if kind == "profile" else None,
                source=entry.get("source", "") if kind == "profile" else "",
                of=entry.get("of", "") if is_peaks else "",
                min_distance=_angle(section, (index, "min_distance"), entry.get("min_distance")) or 0.0,
            )
        )
    return tuple(found)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"] or entry["type"])


def _angle(section: Section, path: JsonPath, value: Any) -> float | None:
    """In deg; None where there is none."""
    if value is None:
        return None
    try:
        angle = convert(value, "deg")
    except UnitError as error:
        section.add(path, str(error), "an angle with a unit: 0.1 deg")
        return None
    if not 0 < angle <= 180:
        section.add(path, f"{value} is not an angle above 0")
        return None
    return float(angle)


def _bins(section: Section, index: int, entry: Mapping[str, Any]) -> ProfileBins | None:
    """Rings around ``center``, or boxes from ``start`` to ``stop``."""
    n, frame = entry.get("n", _N_BINS), entry.get("frame", "icrs")
    if (entry.get("center") is None) == (entry.get("start") is None or entry.get("stop") is None):
        if section.is_whole:  # else what is missing may be what was left out
            hint = "rings: center and max; boxes along a line: start, stop and width"
            section.add((index,), "a profile is around a center, or from start to stop", hint)
        return None
    length = "max" if entry.get("center") is not None else "width"
    size = _angle(section, (index, length), entry.get(length))
    if entry.get(length) is None and section.is_whole:
        section.add((index,), f"key '{length}' is missing", "an angle with a unit: 1 deg")
    if size is None:
        return None
    if length == "max":
        return RadialBins(_position(entry["center"]), np.linspace(0.0, size, n + 1), frame)
    start, stop = _position(entry["start"]), _position(entry["stop"])
    return LineBins(start, stop, size, np.linspace(0.0, float(separation(*start, *stop)), n + 1), frame)


def _position(value: Any) -> tuple[float, float]:
    return float(value[0]), float(value[1])


def _kernel(section: Section, path: JsonPath, given: Any) -> SkyModel | None:
    """None: the default, or a problem that has been told."""
    blocks = {"spectral": "pl", "spatial": "point", **{key: value for key, value in (given or {}).items() if value}}
    return read_source(section, path, "kernel", blocks)


def check_maps(section: Section, known: Known) -> None:
    """Keys belong to the type, patterns match datasets, names are different, and peaks are of a map before them."""
    entries = [(index, entry) for index, entry in section.entries() if entry["type"] in KEYS]
    section.check_names({index: _name(entry) for index, entry in section.entries()}, ("type",))
    before: list[str] = []
    for index, entry in entries:
        kind = entry["type"]
        for key in (section.data or ())[index] or ():
            if key not in KEYS[kind]:
                hint = f"{kind}: {', '.join(KEYS[kind])}"
                section.add((index, key), f"'{key}' means nothing for a map of type {kind}", hint, key=True)
        if kind == "profile" and entry.get("source"):
            known.check_source(section, (index, "source"), entry["source"])
        if kind == "peaks":
            of = entry.get("of")
            if of is None:
                section.add((index,), "key 'of' is missing", "the name of the map that peaks are looked for in")
            elif of not in before:
                section.add((index, "of"), f"no map before this entry is called '{of}'", suggest(of, before, "maps"))
            continue
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        before += [] if kind == "profile" else [_name(entry)]


def check_datasets(entry: MapSettings, maps: Datasets) -> None:
    """The maps can be summed, and hold something of the profile. Raises `DataError` and `UsageError`, as a run does."""
    needs_background = entry.type == "ps"
    bands = Bands.of(maps, entry.energy_edges, needs_background=needs_background, one_kind=not needs_background)
    if entry.bins is not None:
        places_of(entry.bins, bands.geometry)
