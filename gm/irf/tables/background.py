"""Background tables: ``BKG_2D`` and ``BKG_3D``, rates per reconstructed energy and solid angle in the field of view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension
from gm.irf.tables.grid import Grid
from gm.irf.tables.reading import check_finite, known_factor, read_axes, row
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.sphere import separation

_UNIT = "s-1 TeV-1 sr-1"
_USUAL = "s-1 MeV-1 sr-1"
_NOTHING = 2.0 * np.finfo(np.float64).tiny
_LARGEST = 600.0  # ln of a rate: beyond are only extrapolations far outside of the table
ALIGNMENTS = ("RADEC", "ALTAZ", "REVERSE_LON_RADEC")


class BackgroundTable(ABC):
    """Rates over reconstructed energy and position in the field of view.

    alignment : along what ``fov_lat`` increases: declination (``RADEC``) or altitude (``ALTAZ``); ``fov_lon`` is
    positive towards decreasing right ascension or azimuth, with ``REVERSE_LON_RADEC`` towards increasing; or ``SKY``:
    both are positions on the sky
    """

    alignment: str

    @property
    @abstractmethod
    def energy(self) -> Axis:
        """Reconstructed energies [TeV]."""

    @abstractmethod
    def rate(self, energy: ArrayLike, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        """Rate [s-1 TeV-1 sr-1] at energies [TeV] and field-of-view coordinates [deg], broadcast; 0 outside."""

    @abstractmethod
    def integral(self, energy: EnergyAxis, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        """Rate in the bins of an axis, ``(n_energy, *broadcast)`` [s-1 sr-1]: power laws between the edges of each bin.

        Source: Gammapy 2.1, ``integrate_project_irf_on_geom``.
        """

    @abstractmethod
    def total_rate(self) -> Array:
        """Rate (n_energy,) per energy of the whole field of view, in any unit."""

    def periods(self, ontime: float) -> float:
        """How often what `integral` says is counted in a good time [s]: each second."""
        return ontime


def power_law_integrals(x: Array, logs: Array) -> Array:
    r"""Integrals ``(n - 1, ...)`` over steps along the first axis of power laws through ``(x, y)``; ``logs``: ln y.

    .. math:: \int = \frac{y_0 x_0}{b + 1} \Big[\Big(\frac{x_1}{x_0}\Big)^{b+1} - 1\Big],\quad
        b = \frac{\ln y_1/y_0}{\ln x_1/x_0}
    """
    step = np.log(x[1:] / x[:-1])
    grown = np.diff(logs, axis=0)
    grown += step
    areas = np.expm1(grown)
    with np.errstate(invalid="ignore"):
        areas /= grown
    np.copyto(areas, 1.0, where=np.abs(grown) < 1e-12)
    areas *= np.exp(logs[:-1])
    areas *= x[:-1] * step
    return np.asarray(areas)


@dataclass(frozen=True, eq=False)
class _LogRates:
    """Rates of which the logarithm is linear between nodes; cells without one count as the smallest number.

    grid : ln of the rate in the unit of the file; scale : that unit in s-1 TeV-1 sr-1
    """

    grid: Grid
    scale: float

    def at(self, *coordinates: ArrayLike) -> Array:
        values = self.grid.at(*coordinates)
        np.minimum(values, _LARGEST, out=values)
        nothing = ~(np.exp(values, out=values) > _NOTHING)
        values *= self.scale
        np.copyto(values, 0.0, where=nothing)
        self.grid.clear_outside(values, coordinates)
        return values

    def integral(self, energy: EnergyAxis, *field: ArrayLike) -> Array:
        """``(n_energy, *broadcast)`` [s-1 sr-1] in bins of energy; 0 where there is no rate at one of their edges."""
        edges = energy.edges.reshape(-1, *(1,) * max(np.ndim(coordinate) for coordinate in field))
        logs = self.grid.at(edges, *field)
        np.minimum(logs, _LARGEST, out=logs)
        nothing = logs <= np.log(_NOTHING)
        for axis, coordinate in enumerate((edges, *field)):
            nothing |= self.grid.outside(axis, coordinate)
        areas = power_law_integrals(edges, logs)
        areas *= self.scale
        np.copyto(areas, 0.0, where=nothing[:-1] | nothing[1:])
        return areas


@final
@dataclass(frozen=True, eq=False)
class Background2D(BackgroundTable):
    """Rates over energy and offset, constant from the middle of the first offset bin to the centre, and at the rim.

    rates : (energy [TeV], offset [deg])
    """

    rates: _LogRates
    alignment: str = "RADEC"

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        energy, offset = read_axes(extension, ("energy", "offset"))
        values, scale, floor = _read_rates(extension)
        logs = _logs(extension, _shaped(extension, values, (offset, energy)).T, (energy, offset), floor)
        grid = Grid((energy, _padded(offset)), np.pad(logs, ((0, 0), (1, 1)), "edge"))
        return cls(_LogRates(grid, scale), _alignment(extension))

    @property
    def energy(self) -> Axis:
        return self.rates.grid.axes[0]

    def rate(self, energy: ArrayLike, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        return self.rates.at(energy, separation(0.0, 0.0, fov_lon, fov_lat))

    def integral(self, energy: EnergyAxis, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        return self.rates.integral(energy, separation(0.0, 0.0, fov_lon, fov_lat))

    def total_rate(self) -> Array:
        offset = self.rates.grid.axes[1]
        rates = self.rates.at(self.energy.center[:, None], offset.center[1:-1])
        return np.asarray(rates @ (offset.center * offset.width)[1:-1])


@final
@dataclass(frozen=True, eq=False)
class Background3D(BackgroundTable):
    """Rates over energy and both field-of-view coordinates. rates : (energy [TeV], fov_lat [deg], fov_lon [deg])."""

    rates: _LogRates
    alignment: str = "RADEC"

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`. The order of the axes in the file is that of `_order`."""
        axes = read_axes(extension, ("energy", "fov_lat", "fov_lon"))
        values, scale, floor = _read_rates(extension)
        order = _order(extension, values.shape, axes)
        values = values.transpose(*(order.index(axis.name) for axis in axes))
        logs = _logs(extension, values, axes, floor)
        return cls(_LogRates(Grid(axes, logs), scale), _alignment(extension))

    @property
    def energy(self) -> Axis:
        return self.rates.grid.axes[0]

    def rate(self, energy: ArrayLike, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        return self.rates.at(energy, fov_lat, self._sign * np.asarray(fov_lon))

    def integral(self, energy: EnergyAxis, fov_lon: ArrayLike, fov_lat: ArrayLike) -> Array:
        return self.rates.integral(energy, fov_lat, self._sign * np.asarray(fov_lon))

    @property
    def _sign(self) -> float:
        """Of the table's longitudes, seen from Gammapy's coordinates."""
        return -1.0 if self.alignment == "REVERSE_LON_RADEC" else 1.0

    def total_rate(self) -> Array:
        """Of rings with the rates of half the middle row. Source: Gammapy 2.1, ``Background3D.to_2d``."""
        _, lat, lon = self.rates.grid.axes
        row, first = (int(np.searchsorted(axis.edges, 0.0, side="right")) - 1 for axis in (lat, lon))
        rates = self.rates.at(self.energy.center[:, None], lat.center[row], lon.center[first:])
        return np.asarray(rates @ (lon.center * lon.width)[first:])

    def of_hess_dl3_dr1(self) -> Background3D:
        """What the files of H.E.S.S. DL3-DR1 mean, which say neither the order of their axes nor their directions.

        They hold [energy, lon, lat] with longitudes towards increasing right ascension. The events of its 23 runs,
        without those near the sources, tell: of all eight ways to turn the table this is the likeliest, the next is
        2 ln L = 260 below. It is how Gammapy 2.1 reads them.
        """
        grid = self.rates.grid
        energy, lat, lon = grid.axes
        if lat.n_bins != lon.n_bins:
            return replace(self, alignment="REVERSE_LON_RADEC")
        turned = replace(self.rates, grid=Grid((energy, lat, lon), grid.values.transpose(0, 2, 1)))
        return replace(self, rates=turned, alignment="REVERSE_LON_RADEC")


_PREFIXES = {"ENERG": "energy", "DETX": "fov_lon", "DETY": "fov_lat"}
_ORDERS = (
    ("fov_lat", "fov_lon", "energy"),
    ("energy", "fov_lat", "fov_lon"),
    ("energy", "fov_lon", "fov_lat"),
    ("fov_lon", "fov_lat", "energy"),
)


def _order(extension: Extension, shape: tuple[int, ...], axes: tuple[Axis, ...]) -> tuple[str, ...]:
    """Names of the axes of a cell, slowest first.

    The card ``CREFn`` says it. Without one: that recommended by GADF (energy is fastest, then DETX), then that of the
    files that have energy last (DETX is fastest), whichever comes first and fits the sizes of the axes.
    """
    sizes = {axis.name: axis.n_bins for axis in axes}
    said = _said_order(extension)
    fitting = [order for order in ((said,) if said else _ORDERS) if tuple(sizes[name] for name in order) == shape]
    if not fitting:
        names = ", ".join(f"{name} {size}" for name, size in sizes.items())
        extension.fail(f"background of shape {shape}, slowest axis first, does not fit the axes {names}")
    return fitting[0]


def _said_order(extension: Extension) -> tuple[str, ...] | None:
    number = extension.columns[str(extension.find("BKG") or extension.find("BGD"))].number
    text = extension.header.text(f"CREF{number}").strip("() ")
    parts = [part.split(":")[0].strip().removesuffix("_LO") for part in text.split(",")]
    names = tuple(_PREFIXES[part] for part in reversed(parts) if part in _PREFIXES)
    return names if len(names) == len(_PREFIXES) else None


def _read_rates(extension: Extension) -> tuple[Array, float, float]:
    """Cell, factor to s-1 TeV-1 sr-1 (no unit: per MeV), and ln of the smallest number of the stored type."""
    column = next((name for name in ("BKG", "BGD") if extension.find(name)), None)
    if column is None:
        extension.fail("no column BKG (or BGD)", f"found: {', '.join(extension.columns)}")
    scale = known_factor(extension, column, _UNIT, _USUAL)
    values = extension.column(column)
    smallest = np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).tiny
    return row(extension, column, None), scale, float(np.log(smallest))


