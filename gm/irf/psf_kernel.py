"""PSF kernels in pixels, as Gammapy 2.1 makes them (``PSFMap.get_psf_kernel``).

A kernel is centred on a pixel of a small grid in the map's projection, re-centred on its own reference point. So the
separations of its sub-pixels depend on the projection and the pixel scale only, and all datasets with equal ones share
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray
from gm.irf.interpolation import linear_weights
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sphere import separation

CONTAINMENT = 0.999
MAX_UPSAMPLING = 4
PRECISION = 12.0

_SYMMETRIC = ("CAR", "TAN", "SIN", "ARC", "ZEA", "STG", "AIT", "MOL", "SFL", "CEA", "MER")


@dataclass(frozen=True, eq=False)
class PsfKernel:
    """PSF in pixels at the energies of an axis.

    data : (n_energy, n, n), n odd, each energy with sum 1, or 0 where there is no PSF
    radii : (n_energy,) [deg] where the PSF was cut
    fraction_lost : (n_energy,) part of the PSF that is missing in the kernel. What lies outside the radius is added to
        the inside (the sum is 1); only where it is 1, the flux itself is lost.
    """

    data: NDArray[np.float32]
    radii: Array
    fraction_lost: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.data.shape[1], self.data.shape[2]

    @cached_property
    def is_empty(self) -> BoolArray:
        """(n_energy,) whether a source is lost at this energy."""
        return np.asarray(~self.data.any(axis=(1, 2)))


def odd_pixels(radius: float, scale: float) -> int:
    """Pixels of size ``scale`` across a circle of ``radius``, rounded up to an odd number."""
    return int(ceil(2.0 * radius / scale) // 2 * 2 + 1)


def upsampling(r68: Array, scale: float) -> list[int]:
    """Sub-pixels per pixel side for 68 % containment radii ``(n_energy,)``, in the unit of the pixel ``scale``."""
    return [min(ceil(PRECISION / (2.0 * radius / scale)), MAX_UPSAMPLING) for radius in r68.tolist()]


@dataclass(frozen=True, eq=False)
class KernelGrid:
    """Sub-pixels of the kernels in one projection with one pixel scale [deg]; the work of all kernels is kept here."""

    projection: str
    scale: float
    _points: dict[tuple[int, bool, bytes], tuple[int, IntArray, Array]] = field(default_factory=dict)

    @property
    def is_symmetric(self) -> bool:
        """Whether the four quadrants are equal, so that one is enough."""
        return self.projection in _SYMMETRIC

    def points(self, factor: int, size: int, rad: NodeAxis) -> tuple[IntArray, Array]:
        """Linear interpolation on the rad axis at the sub-pixels of a ``size`` x ``size`` kernel: index and weight.

        Both are (m, m, factor^2): m is ``size``, or ``(size + 1) / 2`` for the quadrant of a symmetric projection.
        """
        key = factor, rad.has_edges, rad.edges.tobytes()
        kept = self._points.get(key)
        if kept is None or kept[0] < size:
            distance = self._separations(size, factor)
            kept = size, *linear_weights(rad.pixel(distance), rad.n_bins)
            self._points[key] = kept
        largest, index, weight = kept
        part = slice(0, (size + 1) // 2) if self.is_symmetric else slice((largest - size) // 2, (largest + size) // 2)
        return index[part, part], weight[part, part]

    def _separations(self, size: int, factor: int) -> Array:
        """Separations (m, m, factor^2) [deg] of sub-pixels from the centre of the kernel."""
        center = size // 2
        pixels = np.arange(center if self.is_symmetric else 0, size)
        at = (pixels[:, None] + (np.arange(factor) + 0.5) / factor - 0.5).ravel()
        geometry = WcsGeometry.create(0.0, 0.0, self.scale, shape=(size, size), projection=self.projection)
        lon, lat = geometry.sky(at[None, :], at[:, None])
        distance = separation(0.0, 0.0, lon, lat)
        m = len(pixels)
        return distance.reshape(m, factor, m, factor).swapaxes(1, 2).reshape(m, m, factor**2)


class KernelGrids:
    """The kernel grids of all geometries that were asked for."""

    def __init__(self) -> None:
        self._grids: dict[tuple[str, float], KernelGrid] = {}

    def of(self, geometry: WcsGeometry) -> KernelGrid:
        """The grid for kernels of a geometry."""
        key = geometry.projection.code, round(max(geometry.pixel_scales()), 12)
        return self._grids.setdefault(key, KernelGrid(*key))


def build_kernel(
    grid: KernelGrid, rad: NodeAxis, profiles: Array, radii: Array, r68: Array, outside: Callable[[Array], Array]
) -> PsfKernel:
    """Kernel of Gammapy's conventions.

    profiles : (n_energy, n_rad) PSF at the kernel's energies and position; radii : (n_nodes,) [deg] of the energy nodes
    of the *PSF map*; r68 : (n_energy,) [deg]; ``outside(radii (n_energy,))``: part of the PSF beyond.

    Radii and energies are paired by index, as Gammapy pairs them: where the PSF map has another energy axis the radii
    belong to other energies, and energies beyond its number of nodes get an empty kernel.
    """
    n_energy = len(profiles)
    size = odd_pixels(float(radii.max()), grid.scale)
    data = np.zeros((n_energy, size, size), dtype=np.float32)
    paired = np.zeros(n_energy)
    paired[: len(radii)] = radii[:n_energy]
    for i, (radius, factor) in enumerate(zip(radii[:n_energy].tolist(), upsampling(r68, grid.scale), strict=False)):
        n = odd_pixels(radius, grid.scale)
        image = _kernel_image(grid, rad, profiles[i], n, factor)
        start = (size - n) // 2
        data[i, start : start + n, start : start + n] = image
    total = data.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    data /= np.where(total > 0, total, 1.0).astype(np.float32)
    lost = np.where(total[:, 0, 0] > 0, outside(paired), 1.0)
    return PsfKernel(data, paired, lost)


def _kernel_image(grid: KernelGrid, rad: NodeAxis, profile: Array, n: int, factor: int) -> Array:
    """Sums over sub-pixels (n, n) of a radial profile (n_rad,), negative extrapolations set to 0."""
    index, weight = grid.points(factor, n, rad)
    step = np.diff(profile)
    values = profile[index] + weight * step[index]
    np.maximum(values, 0.0, out=values)
    part: Array = values.sum(axis=2)
    if not grid.is_symmetric:
        return part
    fold = np.abs(np.arange(n) - n // 2)
    return part[fold[:, None], fold]
