"""The cut on the distance from a point source that point-like responses were made with: ``RAD_MAX_2D``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray, IntArray
from gm.io.fits import Extension
from gm.irf.interpolation import in_scale
from gm.irf.tables.reading import read_axes, read_cell
from gm.maps.axes import Axis


@final
@dataclass(frozen=True, eq=False)
class RadMax2D:
    """Radii [deg] ``values : (n_offset, n_energy)`` over ``axes`` (offset [deg], energy [TeV]); no axes: one radius."""

    values: Array
    axes: tuple[Axis, ...] = ()

    @classmethod
    def fixed(cls, radius: float) -> Self:
        """One radius [deg] for all energies and offsets."""
        return cls(np.array(radius, dtype=np.float64))

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension. Raises `DataError`."""
        axes = read_axes(extension, ("offset", "energy"))
        return cls(read_cell(extension, "RAD_MAX", axes, "deg"), axes)

    @property
    def is_fixed(self) -> bool:
        """Whether there is one radius for everything."""
        return self.values.size == 1

    def evaluate(self, energy: ArrayLike, offset: ArrayLike) -> Array:
        """Radius [deg] of the nearest node, broadcast; 0 outside the axes. A fixed radius holds everywhere."""
        if not self.axes:
            return np.broadcast_to(self.values, np.broadcast_shapes(np.shape(energy), np.shape(offset)))
        (at_offset, no_offset), (at_energy, no_energy) = map(_nearest, self.axes, (offset, energy))
        return np.where(no_offset | no_energy, 0.0, self.values[at_offset, at_energy])


def _nearest(axis: Axis, coordinate: ArrayLike) -> tuple[IntArray, BoolArray]:
    """Index of the nearest node in the scale of the axis (half-way the lower one), and what is outside the edges."""
    values = np.asarray(coordinate, dtype=np.float64)
    nodes = in_scale(axis, axis.center)
    middle = 0.5 * (nodes[1:] + nodes[:-1])
    outside = ~((values >= axis.edges[0]) & (values <= axis.edges[-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.searchsorted(middle, in_scale(axis, values), side="left")), outside