def _shaped(extension: Extension, values: Array, axes: tuple[Axis, ...]) -> Array:
    shape = tuple(axis.n_bins for axis in axes)
    if values.shape != shape:
        names = " x ".join(f"{axis.name} {axis.n_bins}" for axis in axes)
        extension.fail(f"background of shape {values.shape}, expected {shape}: {names}")
    return values


def _logs(extension: Extension, values: Array, axes: tuple[Axis, ...], floor: float) -> Array:
    """Logarithms of rates over energy first; cells without one are filled where there are others on both sides of them.

    Linear over the number of the bin. Source: Gammapy 2.1, ``IRF.interp_missing_data``. Raises `DataError` for NaN
    that cannot be filled.
    """
    missing = ~np.isfinite(values) | (values <= 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(missing, floor, np.log(values))
    n, index = len(values), np.arange(len(values)).reshape(-1, *(1,) * (values.ndim - 1))
    before = np.maximum.accumulate(np.where(missing, -1, index), axis=0)
    after = np.minimum.accumulate(np.where(missing, n, index)[::-1], axis=0)[::-1]
    between = missing & (before >= 0) & (after < n)
    low, high = (np.take_along_axis(logs, np.clip(at, 0, n - 1), axis=0) for at in (before, after))
    filled = low + (high - low) * (index - before) / np.maximum(after - before, 1)
    check_finite(extension, "BKG", np.where(between, 0.0, values), axes)
    return np.where(between, filled, logs)


def _padded(offset: Axis) -> NodeAxis:
    """One bin more on each side, as wide as its neighbour."""
    first, last = offset.width[[0, -1]]
    edges = np.concatenate([[offset.edges[0] - first], offset.edges, [offset.edges[-1] + last]])
    return NodeAxis.from_edges("offset", edges, "deg")


def _alignment(extension: Extension) -> str:
    text = extension.header.text("FOVALIGN", "RADEC").upper()
    if text not in ALIGNMENTS:
        raise DataError(f"{extension.path}: HDU {extension.name}: FOVALIGN is {text!r}\n    allowed: RADEC, ALTAZ")
    return text
