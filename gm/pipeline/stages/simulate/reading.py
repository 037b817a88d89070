"""The ``simulate:`` section of a config to a `Simulation`, with every problem reported."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gm.datasets.simulation import FileRecipe, FormulaRecipe, Recipe, Simulation
from gm.errors import DataError, JsonPath, suggest
from gm.irf.parametric import INSTRUMENTS, CherenkovArray, Instrument
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate
from gm.maps.sky_region import SkyRegion
from gm.pipeline.analysis.findings import Report
from gm.pipeline.analysis.paths import expand, with_file
from gm.pipeline.analysis.sections import Section, texts
from gm.pipeline.inputs import with_companions
from gm.pipeline.stages.reading import Reader, Unusable
from gm.units import UnitError, convert

if TYPE_CHECKING:  # most simulations do without makers and observations
    from gm.datasets import MapDataset, SpectrumDataset
    from gm.makers.planned import ResponseRecipe
    from gm.makers.safe_mask import SafeMaskMaker
    from gm.observations import Observation

INSTRUMENT_SETTINGS = ("area_scale", "resolution", "bias", "background_scale")
MAX_BINS = 10_000
TRUE_MARGIN = 3.0  # seven times a resolution of 15 % on each side
TRUE_PER_DECADE, TRUE_PER_DECADE_MAP = 20, 10
MAX_SIMULATED_PIXELS = 4_000_000
OF_A_REGION = ("region", "containment_correction", "use_region_center")
ON_OFF_TYPES = ("SpectrumDatasetOnOff", "MapDatasetOnOff")


def simulation_from_dict(data: Mapping[str, Any], directory: Path, report: Report) -> Simulation | None:
    """What a ``simulate:`` mapping, valid by its schema, asks for; None when a problem was reported.

    Paths inside are relative to ``directory``. ``report(path, message, hint)`` gets paths relative to the mapping.
    """
    problems: list[JsonPath] = []

    def note(path: JsonPath, message: str, hint: str = "") -> None:
        problems.append(path)
        report(path, message, hint)

    recipes = None
    if data.get("datasets") is not None:
        recipes = [_Entry(entry, ("datasets", i), directory, note).read() for i, entry in enumerate(data["datasets"])]
        _check_names(recipes, note)
    if problems:
        return None
    return Simulation(
        seed=int(data.get("seed", 0)),
        asimov=bool(data.get("asimov", False)),
        recipes=None if recipes is None else tuple(recipe for recipe in recipes if recipe is not None),
    )


def response_files(section: Section) -> Iterator[Path]:
    """The files whose responses a simulation takes, each once, those of on/off spectra with their companions."""
    responses = [recipe["response"] for recipe in section.data.get("datasets") or ()]
    names = [response["filename"] for response in responses if "filename" in response]
    for file in dict.fromkeys(section.directory / expand(name) for name in names):
        yield from with_companions(file)
    regions = [recipe.get("region") or {} for recipe in section.data.get("datasets") or ()]
    yield from (section.directory / expand(region["filename"]) for region in regions if "filename" in region)
    dl3 = [(section.directory / expand(it["irfs"]), it.get("id")) for it in responses if "irfs" in it]
    if not dl3:
        return
    from gm.observations.planned import planned_from

    yield from dict.fromkeys(file for irfs in dict.fromkeys(dl3) for file in planned_from(*irfs))


def expand_names(name: str, copies: int) -> tuple[str, ...]:
    """``run`` in 20 copies is run-01 ... run-20; one copy keeps its name."""
    if copies == 1:
        return (name,)
    return tuple(f"{name}-{i:0{len(str(copies))}d}" for i in range(1, copies + 1))


def _check_names(recipes: list[Recipe | None], note: Report) -> None:
    seen: dict[str, int] = {}
    for i, recipe in enumerate(recipes):
        for name in recipe.names if recipe else ():
            if seen.setdefault(name, i) != i:
                note(("datasets", i, "name"), f"a dataset called '{name}' is already there", "names must be unique")
                break


@dataclass(frozen=True)
class _Entry:
    """One entry of ``simulate.datasets`` while it is read."""

    data: Mapping[str, Any]
    path: JsonPath
    directory: Path
    note: Report

    def read(self) -> Recipe | None:
        response = self.data["response"]
        if isinstance(response, str):
            response = {"instrument": response}
        if "irfs" in response:
            return self._observed(response)
        self._refuse("only DL3 responses are taken at a region", *OF_A_REGION)
        self._refuse("only DL3 responses say what is safe", "safe_mask")
        if "pixel_irf" in self.data.get("geometry", {}):
            place = (*self.path, "geometry", "pixel_irf")
            self.note(place, "only DL3 responses have pixels of their own", "remove pixel_irf")
        return self._file(response) if "filename" in response else self._formula(response)

    @property
    def names(self) -> tuple[str, ...]:
        return expand_names(self.data["name"], self.data.get("copies", 1))

    def _formula(self, response: Mapping[str, Any]) -> FormulaRecipe | None:
        name = response["instrument"]
        if name not in INSTRUMENTS:
            inside = ("instrument",) if response is self.data["response"] else ()
            path = (*self.path, "response", *inside)
            self.note(path, f"'{name}' is not an instrument", suggest(name, INSTRUMENTS, "instruments"))
            return None
        instrument: Instrument = INSTRUMENTS[name](
            **{key: float(response[key]) for key in INSTRUMENT_SETTINGS if key in response}
        )
        is_map = self._is_map(instrument.dataset_type)
        if is_map and "geometry" in self.data and not isinstance(instrument, CherenkovArray):
            self.note((*self.path, "response"), "only the instrument 'iact' is known on maps", "")
        on_off = not is_map and self.data.get("type", instrument.dataset_type) == "SpectrumDatasetOnOff"
        self._refuse_acceptances(on_off)
        geometry = self._geometry() if is_map else None
        livetime = self._livetime() if "livetime" in self.data else instrument.livetime
        lo, hi, per_decade = instrument.energy_bounds
        energy = self._axis("energy", {"min": lo, "max": hi, "per_decade": per_decade})
        if livetime is None or energy is None or (is_map and geometry is None):
            return None
        energy_true = self._true_axis(energy, is_map)
        if energy_true is None:
            return None
        return FormulaRecipe(
            names=self.names,
            instrument=instrument,
            on_off=on_off,
            livetime=livetime,
            energy=energy,
            energy_true=energy_true,
            acceptance=float(self.data.get("acceptance", 1.0)),
            acceptance_off=float(self.data.get("acceptance_off", 10.0)),
            geometry=geometry,
        )

    def _is_map(self, usual: str) -> bool:
        """Whether the entry is for maps, which have a ``geometry``; ``usual``: the type of those that have none."""
        kind = self.data.get("type", "MapDataset" if "geometry" in self.data else usual)
        is_map = str(kind).startswith("Map")
        if is_map != ("geometry" in self.data):
            place, hint = ((), "add geometry") if is_map else (("geometry",), "type: MapDataset")
            self.note((*self.path, *place), f"a {kind} {'needs a' if is_map else 'has no'} geometry", hint)
        elif kind == "MapDatasetOnOff":
            self.note((*self.path, "type"), "maps with off counts are simulated like a file only", "type: MapDataset")
        return is_map

    def _geometry(self) -> WcsGeometry | None:
        """The pixels of ``geometry``; None, with the problem reported, when there can be none."""
        given, path = self.data.get("geometry"), (*self.path, "geometry")
        if given is None:
            return None
        sizes = [self._positive(size, "deg", place) for place, size in texts(given["width"], (*path, "width"))]
        step = self._positive(given["binsz"], "deg", (*path, "binsz"))
        known = [size for size in sizes if size is not None]
        if step is None or len(known) < len(sizes):
            return None
        if math.prod(max(size / step, 1.0) for size in (known[0], known[-1])) > MAX_SIMULATED_PIXELS:
            self.note(path, f"more than {MAX_SIMULATED_PIXELS} pixels", "a smaller width, or a larger binsz")
            return None
        lon, lat = given["center"]
        frame, projection = given.get("frame", "icrs"), given.get("projection", "CAR")
        try:
            if not abs(lat) <= 90.0:
                raise DataError(f"the latitude {lat:g} deg is no point of the sky")
            geometry = WcsGeometry.create(
                lon, lat, step, width=(known[0], known[-1]), frame=frame, projection=projection
            )
            geometry.center()
        except DataError as error:
            self.note(path, str(error), "")
            return None
        return geometry

    def _file(self, response: Mapping[str, Any]) -> FileRecipe | None:
        path = self.directory / expand(response["filename"])
        file_type = response.get("type", "SpectrumDatasetOnOff")
        kind = self.data.get("type", file_type)
        if kind.startswith("Map") != file_type.startswith("Map"):
            self.note(
                (*self.path, "type"), f"a {kind} cannot have the responses of a {file_type}", f"type: {file_type}"
            )
        on_off = kind in ON_OFF_TYPES
        self._refuse_acceptances(on_off)
        for key, what in (("energy", "energies"), ("energy_true", "energies"), ("geometry", "pixels")):
            if key in self.data:
                self.note((*self.path, key), f"the {what} are those of the response file", f"remove {key}")
        if not path.is_file():
            self.note((*self.path, "response", "filename"), f"no such file: {response['filename']}", "")
            return None
        livetime = self._livetime() if "livetime" in self.data else None
        return FileRecipe(
            names=self.names,
            path=path,
            file_type=file_type,
            on_off=on_off,
            livetime=livetime,
            acceptance=self.data.get("acceptance"),
            acceptance_off=self.data.get("acceptance_off"),
        )

    def _observed(self, response: Mapping[str, Any]) -> ResponseRecipe | None:
        """Spectra of a region and maps from DL3 responses."""
        from gm.makers.planned import ResponseRecipe

        is_map = self._is_map("SpectrumDataset")
        on_off = self.data.get("type") == "SpectrumDatasetOnOff"
        self._refuse_acceptances(on_off)
        if is_map:
            self._refuse("only spectra have a region", *OF_A_REGION)
        observation, target, safe_mask = self._planned(response), self._target(is_map), self._safe_mask()
        if observation is None or target is None or safe_mask is None:
            return None
        try:
            return ResponseRecipe(
                names=self.names,
                on_off=on_off,
                observation=observation,
                target=target,
                containment_correction=bool(self.data.get("containment_correction")),
                use_region_center=bool(self.data.get("use_region_center", True)),
                safe_mask=safe_mask,
                acceptance=float(self.data.get("acceptance", 1.0)),
                acceptance_off=float(self.data.get("acceptance_off", 10.0)),
            )
        except DataError as error:
            self._note_error(error, "response")
            return None

    def _planned(self, response: Mapping[str, Any]) -> Observation | None:
        from gm.observations.planned import planned

        path = self.directory / expand(response["irfs"])
        if not path.exists():
            self.note((*self.path, "response", "irfs"), f"no such file: {response['irfs']}", "")
        livetime = self._livetime() if "livetime" in self.data else None
        pointing = self._pointing(response["pointing"]) if "pointing" in response else None
        is_whole = ("livetime" not in self.data or livetime) and ("pointing" not in response or pointing)
        if not (is_whole and path.exists()):
            return None
        try:
            return planned(path, response.get("id"), pointing, livetime)
        except DataError as error:
            self._note_error(error, "response")
            return None

    def _safe_mask(self) -> tuple[SafeMaskMaker, ...] | None:
        """Makers in order, or None with the problem reported."""
        from gm.pipeline.stages.safe_masks import safe_mask_makers

        reader = Reader(lambda path, *told: self.note((*self.path, *path), *told), self.directory, self.data)
        with suppress(Unusable):
            return tuple(safe_mask_makers(reader))
        return None

    def _note_error(self, error: DataError, key: str) -> None:
        message, _, hint = str(error).partition("\n")
        self.note((*self.path, key), message, hint.strip())

    def _target(self, is_map: bool) -> SpectrumDataset | MapDataset | None:
        """The dataset without data that says which bins, and which region or pixels, are wanted."""
        from gm.makers.spectra import empty_spectrum
        from gm.makers.target import empty_map

        if "energy" not in self.data:
            self.note(self.path, "no energy", "energy: {min: 0.1 TeV, max: 100 TeV, per_decade: 8}")
        energy = self._axis("energy", {}) if "energy" in self.data else None
        energy_true = None if energy is None else self._true_axis(energy, is_map)
        geometry = self._geometry() if is_map else None
        region = None if is_map else self._region()
        if energy is None or energy_true is None:
            return None
        try:
            if geometry is not None:
                size = self._pixel_irf()
                return (
                    None
                    if size is None
                    else empty_map(self.data["name"], geometry, energy, energy_true, pixel_irf=size)
                )
            return None if region is None else empty_spectrum(self.data["name"], energy, energy_true, region)
        except DataError as error:
            self._note_error(error, "geometry" if is_map else "region")
            return None

    def _pixel_irf(self) -> float | None:
        """Side of the pixels of PSF and energy dispersion [deg]."""
        from gm.makers.target import PIXEL_IRF

        given = self.data["geometry"].get("pixel_irf")
        return PIXEL_IRF if given is None else self._positive(given, "deg", (*self.path, "geometry", "pixel_irf"))

    def _region(self) -> SkyRegion | None:
        given = self.data.get("region")
        if given is None:
            hint = "region: {type: circle, center: [83.63, 22.01], radius: 0.1 deg}, or geometry"
            self.note(self.path, "a spectrum of DL3 responses needs a region", hint)
            return None
        try:
            return SkyRegion.from_mapping(with_file(given), self.directory)
        except DataError as error:
            self._note_error(error, "region")
            return None

    def _pointing(self, given: Mapping[str, Any]) -> tuple[float, float] | None:
        """ICRS position [deg]."""
        lon, lat = map(float, given["center"])
        if not abs(lat) <= 90.0:
            self.note((*self.path, "response", "pointing"), f"the latitude {lat:g} deg is no point of the sky", "")
            return None
        lon, lat = map(float, rotate(lon, lat, given.get("frame", "icrs"), "icrs"))
        return lon, lat

    def _refuse_acceptances(self, on_off: bool) -> None:
        if not on_off:
            self._refuse("only On/Off datasets have acceptances", "acceptance", "acceptance_off")

    def _refuse(self, message: str, *keys: str) -> None:
        for key in keys:
            if key in self.data:
                self.note((*self.path, key), message, f"remove {key}")

    def _livetime(self) -> float | None:
        return self._positive(self.data["livetime"], "s", (*self.path, "livetime"))

    def _positive(self, quantity: object, unit: str, path: JsonPath) -> float | None:
        """A positive, finite number in a unit, or None with the problem reported."""
        try:
            value = convert(quantity, unit)
        except UnitError as error:
            self.note(path, str(error), "")
            return None
        if not (math.isfinite(value) and value > 0.0):
            self.note(path, f"{quantity} is not a positive number", "")
            return None
        return value

    def _axis(self, key: str, default: Mapping[str, Any]) -> EnergyAxis | None:
        """The axis of ``energy`` or ``energy_true``: bounds with a binning, or a list of edges."""
        given, path = self.data.get(key, default), (*self.path, key)
        if isinstance(given, Mapping):
            return self._regular_axis(key, {**default, **given}, path)
        edges = [self._positive(edge, "TeV", (*path, i)) for i, edge in enumerate(given)]
        known = [edge for edge in edges if edge is not None]
        if len(known) < len(edges):
            return None
        if len(known) < 2 or any(lo >= hi for lo, hi in pairwise(known)):
            self.note(path, "the energies do not increase", "two edges or more, each above the one before")
            return None
        return EnergyAxis(np.array(known), key)

    def _true_axis(self, energy: EnergyAxis, is_map: bool) -> EnergyAxis | None:
        """The axis of ``energy_true``, by default wider than the one of measured energy."""
        default = {
            "min": energy.edges[0] / TRUE_MARGIN,
            "max": energy.edges[-1] * TRUE_MARGIN,
            "per_decade": TRUE_PER_DECADE_MAP if is_map else TRUE_PER_DECADE,
        }
        return self._axis("energy_true", default)

    def _regular_axis(self, key: str, given: Mapping[str, Any], path: JsonPath) -> EnergyAxis | None:
        lo = self._positive(given["min"], "TeV", (*path, "min"))
        hi = self._positive(given["max"], "TeV", (*path, "max"))
        if lo is None or hi is None:
            return None
        if hi <= lo:
            self.note((*path, "max"), f"max ({hi:g} TeV) is not above min ({lo:g} TeV)", "")
            return None
        n_bins = given.get("n_bins")
        if (n_bins or given["per_decade"] * math.log10(hi / lo)) > MAX_BINS:
            self.note(path, f"more than {MAX_BINS} energy bins", "fewer bins per decade, or a shorter range")
            return None
        return EnergyAxis.from_bounds(lo, hi, n_bins, given.get("per_decade"), key)
