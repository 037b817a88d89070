"""The exposure at the nodes of the pixels of a window, as a few maps for all energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray, MapArray
from gm.models.spatial.pixel_nodes import Nodes

_PRECISION = 3e-7  # of the largest exposure of an energy; maps are of single precision
_WORTH = 0.6  # of the number of energies: more maps are not worth it


@dataclass(frozen=True, eq=False)
class NodeExposure:
    """``mixing @ maps``: maps (n, n_nodes, ny, nx), mixing (n_energy, n) [cm2 s]; without mixing one per energy."""

    maps: MapArray
    mixing: Array | None

    @classmethod
    def of(
        cls, exposure: MapArray, nodes: Nodes, shape: tuple[int, int], support: tuple[slice, slice] | None
    ) -> NodeExposure:
        """Of exposures (n_energy, n_pixels) [cm2 s] at pixel centres: linear between these, and constant beyond.

        On some rows and columns of the pixels, by default on all. At different energies they are much alike: a few
        maps, those with most of their squares, give all.
        """
        mixing, found = _mixed(exposure.astype(np.float64))
        maps = found.reshape(-1, *shape).astype(np.float64 if mixing is not None else exposure.dtype, copy=False)
        at_nodes = [_shifted(_shifted(maps, float(y), 1), float(x), 2) for x, y in zip(nodes.x, nodes.y, strict=True)]
        part = support or (slice(None), slice(None))
        return cls(np.ascontiguousarray(np.stack(at_nodes, axis=1)[(..., *part)]), mixing)

    def of_energies(self, energies: IntArray | slice) -> Array:
        """(n, n_nodes, ny, nx) at some energies."""
        if self.mixing is None:
            return np.asarray(self.maps[energies], dtype=np.float64)
        return np.asarray(np.tensordot(self.mixing[energies], self.maps, axes=1))


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


def _shifted(values: MapArray, shift: float, axis: int) -> MapArray:
    """Values between pixels, ``shift`` (-1 to 1) pixels further along an axis."""
    if shift == 0:
        return values
    n, step = values.shape[axis], 1 if shift > 0 else -1
    beside = np.take(values, np.clip(np.arange(n) + step, 0, n - 1), axis=axis)
    return (1 - abs(shift)) * values + abs(shift) * beside
