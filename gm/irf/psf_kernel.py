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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, distinct
from gm.errors import DataError
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


MAX_VALUES = 2**29
"""Of a kernel, 2 GiB."""


def odd_pixels(radius: float, scale: float) -> int:
    """Pixels of size ``scale`` [deg] across a circle of ``radius`` [deg], rounded up to an odd number."""
    return int(ceil(2.0 * radius / scale) // 2 * 2 + 1)


def upsampling(r68: Array, scale: float) -> list[int]:
    """Sub-pixels per pixel side for 68 % containment radii ``(n_energy,)``, in the unit of the pixel ``scale``."""
    wanted = [PRECISION / (2.0 * radius / scale) if radius > 0 else MAX_UPSAMPLING for radius in r68.tolist()]
    return [min(ceil(factor), MAX_UPSAMPLING) for factor in wanted]


@dataclass(frozen=True, eq=False)
class _SubPixels:
    """Sums over the sub-pixels of m x m pixels of a radial profile that is linear between the nodes of its axis.

    between : (m * m, n_rad), for sub-pixels between nodes, where a profile is not negative; those beyond the first and
    the last node are in ``pixel``, with the piece ``index`` of the profile that is continued there by ``weight``.
    """

    m: int
    between: Any  # a sparse array
    pixel: IntArray
    index: IntArray
    weight: Array

    @classmethod
    def of(cls, distance: Array, rad: NodeAxis) -> _SubPixels:
        """From the separations (m, m, n_sub) [deg]."""
        from scipy.sparse import csr_array  # spectra do without

        index, weight = linear_weights(rad.pixel(distance).ravel(), rad.n_bins)
        m, pixel = len(distance), np.repeat(np.arange(distance[..., 0].size), distance.shape[2])
        is_between = (weight >= 0) & (weight <= 1)
        at, i, w = pixel[is_between], index[is_between], weight[is_between]
        entries = np.concatenate([1 - w, w]), (np.tile(at, 2), np.concatenate([i, i + 1]))
        beyond = ~is_between
        return cls(m, csr_array(entries, (m * m, rad.n_bins)), pixel[beyond], index[beyond], weight[beyond])

    def images(self, profiles: Array) -> Array:
        """(n, m, m) from profiles (n, n_rad), where continuations below 0 are set to 0."""
        images = np.ascontiguousarray((self.between @ profiles.T).T)
        continued = profiles[:, self.index] + self.weight * np.diff(profiles, axis=1)[:, self.index]
        for image, values in zip(images, np.maximum(continued, 0.0), strict=True):
            np.add.at(image, self.pixel, values)
        return images.reshape(len(profiles), self.m, self.m)


@dataclass(frozen=True, eq=False)
class KernelGrid:
    """Sub-pixels of the kernels in one projection with one pixel scale [deg]; the work of all kernels is kept here."""

    projection: str
    scale: float
    _made: dict[tuple[int, bool, bytes], tuple[int, _SubPixels]] = field(default_factory=dict)

    @property
    def is_symmetric(self) -> bool:
        """Whether the four quadrants are equal, so that one is enough."""
        return self.projection in _SYMMETRIC

    def images(self, factor: int, size: int, rad: NodeAxis, profiles: Array) -> Array:
        """Sums over factor^2 sub-pixels of profiles (n, n_rad) in the pixels of kernels, (n, size, size)."""
        key = factor, rad.has_edges, rad.edges.tobytes()
        largest, sub_pixels = self._made.get(key, (0, None))
        if sub_pixels is None or largest < size:
            largest, sub_pixels = size, _SubPixels.of(self._separations(size, factor), rad)
            self._made[key] = largest, sub_pixels
        images = sub_pixels.images(profiles)
        if not self.is_symmetric:
            inner = slice((largest - size) // 2, (largest + size) // 2)
            return images[:, inner, inner]
        from_center = np.abs(np.arange(size) - size // 2)
        return images[:, from_center][:, :, from_center]

    def _separations(self, size: int, factor: int) -> Array:
        """Separations (m, m, factor^2) [deg] of sub-pixels from the centre of the kernel.

        m is ``size``, or ``(size + 1) / 2`` for the quadrant of a symmetric projection.
        """
        center = size // 2
        pixels = np.arange(center if self.is_symmetric else 0, size)
        at = (pixels[:, None] + (np.arange(factor) + 0.5) / factor - 0.5).ravel()
        geometry = WcsGeometry.create(0.0, 0.0, self.scale, shape=(size, size), projection=self.projection)
        along = geometry.projection.sky_along(at, at)
        lon, lat = geometry.sky(at[None, :], at[:, None]) if along is None else (along[0], along[1][:, None])
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
    n_energy, size = len(profiles), odd_pixels(float(radii.max()), grid.scale)
    if n_energy * size**2 > MAX_VALUES:
        raise DataError(f"the PSF reaches {radii.max():.3g} deg: kernels of {size} x {size} pixels are too large")
    data = np.zeros((n_energy, size, size), dtype=np.float32)
    paired = np.zeros(n_energy)
    paired[: len(radii)] = radii[:n_energy]
    sizes = np.array([odd_pixels(radius, grid.scale) for radius in radii[:n_energy].tolist()])
    factors = np.array(upsampling(r68, grid.scale))[: sizes.size]
    for factor in distinct(factors):
        own = np.flatnonzero(factors == factor)
        images = grid.images(int(factor), int(sizes[own].max()), rad, profiles[own])
        for i, image in zip(own, images, strict=True):
            cut, center = sizes[i] // 2, len(image) // 2
            inner, place = slice(center - cut, center + cut + 1), slice(size // 2 - cut, size // 2 + cut + 1)
            data[i, place, place] = image[inner, inner]
    total = data.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    data /= np.where(total > 0, total, 1.0).astype(np.float32)
    lost = np.where(total[:, 0, 0] > 0, outside(paired), 1.0)
    return PsfKernel(data, paired, lost)
