"""Responses that are maps of the sky (DL4): of detectors that see all of it, and of observations reduced before.

Values are linear in the pixel coordinates of all axes, to half a bin beyond their ends, and 0 outside, as Gammapy 2.1
interpolates maps (``Map.interp_to_geom``). Their units say what they are of: nothing of time (``m2 s``, counts), each
second (``m2``), or each transit, which is a sidereal day (``m2 s transit-1``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile
from gm.irf.edisp import migra_matrix
from gm.irf.edisp_map import EdispKernelMap, EdispMap, EdispMigraMap, edisp_from_map
from gm.irf.interpolation import interpolation_matrix, linear_weights
from gm.irf.observed import Observed, pixel_positions
from gm.irf.positions import ResponseGeometry, response_geometry
from gm.irf.psf import PsfMap
from gm.irf.tables.background import BackgroundTable
from gm.irf.tables.effective_area import EffectiveArea
from gm.irf.tables.energy_dispersion import EnergyDispersion
from gm.irf.tables.point_spread import PointSpreadResponse
from gm.maps.axes import Axis, EnergyAxis
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.units import UnitError, factor

SIDEREAL_DAY = 86164.0905
"""[s] A transit."""
_TRANSIT = re.compile(r"[*\s]*transit\s*(?:\^|\*\*)?\s*-\s*1|/\s*transit")


@final
@dataclass(frozen=True, eq=False)
class _SkyValues:
    """``data : (*axes, n_y, n_x)`` on the pixels of a geometry; on a region the same everywhere."""

    geometry: ResponseGeometry
    axes: tuple[Axis, ...]
    data: Array

    def at(self, lon: ArrayLike, lat: ArrayLike, *coordinates: Array) -> Array:
        """Values ``(*(n of each axis), *positions)`` at coordinates (n,) of the first axes and ICRS positions [deg]."""
        data = self.data
        for k, (axis, coordinate) in enumerate(zip(self.axes, coordinates, strict=False)):
            data = np.moveaxis(np.tensordot(_weights(axis, coordinate), data, axes=(1, k)), 0, k)
        grid, lon, lat = self.geometry.pixel_grid, np.asarray(lon), np.asarray(lat)
        if grid is None:
            return np.broadcast_to(data.reshape(*data.shape[:-2], *(1,) * lon.ndim), data.shape[:-2] + lon.shape)
        x, y = (np.asarray(at) for at in grid.position(lon, lat, "icrs"))
        n_y, n_x = grid.shape
        inside = grid.holds(x, y)
        row, up = _corner(np.where(inside, y, 0.0), n_y)
        column, right = _corner(np.where(inside, x, 0.0), n_x)
        above, beside = np.minimum(row + 1, n_y - 1), np.minimum(column + 1, n_x - 1)
        lower = data[..., row, column] * (1.0 - right) + data[..., row, beside] * right
        upper = data[..., above, column] * (1.0 - right) + data[..., above, beside] * right
        return np.where(inside, lower * (1.0 - up) + upper * up, 0.0)


def _weights(axis: Axis, coordinate: Array) -> Array:
    """``(n, n_bins)``: weights of the bins at coordinates, 0 beyond the edges of the axis."""
    at = axis.pixel(coordinate)
    inside = (at >= -0.5) & (at < axis.n_bins - 0.5)
    return np.asarray(interpolation_matrix(np.where(inside, at, 0.0), axis.n_bins) * inside[:, None])


def _corner(at: Array, size: int) -> tuple[Any, Array]:
    """Index below and weight of the one above; along a side of one pixel there is nothing to interpolate."""
    return (np.zeros(at.shape, dtype=np.intp), np.zeros(at.shape)) if size == 1 else linear_weights(at, size)


@dataclass(frozen=True)
class _Unit:
    """What a response counts by. scale : to gm's unit; period : [s] that it is of, 0 for all of the observation."""

    scale: float
    period: float

    @classmethod
    def of(cls, extension: Extension, unit: str, allowed: Mapping[str, float]) -> Self:
        """``allowed``: units -> their period. Raises `DataError`."""
        is_transit = _TRANSIT.search(unit) is not None
        text = _TRANSIT.sub(" ", unit).strip()
        known = {target: period for target, period in allowed.items() if not (is_transit and period)}
        for target, period in known.items():
            with suppress(UnitError):
                return cls(factor(text, target), SIDEREAL_DAY if is_transit else period)
        raise extension.fail(f"is in '{unit}'", f"allowed: {', '.join(allowed)}, without a time also 'transit-1'")

    def times(self, ontime: float) -> float:
        """Number of periods in a time [s]."""
        return ontime / self.period if self.period else 1.0


