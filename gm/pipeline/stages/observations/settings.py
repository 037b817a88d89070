"""The ``observations:`` section as frozen settings, with every problem reported."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from glob import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gm.datasets import MapDataset, SpectrumDataset
from gm.errors import DataError
from gm.estimators.time_bins import Divided, time_binning
from gm.irf.parametric_map import RAD_BINS
from gm.makers.exclusion import Exclusion
from gm.makers.fov import FoVBackgroundMaker
from gm.makers.maker import Maker
from gm.makers.maps import SELECTION, MapDatasetMaker
from gm.makers.phases import PhaseBackgroundMaker
from gm.makers.reduction import Reduction
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.makers.target import PIXEL_IRF, empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sky_region import SkyRegion
from gm.models import BackgroundIRFModel, Models
from gm.observations import EventSelection, ObservationSelection
from gm.pipeline.analysis.energies import MAX_BINS
from gm.pipeline.analysis.paths import expand, with_file
from gm.pipeline.analysis.sections import Section
from gm.pipeline.stages.observations.backgrounds import background_maker
from gm.pipeline.stages.observations.selections import event_selection, event_types, observation_selection
from gm.pipeline.stages.reading import Reader, Unusable, position
from gm.pipeline.stages.safe_masks import OFFSET_MAX, safe_mask_makers

NUMBER, TYPE, TIME_BIN = "{obs_id}", "{event_type}", "{time_bin}"
MAX_PIXELS = 4_000_000
MAX_PSF = 1 << 26
_FOR = {"region": "spectrum", "containment_correction": "spectrum", "use_region_center": "spectrum",
        "geometry": "map", "cutout": "map"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entry:
    """One set of observations, and how they are reduced.

    index : its position in the section; name : of each dataset, with ``{obs_id}``, or of the stack, without;
    data : what the data store is made of, relative paths in ``directory``
    time_bins : in which each observation is divided; interval : the bin of one that has been, MJD in TT
    """

    index: int
    name: str
    data: tuple[str, ...]
    directory: Path
    selection: ObservationSelection
    events: EventSelection
    required: str
    reduction: Reduction
    stacked: bool
    time_bins: Divided | None = None
    interval: tuple[float, float] | None = None

    def dataset_name(self, obs_id: int) -> str:
        """What one observation becomes, or joins."""
        return self.name.replace(NUMBER, str(obs_id))


def patterns_to_come(entry: Entry) -> list[str]:
    """Patterns of the parameters that an entry adds to the global model."""
    dataset = "*".join(map(escape, entry.name.replace(TIME_BIN, NUMBER).split(NUMBER)))
    makers = [maker for maker in entry.reduction.makers if isinstance(maker, FoVBackgroundMaker)]
    made = Models(BackgroundIRFModel(dataset_name=dataset, spectral_model=m.spectral_model) for m in makers)
    return [*made.addresses().short, *made.addresses().full]


def read_entries(section: Section) -> tuple[Entry, ...]:
    """The entries of the section; what the schema cannot see goes to it."""
    entries = []
    for index, data in section.entries():
        reader = Reader.of(section, index, data)
        _check_name(reader)
        for key, dataset in _FOR.items():
            if key in section.data[index] and data["dataset"] != dataset:
                reader.note((key,), f"'{key}' is for a {dataset}, not for a {data['dataset']}", "remove it")
        try:
            entries += _entries(reader, index)
        except Unusable:
            continue
    return tuple(entries)


def _check_name(reader: Reader) -> None:
    name, is_stack = reader.data["name"], bool(reader.data.get("stack"))
    if is_stack == (NUMBER in name):
        what = "one dataset, without {obs_id} in its name" if is_stack else "each observation needs a name of its own"
        reader.note(("name",), f"'{name}': {what}", "name: hess" if is_stack else "name: hess-{obs_id}, or stack: true")
    types = event_types(reader)
    if len(types) > 1 and TYPE not in name:
        reader.note(("name",), f"'{name}': each type of events needs a name of its own", f"name: {name}-{TYPE}")
    if "time_bins" in reader.data and TIME_BIN not in name:
        reader.note(("name",), f"'{name}': each bin of time needs a name of its own", f"name: {name}-{TIME_BIN}")
    allowed = [NUMBER, *([TYPE] if types != [None] else []), *([TIME_BIN] if "time_bins" in reader.data else [])]
    if re.search(r"[{}]", reduce(lambda text, part: text.replace(part, ""), allowed, name)):
        reader.note(("name",), f"'{name}': {' and '.join(allowed)} is all that may stand in braces")


def _entries(reader: Reader, index: int) -> list[Entry]:
    """One, or one for each type of events."""
    entry, types = _entry(reader, index), event_types(reader)
    return [
        replace(entry, name=entry.name.replace(TYPE, str(kind)), events=replace(entry.events, event_type=kind))
        for kind in types
    ]


def _entry(reader: Reader, index: int) -> Entry:
    data, directory = reader.data, reader.directory
    paths = [data["data"]] if isinstance(data["data"], str) else data["data"]
    read = reader.each(observation_selection, event_selection, _reduction, _time_bins)
    selection, events, reduction, time_bins = read
    return Entry(
        index=index,
        name=data["name"],
        data=tuple(expand(path) for path in paths),
        directory=directory,
        selection=selection,
        events=events,
        required=data.get("required", "all-optional"),
        reduction=reduction,
        stacked=bool(data.get("stack")),
        time_bins=time_bins,
    )


def _time_bins(reader: Reader) -> Divided | None:
    """How observations are divided in time, if they are."""
    if "time_bins" not in reader.data:
        return None
    with reader.at("time_bins"):
        binning = time_binning(reader.data["time_bins"])
    if isinstance(binning, Divided):
        return binning
    raise reader.fail(("time_bins",), "these bins are known after the reduction", "gti, or width, edges or intervals")


def _reduction(reader: Reader) -> Reduction:
    """The empty dataset, and the makers in order: data, safe bins of a map by the background of the response, the
    measurement of the background, safe bins of a spectrum."""
    if reader.data["dataset"] == "map":
        target, safe, measured, cutout = reader.each(_map, safe_mask_makers, _measured, _cutout)
        is_phased = any(isinstance(maker, PhaseBackgroundMaker) for maker in measured)
        needs_no_background = is_phased and not any("bkg-peak" in maker.methods for maker in safe)
        selection = tuple(part for part in SELECTION if not (needs_no_background and part == "background"))
        return Reduction(target, (MapDatasetMaker(selection), *safe, *measured), cutout)
    target, safe, measured = reader.each(_spectrum, safe_mask_makers, _measured)
    selection = ("counts", "exposure", "edisp", *(() if measured else ("background",)))
    first = SpectrumDatasetMaker(
        selection,
        containment_correction=bool(reader.data.get("containment_correction")),
        use_region_center=bool(reader.data.get("use_region_center", True)),
    )
    return Reduction(target, (first, *measured, *safe))


def _measured(reader: Reader) -> list[Maker]:
    """The maker of the background, if there is one."""
    parts = []
    for k, entry in enumerate(reader.data.get("exclude") or ()):
        with reader.at("exclude", k):
            parts.append(Exclusion.from_entries([with_file(entry)], reader.directory))
    maker = background_maker(reader, Exclusion.of_all(parts))
    return [] if maker is None else [maker]


def _cutout(reader: Reader) -> float | None:
    """Twice the largest offset [deg]."""
    if not reader.data.get("cutout"):
        return None
    for k, entry in enumerate(reader.data.get("safe_mask") or ()):
        if entry["type"] == "offset_max":
            return 2.0 * reader.angle(entry, "offset", ("safe_mask", k), OFFSET_MAX)
    raise reader.fail(
        ("cutout",),
        "how far a cutout reaches is the offset of the safe mask",
        "safe_mask: [{type: offset_max, offset: 2.5 deg}]",
    )


def _spectrum(reader: Reader) -> SpectrumDataset:
    data = reader.data
    if "region" not in data:
        raise reader.fail(
            (), "a spectrum needs a region", "region: {type: circle, center: [83.63, 22.01], radius: 0.1 deg}"
        )
    with reader.at("region"):
        region = SkyRegion.from_mapping(with_file(data["region"]), reader.directory)
    energy, energy_true = reader.each(*_AXES)
    with reader.at("region"):
        return empty_spectrum(data["name"], energy, energy_true, region)


def _map(reader: Reader) -> MapDataset:
    data = reader.data
    if "geometry" not in data:
        raise reader.fail(
            (), "a map needs a geometry", "geometry: {center: [83.63, 22.01], width: 5 deg, pixel: 0.02 deg}"
        )
    given, path = data["geometry"], ("geometry",)
    width = given["width"] if isinstance(given["width"], list) else [given["width"]] * 2
    sizes = [reader.quantity(size, "deg", *path, "width") for size in width]
    pixel, coarse = reader.angle(given, "pixel", path), reader.angle(given, "pixel_irf", path, PIXEL_IRF)
    if pixel <= 0.0 or coarse <= 0.0:
        raise reader.fail(path, "pixels without a size")
    for step in (pixel, coarse):
        if math.prod(max(size / step, 1.0) for size in sizes) > MAX_PIXELS:
            raise reader.fail(path, f"more than {MAX_PIXELS} pixels", "a smaller width, or larger pixels")
    lon, lat, frame = position(given)
    with reader.at(*path):
        geometry = WcsGeometry.create(
            lon, lat, pixel, (sizes[0], sizes[1]), frame=frame, projection=given.get("projection", "CAR")
        )
        if not np.isfinite(geometry.center()).all():
            raise DataError(f"{lon:g}, {lat:g} deg is no point of the sky")
    energy, energy_true = reader.each(*_AXES)
    if math.prod(max(size / coarse, 1.0) for size in sizes) * RAD_BINS * energy_true.n_bins > MAX_PSF:
        raise reader.fail(path, f"the PSF of a map would have more than {MAX_PSF} values", "a larger pixel_irf")
    return empty_map(data["name"], geometry, energy, energy_true, pixel_irf=coarse)


def _axis(reader: Reader, key: str) -> EnergyAxis:
    """Bins between edges, or equal ones in the logarithm: ``per_decade`` is rounded up to a whole number of bins."""
    given: Any = reader.data[key]
    if isinstance(given, list):
        edges = [reader.quantity(edge, "TeV", key, k) for k, edge in enumerate(given)]
        wrong = next((k + 1 for k, (low, high) in enumerate(pairwise(edges)) if not low < high), None)
        if wrong is not None:
            raise reader.fail((key, wrong), f"edge {given[wrong]} is not above {given[wrong - 1]}", "edges increase")
        with reader.at(key):
            return EnergyAxis(np.array(edges), key)
    low, high = (reader.quantity(given[end], "TeV", key, end) for end in ("min", "max"))
    if not 0.0 < low < high:
        raise reader.fail((key, "max"), f"max {given['max']} is not above min {given['min']}, or min not above 0")
    n_bins, per_decade = given.get("n_bins"), given.get("per_decade")
    if (n_bins or per_decade * math.log10(high / low)) > MAX_BINS:
        raise reader.fail((key,), f"more than {MAX_BINS} bins", "fewer bins per decade, or a shorter range")
    return EnergyAxis.from_bounds(low, high, n_bins, per_decade, key)


_AXES = partial(_axis, key="energy"), partial(_axis, key="energy_true")


def named_files(section: Section) -> Iterator[Path]:
    """The files that the entries name themselves: exclusions, regions, lists of numbers and of times."""
    for _, entry in section.entries():
        parts: list[Mapping[str, Any]] = [*(entry.get("exclude") or ()), entry.get("region") or {}]
        names = [part.get("filename") for part in parts]
        gti = (entry.get("events") or {}).get("gti")
        names += [entry.get("ids"), gti.get("filename") if isinstance(gti, dict) else gti]
        yield from (section.directory / expand(name) for name in names if isinstance(name, str))
