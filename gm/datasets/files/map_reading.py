"""Map datasets read from GADF files, as Gammapy writes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, final

import numpy as np

from gm.arrays import BoolArray, MapArray
from gm.datasets.counts import CountsDataset
from gm.datasets.deferred import Deferred
from gm.datasets.files.gadf_spectrum import read_gadf
from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import MASKS, ON_OFF, MapDataset, MapDatasetOnOff, check_axis, check_parts
from gm.datasets.spectrum import Spectrum, SpectrumDataset
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile, read_fits
from gm.io.gadf import require_tables
from gm.io.tables import Table
from gm.irf.edisp_map import EdispMap, edisp_from_map
from gm.irf.psf import PsfMap
from gm.maps.axes import Axis, EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import converted, read_geometry, read_livetime, read_map
from gm.units import UnitError

T = TypeVar("T")


def read_map_dataset(file: FitsFile, kind: str, name: str, lazy: bool | None = None) -> CountsDataset:
    """The dataset in an opened file. Raises `DataError`.

    lazy : whether arrays are read when one of them is first used. Default: unless the file is compressed, since opening
    such a file is most of the work.

    A dataset of one region without a PSF is read as the spectrum dataset that it is.
    """
    on_off = kind == MapDatasetOnOff.type
    needed = ("counts", *(ON_OFF if on_off else ()), "exposure")
    require_tables(file, tuple(part.upper() for part in needed), f"a {kind}")
    counts = file.get("COUNTS")
    if counts.is_table and counts.header.text("PIXTYPE") != "HEALPIX" and counts.find("DATA") is not None:
        return _read_region(file, counts, kind, name)
    contents = MapFile(file, needed if on_off else (*needed, "background"))
    if lazy is None:
        lazy = not counts.content.is_compressed
    if not lazy:
        contents.read(file)
    fields: dict[str, Any] = {field: Deferred(contents, field) for field in contents.fields}
    dataset_type = MapDatasetOnOff if on_off else MapDataset
    return dataset_type(
        name=name,
        geometry=contents.geometry,
        energy=contents.energy,
        energy_true=contents.energy_true,
        livetime=read_livetime(file.get("EXPOSURE")),
        **fields,
    )


def _read_region(file: FitsFile, counts: Extension, kind: str, name: str) -> Spectrum:
    if kind != MapDataset.type or any(file.find(other) is not None for other in ("PSF", "COUNTS_OFF")):
        counts.fail(
            f"holds the counts of a region, with a PSF or off counts, expected those of a map for a {kind}",
            "make it a SpectrumDataset or SpectrumDatasetOnOff, with the containment of the PSF in its exposure",
        )
    return read_gadf(file, SpectrumDataset.type, name)


@final
class MapFile:
    """The arrays of a dataset's file: all read when one is first used, and kept until released."""

    def __init__(self, file: FitsFile, arrays: tuple[str, ...]) -> None:
        self.path, self._state = file.path, file.content.state
        self.geometry, self.energy = _grid(file, "COUNTS", "energy")
        _, self.energy_true = _grid(file, "EXPOSURE", "energy_true")
        self._arrays = arrays
        self._parts: dict[str, Any] | None = None
        self._lock = threading.Lock()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a dataset that are read here."""
        return (*self._arrays, *MASKS, "psf", "edisp", "gti", "meta", "finer")

    def __getstate__(self) -> dict[str, Any]:
        """Without arrays: whoever gets a copy reads them from the file, as long as it is the same."""
        return {**self.__dict__, "_parts": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def load(self, name: str) -> Any:
        with self._lock:
            return (self._parts or self.read(self._opened_again()))[name]

    def _opened_again(self) -> FitsFile:
        """The file that the grids were read from."""
        file = read_fits(self.path)
        if file.content.state != self._state:
            file.content.fail_changed()
        return file

    def release(self) -> None:
        self._parts = None

    def read(self, file: FitsFile) -> dict[str, Any]:
        """Read everything from the opened file. Raises `DataError`."""
        try:
            parts = self._read_parts(file)
            file.check_unchanged()
            return parts
        except DataError as error:
            raise error if str(self.path) in str(error) else DataError(f"{self.path}: {error}") from error

    def _read_parts(self, file: FitsFile) -> dict[str, Any]:
        parts: dict[str, Any] = {name: self._array(file, name) for name in self._arrays}
        parts |= {name: self._mask(file, name) for name in MASKS}
        parts |= {"psf": _read_psf(file, "PSF"), "edisp": _read_edisp(file, "EDISP"), "finer": self._finer(file)}
        parts |= {"gti": _read_table(file, "GTI"), "meta": _read_table(file, "META_TABLE")}
        parts |= check_parts(_hdu, self.energy, self.energy_true, self.geometry.shape, parts)
        self._parts = parts
        return parts

    def _finer(self, file: FitsFile) -> FinerBins | None:
        extension = file.find("FINER_BINS")
        if extension is None:
            return None
        places = extension.table()
        mask, exposure = read_map(file, "FINER_MASK"), read_map(file, "FINER_EXPOSURE")
        if mask.geometry.pixel_grid is None:
            extension.fail("FINER_MASK is not a map of pixels")
        finer = FinerBins(
            geometry=mask.geometry.pixel_grid,
            energy=_energy_axis(extension, mask.axes, "energy"),
            exposure=converted(exposure.data, exposure.unit, "cm2 s", "HDU FINER_EXPOSURE"),
            psf=_read_psf(file, "FINER_PSF"),
            edisp=_read_edisp(file, "FINER_EDISP"),
            mask=mask.data != 0,
            **{name: np.ravel(places.array(name)).astype(np.intp) for name in ("to_energy", "to_y", "to_x")},
        )
        problem = finer.misfit((self.energy.n_bins, *self.geometry.shape), self.energy_true.n_bins)
        if problem:
            extension.fail(problem, "write the dataset again with gm apply")
        return finer

    def _array(self, file: FitsFile, name: str) -> MapArray | None:
        """Counts, exposure and the like in their unit; integers become floats that hold them."""
        held = self._read(file, name)
        if held is None:
            return None
        values = held.data.astype(np.promote_types(held.data.dtype, np.float32), copy=False)
        return converted(values, held.unit, "cm2 s" if name == "exposure" else "", _hdu(name))

    def _mask(self, file: FitsFile, name: str) -> BoolArray | None:
        held = self._read(file, name)
        return None if held is None else held.data != 0

    def _read(self, file: FitsFile, name: str) -> Map | None:
        """A map on the dataset's pixels and energies, None when the file has none."""
        extension = file.find(name)
        if extension is None:
            return None
        held = read_map(file, name.upper())
        grid = held.geometry.pixel_grid
        if grid is None or not grid.same_as(self.geometry):
            extension.fail("is not on the pixels of COUNTS", "all maps of a dataset but its responses share one grid")
        if name != "exposure":
            axis = _energy_axis(extension, held.axes, "energy")
            check_axis(f"{_hdu(name)}: the energies", axis, self.energy, "COUNTS")
        return held


