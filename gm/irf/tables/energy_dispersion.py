"""Energy dispersion tables: ``EDISP_2D``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.io.fits import Extension
from gm.irf.edisp import migra_matrix
from gm.irf.tables.grid import Grid
from gm.irf.tables.reading import is_pointlike, optional_real, read_axes, read_cell
from gm.maps.axes import Axis, EnergyAxis


@final
@dataclass(frozen=True, eq=False)
class EnergyDispersion2D:
    """Probability density of ``migra = E / E_true`` over offset and true energy.

    grid : (offset [deg], migra, energy_true [TeV]) -> per unit of migra
    """

    grid: Grid
    is_pointlike: bool = False
    rad_max: float | None = None

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        axes = read_axes(extension, ("offset", "migra", "energy_true"))
        grid = Grid(axes, read_cell(extension, "MATRIX", axes, ""))
        return cls(grid, is_pointlike(extension), optional_real(extension, "RAD_MAX"))

    @property
    def energy_true(self) -> Axis:
        return self.grid.axes[2]

    @property
    def migra(self) -> Axis:
        return self.grid.axes[1]

    @property
    def offset(self) -> Axis:
        return self.grid.axes[0]

    def evaluate(self, energy_true: ArrayLike, migra: ArrayLike, offset: ArrayLike) -> Array:
        """Density per unit of migra, broadcast; 0 where the offset, or both others, are outside the table."""
        values = np.maximum(self.grid.at(offset, migra, energy_true), 0.0)
        outside = self.grid.outside(1, migra) & self.grid.outside(2, energy_true) | self.grid.outside(0, offset)
        return np.where(outside, 0.0, values) if outside.any() else values

    def density(self, energy_true: ArrayLike, offset: ArrayLike) -> Array:
        """Density on the table's own migra axis, ``(n_migra, *broadcast)``, each with integral 1, or 0 everywhere.

        Source: Gammapy 2.1, ``make_edisp_map``.
        """
        energy_true, offset = np.asarray(energy_true), np.asarray(offset)
        column = (-1,) + (1,) * max(energy_true.ndim, offset.ndim)
        values = self.evaluate(energy_true, self.migra.center.reshape(column), offset)
        total = (values * self.migra.width.reshape(column)).sum(axis=0)
        return np.asarray(values / np.where(total > 0.0, total, np.inf))

    def kernel(self, energy_true: EnergyAxis, energy: EnergyAxis, offset: float) -> Array:
        """Matrix ``(n_energy_true, n_energy)`` at an offset [deg]: probabilities of the bins of reconstructed energy.

        Source: Gammapy 2.1, ``make_edisp_kernel_map``.
        """
        density = self.density(energy_true.center, offset).T
        return migra_matrix(density, self.migra.edges, energy_true, energy, self.migra.interp)
