"""Energy dispersion, and its tables: ``EDISP_2D``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.io.fits import Extension
from gm.irf.edisp import migra_matrix
from gm.irf.edisp_map import EdispKernelMap, EdispMap
from gm.irf.observed import Observed, pixel_positions
from gm.irf.tables.grid import Grid, normalised
from gm.irf.tables.reading import is_pointlike, optional_real, read_axes, read_cell
from gm.irf.totals import strange_total
from gm.maps.axes import Axis, EnergyAxis

_LEAST = 1e-8  # probability of a bin of reconstructed energy; less is what rounding leaves


class EnergyDispersion(ABC):
    """Probability of reconstructed energies."""

    @property
    @abstractmethod
    def energy_true(self) -> Axis:
        """True energies [TeV]."""

    def strange_total(self) -> float | None:
        """What a table adds up to, at most, where that is far from 1; None for what knows no such thing."""
        return None

    @abstractmethod
    def on_map(self, target: EdispMap, seen: Observed) -> EdispMap:
        """The energy dispersion of an observation at the pixels of ``target``, whose values do not matter.

        The map has an exposure where the response says one itself.
        """

    @abstractmethod
    def matrix(self, energy_true: EnergyAxis, energy: EnergyAxis, lon: Array, lat: Array, seen: Observed) -> Array:
        """``(n_energy_true, n_energy)``: probabilities of the bins of energy at one ICRS position [deg]."""


@final
@dataclass(frozen=True, eq=False)
class EnergyDispersion2D(EnergyDispersion):
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

    def strange_total(self) -> float | None:
        """None too where probabilities of bins, not densities, add up to 1, as in files of CTAO: both mean the same."""
        values = np.maximum(self.grid.values, 0.0)
        if strange_total(values.sum(axis=1)) is None:
            return None
        return strange_total(np.einsum("ome,m->oe", values, self.migra.width))

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

    def on_map(self, target: EdispMap, seen: Observed) -> EdispMap:
        offset = seen.offsets(*pixel_positions(target.geometry))
        if isinstance(target, EdispKernelMap):
            data = kernels(self, target.energy_true, target.energy, offset)
        else:
            energy, migra = target.energy_true.center[:, None, None, None], target.migra.center[:, None, None]
            data = normalised(self.evaluate(energy, migra, offset), target.migra.width)
        return replace(target, data=data.astype(np.float32), exposure=None)

    def matrix(self, energy_true: EnergyAxis, energy: EnergyAxis, lon: Array, lat: Array, seen: Observed) -> Array:
        return self.kernel(energy_true, energy, float(seen.offsets(lon, lat)))


def kernels(table: EnergyDispersion2D, energy_true: Axis, energy: EnergyAxis, offset: Array) -> Array:
    """Probabilities ``(n_energy_true, n_energy, *shape)`` of the bins of reconstructed energy at offsets [deg].

    The table's cumulative density, linear in its migra, at the edges of the bins. Source: Gammapy 2.1,
    ``make_edisp_kernel_map``; at one offset the same as `EnergyDispersion2D.kernel`. The table is linear between its
    offsets, and so are sums over it: they are made there, and at pixels beyond.
    """
    nodes, flat = table.offset.center, offset.ravel()
    between = (flat >= nodes[0]) & (flat <= nodes[-1])
    at = np.clip(np.searchsorted(nodes, flat, side="right") - 1, 0, max(len(nodes) - 2, 0))
    upper = np.minimum(at + 1, len(nodes) - 1)
    weight = np.where(between & (upper > at), (flat - nodes[at]) / np.where(upper > at, nodes[upper] - nodes[at], 1), 0)
    held = _sums(table, energy_true, energy, nodes)
    sums = held[..., at] * (1.0 - weight) + held[..., upper] * weight
    if not between.all():
        sums[..., ~between] = _sums(table, energy_true, energy, flat[~between])
    total = sums[:, -1:]
    matrix = np.clip(np.diff(sums[:, :-1], axis=1), 0.0, None) / np.where(total > 0.0, total, np.inf)
    return np.where(matrix < _LEAST, 0.0, matrix).reshape(-1, energy.n_bins, *offset.shape)


def _sums(table: EnergyDispersion2D, energy_true: Axis, energy: EnergyAxis, offset: Array) -> Array:
    """Integrals ``(n_energy_true, n_edges + 1, n)`` of the density up to each edge of energy, and over all of migra."""
    density = table.evaluate(energy_true.center[:, None], table.migra.center[:, None, None], offset)
    cumulative = np.cumsum(density * table.migra.width[:, None, None], axis=0)
    cumulative = np.concatenate([np.zeros((1, *density.shape[1:])), cumulative])
    edges, wanted = table.migra.edges, energy.edges / energy_true.center[:, None]
    at = np.clip(np.searchsorted(edges, wanted, side="right") - 1, 0, len(edges) - 2)
    weight = np.clip((wanted - edges[at]) / np.diff(edges)[at], 0.0, 1.0)[:, :, None]
    row = np.arange(energy_true.n_bins)[:, None]
    up_to = cumulative[at, row] * (1.0 - weight) + cumulative[at + 1, row] * weight
    return np.concatenate([up_to, cumulative[-1][:, None]], axis=1)