def _hdu(field: str) -> str:
    return f"HDU {field.upper()}"


def _grid(file: FitsFile, name: str, axis: str) -> tuple[WcsGeometry, EnergyAxis]:
    """Pixels and energies of counts or exposure; an exposure axis called ``energy`` is taken for the true energy."""
    extension = file.get(name)
    geometry, axes = read_geometry(file, name)
    if geometry.pixel_grid is None:
        extension.fail("is not a map of pixels", "the counts of a region belong to a SpectrumDataset")
    return geometry.pixel_grid, _energy_axis(extension, axes, axis)


def _energy_axis(extension: Extension, axes: tuple[Axis, ...], name: str) -> EnergyAxis:
    if len(axes) != 1 or not axes[0].name.startswith("energy"):
        extension.fail(f"axes {', '.join(axis.name for axis in axes) or 'none'}, expected {name} alone")
    return EnergyAxis(axes[0].edges, name, None if axes[0].has_edges else axes[0].center, axes[0].interp)


def _read_psf(file: FitsFile, name: str) -> PsfMap | None:
    return _read_response(file, name, PsfMap.from_map)


def _read_edisp(file: FitsFile, name: str) -> EdispMap | None:
    return _read_response(file, name, edisp_from_map)


def _read_response(file: FitsFile, name: str, build: Callable[[Map, Map | None], T]) -> T | None:
    """A response map with its exposure, None when the file has none."""
    if file.find(name) is None:
        return None
    exposure = read_map(file, f"{name}_EXPOSURE") if file.find(f"{name}_EXPOSURE") is not None else None
    try:
        return build(read_map(file, name), exposure)
    except (DataError, UnitError) as error:
        raise DataError(f"{file.path}: HDU {name}: {error}") from error


def _read_table(file: FitsFile, name: str) -> Table | None:
    extension = file.find(name)
    return None if extension is None else extension.table()
