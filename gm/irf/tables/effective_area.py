"""Effective areas, and their tables: ``AEFF_2D``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.io.fits import Extension
from gm.irf.observed import Observed
from gm.irf.tables.grid import Grid
from gm.irf.tables.reading import is_pointlike, optional_real, read_axes, read_cell
from gm.maps.axes import Axis


class EffectiveArea(ABC):
    """Area times probability to be detected and selected.

    lo_thres, hi_thres : energies [TeV] that the file says are safe, None without them
    rad_max : the fixed cut [deg] of point-like responses, None without one
    """

    is_pointlike: bool
    lo_thres: float | None
    hi_thres: float | None
    rad_max: float | None
    telescope: str

    @property
    @abstractmethod
    def energy_true(self) -> Axis:
        """True energies [TeV]."""

    @abstractmethod
    def exposure(self, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        """Exposure ``(n, *positions)`` [cm2 s] of an observation at true energies (n,) [TeV], ICRS positions [deg]."""


@final
@dataclass(frozen=True, eq=False)
class EffectiveAreaTable2D(EffectiveArea):
    """Effective area over offset and true energy.

    grid : (offset [deg], energy_true [TeV]) -> cm2
    """

    grid: Grid
    is_pointlike: bool = False
    lo_thres: float | None = None
    hi_thres: float | None = None
    rad_max: float | None = None
    telescope: str = ""

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        axes = read_axes(extension, ("offset", "energy_true"))
        grid = Grid(axes, read_cell(extension, "EFFAREA", axes, "cm2", default="m2"))
        low, high = optional_real(extension, "LO_THRES"), optional_real(extension, "HI_THRES")
        telescope = extension.header.text("TELESCOP")
        return cls(grid, is_pointlike(extension), low, high, optional_real(extension, "RAD_MAX"), telescope)

    @property
    def energy_true(self) -> Axis:
        return self.grid.axes[1]

    @property
    def offset(self) -> Axis:
        return self.grid.axes[0]

    def evaluate(self, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        """Effective area [cm2] at true energies [TeV] and offsets [deg], broadcast; 0 outside the table."""
        return self.grid.masked(offset, energy_true)

    def exposure(self, energy_true: Array, lon: Array, lat: Array, seen: Observed) -> Array:
        offset = np.asarray(seen.offsets(lon, lat))
        area = self.evaluate(energy_true.reshape(-1, *(1,) * offset.ndim), offset)
        area *= seen.livetime()
        return area