@final
@dataclass(frozen=True, eq=False)
class SkyExposure(EffectiveArea):
    """An exposure, or an effective area, over true energy and position."""

    values: _SkyValues
    unit: _Unit
    telescope: str = ""

    is_pointlike = False
    lo_thres = hi_thres = rad_max = None

    @classmethod
    def read(cls, file: FitsFile, extension: Extension) -> Self:
        """From a map with the axis ``energy_true``. Raises `DataError`."""
        values, unit = _read_values(file, extension, "energy_true")
        counted = _Unit.of(extension, unit, {"cm2 s": 0.0, "cm2": 1.0})
        return cls(values, counted, extension.header.text("TELESCOP"))

    @property
    def energy_true(self) -> Axis:
        return self.values.axes[0]

    def exposure(self, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        return self.values.at(lon, lat, energy_true) * (self.unit.scale * self.unit.times(seen.ontime()))


@final
@dataclass(frozen=True, eq=False)
class SkyBackground(BackgroundTable):
    """Counts, or rates per energy and solid angle, over reconstructed energy and position.

    is_counts : values are those of whole bins and pixels, of which the density on the sky is interpolated
    """

    values: _SkyValues
    unit: _Unit
    is_counts: bool
    alignment: str = "SKY"

    @classmethod
    def read(cls, file: FitsFile, extension: Extension) -> Self:
        """From a map with the axis ``energy``: of counts, or in TeV-1 sr-1. Raises `DataError`."""
        values, unit = _read_values(file, extension, "energy")
        grid = values.geometry.pixel_grid
        if unit.strip() and not _TRANSIT.fullmatch(unit.strip()):
            counted = _Unit.of(extension, unit, {"TeV-1 sr-1": 0.0, "TeV-1 sr-1 s-1": 1.0})
            return cls(values, counted, is_counts=False)
        if grid is None:
            extension.fail("counts on a region, expected an image of pixels")
        density = values.data / grid.solid_angle()
        return cls(replace(values, data=density), _Unit.of(extension, unit, {"": 0.0}), is_counts=True)

    @property
    def energy(self) -> Axis:
        return self.values.axes[0]

    def rate(self, energy: ArrayLike, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        """Values per period at energies (n,) [TeV] and ICRS positions [deg]."""
        return self.values.at(fov_lon, fov_lat, np.atleast_1d(energy)) * self.unit.scale

    def integral(self, energy: EnergyAxis, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        """Counts per period and solid angle [sr-1] in the bins of an axis, at ICRS positions [deg].

        Values at the middle of a bin times its width. Raises `DataError` for other bins than those of counts.
        """
        rate = self.rate(energy.center, fov_lon, fov_lat)
        if self.is_counts:
            check_bins("background", self.energy, energy)
            return rate
        return np.asarray(rate * energy.width.reshape(-1, *(1,) * (rate.ndim - 1)))

    def total_rate(self) -> Array:
        grid = self.values.geometry.pixel_grid
        total = np.tensordot(self.values.data, np.ones((1, 1)) if grid is None else grid.solid_angle())
        return np.asarray(total / self.energy.width if self.is_counts else total)

    def periods(self, ontime: float) -> float:
        return self.unit.times(ontime)


@final
@dataclass(frozen=True, eq=False)
class SkyPointSpread(PointSpreadResponse):
    """A PSF over true or reconstructed energy and position. Its distances stay those of its own axis."""

    psf: PsfMap

    @classmethod
    def read(cls, file: FitsFile, extension: Extension) -> Self:
        """From a map with the axes energy_true (or energy) and rad. Raises `DataError`."""
        return cls(_checked(extension, lambda: PsfMap.from_map(*_with_exposure(file, extension))))

    def on_map(self, target: PsfMap, energy: EnergyAxis, seen: Observed) -> PsfMap:
        own, axis = self.psf, replace(energy, name="energy") if self.psf.is_reco else target.energy
        lon, lat = pixel_positions(target.geometry)
        data = _SkyValues(own.geometry, own.axes, own.data).at(lon, lat, axis.center)
        exposure = _exposure(own, lon, lat, axis.center)
        return PsfMap(target.geometry, axis, own.rad, data.astype(np.float32, order="C"), exposure)

    def contained(self, radius: float, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        if self.psf.is_reco:
            raise DataError("a PSF of reconstructed energy corrects no exposure\n    containment_correction: false")
        return self.psf.containment(radius, energy_true, float(lon), float(lat), "icrs")


@final
@dataclass(frozen=True, eq=False)
class SkyDispersion(EnergyDispersion):
    """Probabilities of the bins of reconstructed energy, or densities in migra, over true energy and position."""

    edisp: EdispMap

    @classmethod
    def read(cls, file: FitsFile, extension: Extension) -> Self:
        """From a map with the axes energy_true, and energy or migra. Raises `DataError`."""
        return cls(_checked(extension, lambda: edisp_from_map(*_with_exposure(file, extension))))

    @property
    def energy_true(self) -> Axis:
        return self.edisp.energy_true

    def on_map(self, target: EdispMap, seen: Observed) -> EdispMap:
        """Densities stay those of the response's own migra axis. Raises `DataError` for other bins than its own."""
        own, true = self.edisp, target.energy_true
        if isinstance(own, EdispKernelMap) and isinstance(target, EdispKernelMap):
            check_bins("energy dispersion", own.energy, target.energy)
        lon, lat = pixel_positions(target.geometry)
        data = _SkyValues(own.geometry, own.axes, own.data).at(lon, lat, true.center).astype(np.float32, order="C")
        exposure = _exposure(own, lon, lat, true.center)
        if isinstance(own, EdispMigraMap):
            return EdispMigraMap(target.geometry, true, own.migra, data, exposure)
        return EdispKernelMap(target.geometry, true, getattr(target, "energy", own.energy), data, exposure)

    def matrix(self, energy_true: EnergyAxis, energy: EnergyAxis, lon: Array, lat: Array, seen: Observed) -> Array:
        own = self.edisp
        values = _SkyValues(own.geometry, own.axes, own.data).at(lon, lat, energy_true.center)
        if isinstance(own, EdispMigraMap):
            return migra_matrix(values, own.migra.edges, energy_true, energy, own.migra.interp)
        check_bins("energy dispersion", own.energy, energy)
        return values


SKY_KINDS: Mapping[str, Callable[[FitsFile, Extension], Any]] = {
    "aeff_map": SkyExposure.read,
    "bkg_map": SkyBackground.read,
    "psf_map": SkyPointSpread.read,
    "psf_map_reco": SkyPointSpread.read,
    "edisp_map": SkyDispersion.read,
    "edisp_kernel_map": SkyDispersion.read,
}
"""HDU class of the index -> what it holds; a ``map`` is ``aeff_map`` or ``bkg_map``, by its type."""


def check_bins(what: str, own: Axis, asked: EnergyAxis) -> None:
    """Raise `DataError` unless a response of whole bins has those that are asked for, to 1e-6."""
    if own.n_bins == asked.n_bins and np.allclose(own.edges, asked.edges, rtol=1e-6, atol=0.0):
        return
    edges = ", ".join(f"{edge:.6g} TeV" for edge in own.edges)
    raise DataError(
        f"the {what} is one of {own.n_bins} bins of energy, and no others can be had\n    energy: [{edges}]"
    )


def _read_values(file: FitsFile, extension: Extension, axis: str) -> tuple[_SkyValues, str]:
    held = read_map(file, extension.name)
    if len(held.axes) != 1 or not held.axis_names[0].startswith("energy"):
        extension.fail(f"axes {', '.join(held.axis_names) or 'none'}, expected {axis} alone")
    bad = int((~np.isfinite(held.data)).sum())
    if bad:
        extension.fail(f"{bad} of {held.data.size} values are not finite", "0 where nothing is known")
    geometry = _checked(extension, lambda: response_geometry(held, "the response"))
    values = np.maximum(held.data, 0.0, dtype=np.float64)  # below are the rounding of their maker
    return _SkyValues(geometry, held.axes, values), held.unit


def _with_exposure(file: FitsFile, extension: Extension) -> tuple[Map, Map | None]:
    """A response and its exposure, ``<name>_EXPOSURE``, where the file has one."""
    name = f"{extension.name}_EXPOSURE"
    return read_map(file, extension.name), read_map(file, name) if file.find(name) is not None else None


def _checked(extension: Extension, build: Callable[[], Any]) -> Any:
    """What is built, with the place in front of what is wrong with it."""
    try:
        return build()
    except DataError as error:
        message, _, hint = str(error).partition("\n")
        extension.fail(message, hint.strip())


def _exposure(own: PsfMap | EdispMap, lon: Array, lat: Array, energy: Array) -> Any:
    if own.exposure is None:
        return None
    values = _SkyValues(own.geometry, own.axes[:1], own.exposure).at(lon, lat, energy)
    return values.astype(np.float32, order="C")


def sky_kind(extension: Extension) -> tuple[str, str] | None:
    """HDU type and class of a response in a file of a map dataset, by its name; None for anything else."""
    return _NAMES.get(extension.name) if "WCSSHAPE" in extension.header else None


_NAMES = {
    "EXPOSURE": ("aeff", "aeff_map"),
    "BACKGROUND": ("bkg", "bkg_map"),
    "PSF": ("psf", "psf_map"),
    "EDISP": ("edisp", "edisp_map"),
}
