"""The exposure at the nodes of the pixels of a window, as a few maps for all energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray, MapArray
from gm.likelihood.maps.folding.frequencies import Part
from gm.models.spatial.pixel_nodes import Nodes

_PRECISION = 3e-7  # of the largest exposure of an energy; maps are of single precision
_WORTH = 0.6  # of the number of energies: more maps are not worth it


@dataclass(frozen=True, eq=False)
class NodeExposure:
    """``mixing @ maps``, mixing (n_energy, n) [cm2 s]; without mixing one map per energy.

    Linear between the centres, and constant beyond. Values at nodes are made when they are asked for: of many runs they
    would fill the memory.

    stored : (n_stored, ...) maps at pixel centres, without mixing those of the window itself; chosen : (n,) which of
    them; rows, columns : (ny + 2,), (nx + 2,) of these, with one more on each side; nodes : in each pixel
    """

    stored: MapArray
    chosen: IntArray
    rows: IntArray
    columns: IntArray
    mixing: Array | None
    nodes: Nodes

    @classmethod
    def of(cls, exposure: MapArray, nodes: Nodes, part: Part | None, seen: IntArray | None = None) -> NodeExposure:
        """Of exposures (n_energy, ny, nx) [cm2 s] at pixel centres, on some rows and columns, by default on all;
        ``seen`` : positions of the energies that are meant, by default of all.

        At different energies they are much alike: a few maps, those with most of their squares, give all.
        """
        chosen, shape = np.arange(len(exposure)) if seen is None else seen, exposure.shape[1:]
        mixing, found = _mixed(exposure[chosen].astype(np.float64).reshape(chosen.size, shape[0] * shape[1]))
        rows, columns = (
            np.clip(np.arange(s.start - 1, s.stop + 1), 0, n - 1)
            for s, n in zip(part or (slice(0, shape[0]), slice(0, shape[1])), shape, strict=True)
        )
        if mixing is None:
            return cls(exposure, chosen, rows, columns, None, nodes)
        maps = found.reshape(-1, *shape)[:, rows[:, None], columns]
        every, rows, columns = (np.arange(n) for n in maps.shape)
        return cls(maps, every, rows, columns, mixing, nodes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Nodes in a pixel, and pixels: n_nodes, ny, nx."""
        return len(self.nodes.x), self.rows.size - 2, self.columns.size - 2

    @property
    def n(self) -> int:
        """How many maps there are."""
        return self.chosen.size

    def maps(self, some: IntArray | slice = slice(None)) -> MapArray:
        """At the nodes, (n, n_nodes, ny, nx)."""
        chosen, (_, n_y, n_x) = self.stored[np.ix_(self.chosen[some], self.rows, self.columns)], self.shape
        maps = np.empty((len(chosen), *self.shape), dtype=chosen.dtype)
        for j, (x, y) in enumerate(zip(self.nodes.x.tolist(), self.nodes.y.tolist(), strict=True)):
            maps[:, j] = _shifted(_shifted(chosen, y, 1, n_y), x, 2, n_x)
        return maps

    def of_energies(self, energies: IntArray | slice) -> Array:
        """(n, n_nodes, ny, nx) at some energies."""
        if self.mixing is None:
            return np.asarray(self.maps(energies), dtype=np.float64)
        return np.asarray(np.tensordot(self.mixing[energies], self.maps(), axes=1))


def _mixed(exposure: Array) -> tuple[Array | None, Array]:
    largest = np.abs(exposure).max(axis=1, initial=0.0)
    rest = exposure / np.where(largest > 0, largest, 1.0)[:, None]
    _, vectors = np.linalg.eigh(rest @ rest.T)
    mixing, maps = [], []
    for vector in vectors.T[::-1][: int(_WORTH * len(exposure))]:
        maps.append(vector @ rest)
        mixing.append(largest * vector)
        rest -= np.outer(vector, maps[-1])
        if np.abs(rest).max() <= _PRECISION:
            return np.stack(mixing, axis=1), np.stack(maps)
    return None, exposure


def _shifted(values: MapArray, shift: float, axis: int, n: int) -> MapArray:
    """All ``n`` values along an axis but the first and the last, ``shift`` (-1 to 1) pixels further."""
    before = (slice(None),) * axis
    here = values[(*before, slice(1, n + 1))]
    if shift == 0:
        return here
    beside = values[(*before, slice(2, n + 2) if shift > 0 else slice(0, n))]
    return np.asarray((1 - abs(shift)) * here + abs(shift) * beside)
