"""Point spread tables: ``PSF_TABLE``, ``PSF_3GAUSS`` and ``PSF_KING``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.io.fits import Extension
from gm.irf.observed import Observed, pixel_positions
from gm.irf.psf import PsfMap
from gm.irf.tables.grid import Grid, normalised
from gm.irf.tables.reading import read_axes, read_cell
from gm.irf.totals import check_contained, short_total, strange_total
from gm.maps.axes import Axis, EnergyAxis, NodeAxis

_SR = np.radians(1.0) ** 2  # of a square degree


class PointSpreadResponse(ABC):
    """Probability per solid angle of a photon's distance from where it came from."""

    def strange_total(self) -> float | None:
        """What a table adds up to, at most, where that is far from 1; None for formulas, which have 1."""
        return None

    def short_total(self, low: float, high: float) -> float | None:
        """What a table adds up to, at least, between two true energies [TeV], where it ends early at some of them or at
        some offsets; None for formulas, and for what tells so itself, on a map."""
        return None

    @abstractmethod
    def on_map(self, target: PsfMap, energy: EnergyAxis, seen: Observed) -> PsfMap:
        """The PSF of an observation at the pixels of ``target``, whose values do not matter.

        energy : the bins of a PSF that is one of reconstructed energy. The map has an exposure where the response says
        one itself.
        """

    @abstractmethod
    def contained(self, radius: float, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        """The part of the PSF within ``radius`` [deg] at energies (n,) [TeV] and one ICRS position [deg]."""


class PointSpreadTable(PointSpreadResponse):
    """A PSF over true energy and offset from the pointing."""

    @property
    @abstractmethod
    def offset(self) -> Axis:
        """Offsets from the pointing [deg]."""

    @property
    @abstractmethod
    def energy_true(self) -> Axis:
        """True energies [TeV]."""

    @abstractmethod
    def evaluate(self, rad: ArrayLike, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        """Density [sr-1] at distances [deg], true energies [TeV] and offsets [deg], broadcast."""

    @abstractmethod
    def containment(self, rad: float, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        """The part of the PSF within ``rad`` [deg], broadcast over energies [TeV] and offsets [deg]."""

    def on_map(self, target: PsfMap, energy: EnergyAxis, seen: Observed) -> PsfMap:
        """With integral 1, or 0 where the table has none."""
        offset = seen.offsets(*pixel_positions(target.geometry))
        values = self.evaluate(target.rad.center[:, None, None], target.energy.center[:, None, None, None], offset)
        ring = 2.0 * np.pi * np.radians(target.rad.center) * np.radians(target.rad.width)
        return replace(target, data=normalised(values, ring).astype(np.float32, order="C"), exposure=None)

    def contained(self, radius: float, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        return self.containment(radius, energy_true, float(seen.offsets(lon, lat)))


@final
@dataclass(frozen=True, eq=False)
class PSF3D(PointSpreadTable):
    """A table. grid : (rad [deg], offset [deg], energy_true [TeV]) -> sr-1."""

    grid: Grid

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        axes = read_axes(extension, ("rad", "offset", "energy_true"))
        return cls(Grid(axes, read_cell(extension, "RPSF", axes, "sr-1")))

    @property
    def rad(self) -> Axis:
        return self.grid.axes[0]

    @property
    def offset(self) -> Axis:
        return self.grid.axes[1]

    @property
    def energy_true(self) -> Axis:
        return self.grid.axes[2]

    def evaluate(self, rad: ArrayLike, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        return self.grid.masked(rad, offset, energy_true)

    def strange_total(self) -> float | None:
        return strange_total(self._totals())

    def short_total(self, low: float, high: float) -> float | None:
        energies = (self.energy_true.center >= low) & (self.energy_true.center <= high)
        return short_total(self._totals()[:, energies])

    def _totals(self) -> Array:
        """(n_offset, n_energy)."""
        return np.asarray(np.einsum("roe,r->oe", np.maximum(self.grid.values, 0.0), self._ring()))

    def _ring(self) -> Array:
        """Solid angles (n_rad,) [sr] around the centres of rad."""
        return np.asarray(2.0 * np.pi * self.rad.center * self.rad.width * _SR)

    def containment(self, rad: float, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        """Sums over the rings of the table up to their outer edges, linear between these, constant beyond the last.

        The density is not normalised: a table with integral 0.99 contains 0.99. Source: Gammapy 2.1,
        ``PSF.containment``, which gives 0 beyond the last edge. Raises `DataError` where it adds up to more than 1.
        """
        check_contained(self.strange_total())
        axis, ring = self.rad, self._ring().reshape(-1, 1, 1)
        upper = NodeAxis.from_nodes("rad", axis.hi, "deg") if axis.n_bins > 1 else axis
        within = Grid((upper, *self.grid.axes[1:]), np.cumsum(self.grid.values * ring, axis=0))
        return within.masked(min(rad, float(axis.hi[-1])), offset, energy_true)


@final
@dataclass(frozen=True, eq=False)
class EnergyDependentMultiGaussPSF(PointSpreadTable):
    r"""Three Gaussians.

    .. math:: P(r) = \sum_i \frac{w_i}{2\pi\sigma_i^2} e^{-r^2/2\sigma_i^2},\quad
        w_i \propto A_i \sigma_i^2,\ \sum_i w_i = 1

    with :math:`A_1 = 1`: the scale of the file has no effect. Parameters are linear between nodes and beyond them.
    grids : of ``SIGMA_1``, ``SIGMA_2``, ``SIGMA_3`` [deg], ``AMPL_2``, ``AMPL_3``, ``SCALE`` over (offset, energy_true)
    """

    grids: Mapping[str, Grid]

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        return cls(_read_grids(extension, ("SIGMA_1", "SIGMA_2", "SIGMA_3"), ("AMPL_2", "AMPL_3", "SCALE")))

    @property
    def offset(self) -> Axis:
        return self.grids["SIGMA_1"].axes[0]

    @property
    def energy_true(self) -> Axis:
        return self.grids["SIGMA_1"].axes[1]

    def _sigmas_and_weights(self, energy_true: ArrayLike, offset: ArrayLike) -> tuple[Array, Array]:
        """``(3, ...)`` widths [deg] and weights; weights of 0 where the file has no PSF (a scale of 0)."""
        value = {name: np.maximum(grid.at(offset, energy_true), 0.0) for name, grid in self.grids.items()}
        sigma = np.stack([value["SIGMA_1"], value["SIGMA_2"], value["SIGMA_3"]])
        amplitude = np.stack([np.ones_like(value["AMPL_2"]), value["AMPL_2"], value["AMPL_3"]])
        weight = 2.0 * value["SCALE"] * amplitude * sigma**2
        total = weight.sum(axis=0)
        return sigma, np.asarray(weight / np.where(total > 0.0, total, np.inf))

    def evaluate(self, rad: ArrayLike, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        sigma, weight = self._sigmas_and_weights(*np.broadcast_arrays(energy_true, offset))
        with np.errstate(divide="ignore", invalid="ignore"):
            peaks = weight / (2.0 * np.pi * sigma**2 * _SR) * np.exp(-0.5 * (np.asarray(rad) / sigma) ** 2)
        return np.asarray(np.nan_to_num(peaks, posinf=0.0).sum(axis=0))

    def containment(self, rad: float, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        sigma, weight = self._sigmas_and_weights(energy_true, offset)
        with np.errstate(divide="ignore"):
            return np.asarray((weight * -np.expm1(-0.5 * (rad / sigma) ** 2)).sum(axis=0))


@final
@dataclass(frozen=True, eq=False)
class PSFKing(PointSpreadTable):
    r"""King's profile.

    .. math:: P(r) = \frac{1}{2\pi\sigma^2} \Big(1-\frac1\gamma\Big) \Big(1 + \frac{r^2}{2\gamma\sigma^2}\Big)^{-\gamma}

    grids : of ``SIGMA`` [deg] and ``GAMMA`` over (offset, energy_true)
    """

    grids: Mapping[str, Grid]

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        return cls(_read_grids(extension, ("SIGMA",), ("GAMMA",)))

    @property
    def offset(self) -> Axis:
        return self.grids["SIGMA"].axes[0]

    @property
    def energy_true(self) -> Axis:
        return self.grids["SIGMA"].axes[1]

    def evaluate(self, rad: ArrayLike, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        sigma, gamma = (self.grids[name].at(offset, energy_true) for name in ("SIGMA", "GAMMA"))
        with np.errstate(divide="ignore", invalid="ignore"):
            tail = (1.0 + np.asarray(rad) ** 2 / (2.0 * gamma * sigma**2)) ** -gamma
            peak = (1.0 - 1.0 / gamma) / (2.0 * np.pi * sigma**2 * _SR)
            return np.asarray(np.nan_to_num(peak * tail, posinf=0.0))

    def containment(self, rad: float, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        sigma, gamma = (self.grids[name].at(offset, energy_true) for name in ("SIGMA", "GAMMA"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(
                np.nan_to_num(1.0 - (1.0 + rad**2 / (2.0 * gamma * sigma**2)) ** (1.0 - gamma), posinf=0.0)
            )


def _read_grids(extension: Extension, angles: tuple[str, ...], numbers: tuple[str, ...]) -> dict[str, Grid]:
    """Parameters over (offset, energy_true). A width of 0, which some files have without a PSF, is read as 1 deg."""
    axes = read_axes(extension, ("offset", "energy_true"))
    grids = {}
    for name in angles:
        sigma = read_cell(extension, name, axes, "deg")
        grids[name] = Grid(axes, np.where(sigma == 0.0, 1.0, sigma))
    return grids | {name: Grid(axes, read_cell(extension, name, axes, None)) for name in numbers}
