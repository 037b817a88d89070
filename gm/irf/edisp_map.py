"""Energy dispersion of a dataset: a matrix, or a density in ``migra``, for every pixel of a coarse map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.errors import DataError
from gm.irf.edisp import migra_matrix
from gm.irf.positions import ResponseGeometry, checked, exposure_of, nearest_values, response_geometry
from gm.irf.totals import strange_total
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.joined_bins import summed
from gm.maps.map import Map


@dataclass(frozen=True, eq=False)
class EdispKernelMap:
    """Probabilities of the bins of reconstructed energy, for every true energy and position.

    data : (n_energy_true, n_energy, n_y, n_x); exposure : (n_energy_true, n_y, n_x) [cm2 s], needed for stacking only
    """

    geometry: ResponseGeometry
    energy_true: Axis
    energy: EnergyAxis
    data: NDArray[Any]
    exposure: NDArray[Any] | None = None

    def kernel(
        self,
        energy: EnergyAxis,
        lon: float | None = None,
        lat: float | None = None,
        frame: str | None = None,
        conventions: Conventions = Conventions.GAMMAPY,
    ) -> Array:
        """Matrix (n_energy_true, n_energy) of the pixel nearest to a position [deg] that has a response.

        Without a position: the centre of the map. Raises `DataError` when the map has another energy axis.
        """
        if not np.array_equal(self.energy.edges, energy.edges):
            raise DataError(
                f"energy dispersion has {self.energy.n_bins} energy bins, the counts {energy.n_bins} (or other edges)\n"
                "    both need the same axis 'energy'"
            )
        return nearest_values(self.geometry, self.data, (lon, lat, frame))

    def strange_total(self) -> float | None:
        """What it adds up to over the bins of energy, at most, where that is far above 1: so are predicted counts."""
        return strange_total(self.data.sum(axis=1), is_whole=False)

    @property
    def axes(self) -> tuple[Axis, EnergyAxis]:
        """Of the data, slowest first."""
        return self.energy_true, self.energy

    is_binned: ClassVar[bool] = True
    """Whether it is of the energy bins of the counts, which change it when they are joined."""

    def on(self, energy: EnergyAxis) -> EdispKernelMap:
        """With the energies of the counts in place of its own, which are those but for their rounding."""
        return replace(self, energy=energy)

    def sliced(self, part: slice) -> EdispKernelMap:
        """Some of the energy bins."""
        return replace(self, energy=self.energy.sliced(part), data=self.data[:, part])

    def joined(self, groups: IntArray, safe: BoolArray | None) -> EdispKernelMap:
        """The bins between each of the edges ``groups`` and the next summed; safe : (n_energy, n_y, n_x), or None."""
        data = summed(self.data, safe, groups, axis=1).astype(self.data.dtype)
        return replace(self, energy=self.energy.joined(groups), data=data)


@dataclass(frozen=True, eq=False)
class EdispMigraMap:
    """Probability density of ``migra = E / E_true``, for every true energy and position.

    data : (n_energy_true, n_migra, n_y, n_x) per unit of migra; exposure : (n_energy_true, n_y, n_x) [cm2 s]
    """

    geometry: ResponseGeometry
    energy_true: Axis
    migra: NodeAxis
    data: NDArray[Any]
    exposure: NDArray[Any] | None = None

    def kernel(
        self,
        energy: EnergyAxis,
        lon: float | None = None,
        lat: float | None = None,
        frame: str | None = None,
        conventions: Conventions = Conventions.GAMMAPY,
    ) -> Array:
        """Matrix (n_energy_true, n_energy) of the pixel nearest to a position [deg]; without one, of the map's centre.

        With ``exact`` conventions an empty pixel is replaced by the nearest one that has a response; Gammapy leaves the
        source without a response there.
        """
        density = nearest_values(self.geometry, self.data, (lon, lat, frame), skip_empty=conventions.is_exact)
        return migra_matrix(density, self.migra.edges, self.energy_true, energy, self.migra.interp)

    def strange_total(self) -> float | None:
        """What it adds up to over migra, at most, where that is far from 1: so are predicted counts."""
        return strange_total(np.einsum("em...,m->e...", self.data, self.migra.width))

    @property
    def axes(self) -> tuple[Axis, NodeAxis]:
        """Of the data, slowest first."""
        return self.energy_true, self.migra

    is_binned: ClassVar[bool] = False
    """A density in migra knows no energy bins."""

    def on(self, energy: EnergyAxis) -> EdispMigraMap:
        """As it is, like all that is done to energy bins."""
        return self

    def sliced(self, part: slice) -> EdispMigraMap:
        """As it is."""
        return self

    def joined(self, groups: IntArray, safe: BoolArray | None) -> EdispMigraMap:
        """As it is."""
        return self


EdispMap: TypeAlias = EdispKernelMap | EdispMigraMap


def edisp_from_map(edisp: Map, exposure: Map | None = None) -> EdispMap:
    """The energy dispersion that a map holds, told by its axes. Raises `DataError`."""
    names = edisp.axis_names
    last = edisp.axes[-1] if edisp.axes else None
    geometry, seen = response_geometry(edisp, "energy dispersion"), exposure_of(exposure)
    if names == ("energy_true", "energy") and isinstance(last, EnergyAxis):
        return EdispKernelMap(geometry, edisp.axes[0], last, checked(edisp.data, seen, names), seen)
    if names == ("energy_true", "migra") and isinstance(last, NodeAxis):
        return EdispMigraMap(geometry, edisp.axes[0], last, checked(edisp.data, seen, names), seen)
    raise DataError(
        "an energy dispersion map has the axes energy_true and energy (or migra), slowest first; "
        f"found {', '.join(names) or 'none'}"
    )
