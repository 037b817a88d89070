"""The point spread function of a dataset: a radial profile for every energy and every pixel of a coarse map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.errors import DataError
from gm.irf.interpolation import bilinear, center_matrix, interpolation_matrix
from gm.irf.point_spread import PointSpread, PositionedKernel
from gm.irf.positions import ResponseGeometry, checked, exposure_of, response_geometry, valid_pixel
from gm.irf.psf_kernel import CONTAINMENT, KernelGrids, PsfKernel, build_kernel
from gm.irf.totals import check_contained, strange_total
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import converted

_RADIUS_UPSAMPLING = 20


@dataclass(frozen=True, eq=False)
class PsfMap:
    """PSF per solid angle as a function of energy, offset and position.

    energy : named ``energy_true``, or ``energy`` when the PSF is one of reconstructed energy
    rad : offset from the source [deg]
    data : (n_energy, n_rad, n_y, n_x) [sr-1], 0 where nothing was observed
    exposure : (n_energy, n_y, n_x) [cm2 s], needed for stacking only
    """

    geometry: ResponseGeometry
    energy: Axis
    rad: NodeAxis
    data: NDArray[Any]
    exposure: NDArray[Any] | None = None

    @classmethod
    def from_map(cls, psf: Map, exposure: Map | None = None) -> PsfMap:
        """From maps with the axes (energy_true or energy, rad). Raises `DataError`."""
        names = psf.axis_names
        rad = psf.axes[-1] if psf.axes else None
        if len(names) != 2 or names[0] not in ("energy_true", "energy") or not isinstance(rad, NodeAxis):
            found = ", ".join(names) or "none"
            raise DataError(f"a PSF map has the axes energy_true (or energy) and rad, slowest first; found {found}")
        if rad.n_bins < 2:
            raise DataError("a PSF map has one bin of rad, expected at least two")
        geometry, seen = response_geometry(psf, "the PSF"), exposure_of(exposure)
        data = checked(converted(psf.data, psf.unit, "sr-1", "the PSF"), seen, names)
        return cls(geometry, psf.axes[0], rad, data, seen)

    @property
    def axes(self) -> tuple[Axis, NodeAxis]:
        """Of the data, slowest first."""
        return self.energy, self.rad

    @property
    def is_reco(self) -> bool:
        """Whether the PSF is applied in reconstructed energy, after energy dispersion."""
        return self.energy.name == "energy"

    @property
    def has_single_pixel(self) -> bool:
        """Whether the PSF is the same everywhere, so that one kernel serves all sources."""
        return self.geometry.shape == (1, 1)

    def sliced(self, part: slice, energy: EnergyAxis) -> PsfMap:
        """Of the bins ``part.start`` to ``part.stop`` of an axis where that is its own, without exposure; else as it
        is."""
        own = self.energy
        if not (isinstance(own, EnergyAxis) and own.has_edges and np.array_equal(own.edges, energy.edges)):
            return self
        return replace(self, energy=own.sliced(part), data=self.data[part], exposure=None)

    def locate(self, lon: float | None, lat: float | None, frame: str | None = None) -> tuple[float, float]:
        """Pixel coordinates (x, y) where the PSF of a source is taken; without a position: the centre of the map."""
        return (0.0, 0.0) if self.has_single_pixel else valid_pixel(self.geometry, self.data, lon, lat, frame)

    def profiles(self, lon: float | None, lat: float | None, frame: str | None = None) -> Array:
        """PSF (n_energy, n_rad) [sr-1] of a source at the energies of the map, linear between its pixels."""
        rows, columns, weights = bilinear(self.geometry.shape, *self.locate(lon, lat, frame))
        return np.asarray(self.data[:, :, rows, columns] @ weights, dtype=np.float64)

    def profiles_at(self, profiles: Array, energy: Array) -> Array:
        """Profiles (n, n_rad) at other energies [TeV]: linear in the axis' pixel coordinate, and extrapolated."""
        return interpolation_matrix(self.energy.pixel(energy), self.energy.n_bins) @ profiles

    def strange_total(self) -> float | None:
        """What it adds up to over all distances, at most, where that is far from 1: kernels are scaled to 1."""
        return strange_total(self.totals())

    def totals(self) -> Array:
        """What it adds up to over all distances, (n_energy, n_y, n_x)."""
        ring = 2.0 * np.pi * np.radians(self.rad.center) * np.radians(self.rad.width)
        return np.asarray(np.einsum("er...,r->e...", self.data, ring))

    def containment(
        self, radius: float, energy: Array, lon: float | None = None, lat: float | None = None, frame: str | None = None
    ) -> Array:
        """Part of the PSF (n,) inside ``radius`` [deg] at energies (n,) [TeV].

        The cumulative sum of ``2 pi rad d_rad PSF`` at the upper edges, 0 at the first edge, linear in between and
        constant beyond; linear in the axis' pixel coordinate of energy and beyond its ends, where it stays between 0
        and 1. Raises `DataError` where it adds up to more than 1. Source: Gammapy 2.1, ``PSFMap.containment``, which
        goes on below 0 and above 1.
        """
        check_contained(self.strange_total())
        inside = np.pad(self._cumulative(self.profiles(lon, lat, frame)), ((0, 0), (1, 0)))
        at = np.array([np.interp(radius, self.rad.edges, row) for row in inside])
        found = interpolation_matrix(self.energy.pixel(energy), self.energy.n_bins) @ at
        return np.asarray(np.clip(found, 0.0, max(1.0, float(at.max()))))

    def containment_radius(
        self,
        fraction: float,
        energy: Array,
        lon: float | None = None,
        lat: float | None = None,
        frame: str | None = None,
    ) -> Array:
        """Radii (n,) [deg] that contain a fraction of the PSF at energies (n,) [TeV], in steps of a twentieth of rad's.

        Energies off the axis have the smallest radius. Source: Gammapy 2.1, ``PSF.containment_radius``.
        """
        return self._radii(self.profiles(lon, lat, frame), energy, fraction)[0]

    def kernel(
        self,
        geometry: WcsGeometry,
        energy: Axis,
        lon: float | None = None,
        lat: float | None = None,
        frame: str | None = None,
        conventions: Conventions = Conventions.GAMMAPY,
        grids: KernelGrids | None = None,
    ) -> PsfKernel:
        """The PSF in pixels of ``geometry`` at the centres of ``energy``, for a source at a position [deg].

        ``gammapy``: as Gammapy 2.1 makes it, see `build_kernel`. ``exact``: the PSF is cut at the radius of its own
        energy and integrated over the pixels around the one that holds the source. ``grids`` keeps work that datasets
        with equal pixels share. Without a position the PSF is that of the map's centre.
        """
        sampled = self.profiles(lon, lat, frame)
        if conventions.is_exact:
            at = geometry.center() if lon is None or lat is None else (lon, lat)
            return self._spread(sampled, energy.center).kernel(geometry, *at, None if lon is None else frame)
        radii, _ = self._radii(sampled, self.energy.center, CONTAINMENT)
        r68, cumulative = self._radii(sampled, energy.center, 0.68)

        def outside(cut: Array) -> Array:
            inside = np.array([np.interp(r, self._fine_rad, row) for r, row in zip(cut, cumulative, strict=True)])
            total = np.where(cumulative[:, -1] > 0, cumulative[:, -1], 1.0)
            return np.asarray(np.clip(1.0 - inside / total, 0.0, 1.0))

        profiles = self.profiles_at(sampled, energy.center)
        return build_kernel((grids or KernelGrids()).of(geometry), self.rad, profiles, radii, r68, outside)

    def spread(
        self, energy: Array, lon: float | None = None, lat: float | None = None, frame: str | None = None
    ) -> PointSpread:
        """The PSF of a source at energies (n,) [TeV] for ``exact`` conventions: build it once, then move the source."""
        return self._spread(self.profiles(lon, lat, frame), energy)

    def kernel_at(
        self, geometry: WcsGeometry, energy: Array, lon: float, lat: float, frame: str | None = None
    ) -> PositionedKernel:
        """The PSF in pixels around the true position of a source, and its derivative: see `PointSpread.kernel_at`."""
        return self.spread(energy, lon, lat, frame).kernel_at(geometry, lon, lat, frame)

    def _spread(self, profiles: Array, energy: Array) -> PointSpread:
        position = np.clip(self.energy.pixel(energy), -0.5, self.energy.n_bins - 0.5)
        at = interpolation_matrix(position, self.energy.n_bins) @ profiles
        return PointSpread.from_profiles(self.rad, at)

    def _cumulative(self, profiles: Array) -> Array:
        """Part of the PSF inside each upper edge, (n_energy, n_rad)."""
        ring = 2.0 * np.pi * np.radians(self.rad.center) * np.radians(self.rad.width)
        return np.cumsum(profiles * ring, axis=1)

    @cached_property
    def _fine_rad(self) -> Array:
        """Centres of the rad axis cut into 20 (deg)."""
        n = self.rad.n_bins
        if self.rad.has_edges:
            edges = np.interp(np.linspace(0, n, n * _RADIUS_UPSAMPLING + 1), np.arange(n + 1), self.rad.edges)
            return 0.5 * (edges[1:] + edges[:-1])
        return np.interp(np.linspace(0, n - 1, (n - 1) * _RADIUS_UPSAMPLING + 1), np.arange(n), self.rad.center)

    @cached_property
    def _fine_weights(self) -> tuple[IntArray, Array, BoolArray]:
        """Interpolation between the upper rad edges at the fine radii; below the middle of the first ring all is 0."""
        upper = self.rad.hi
        index: IntArray = np.clip(np.searchsorted(upper, self._fine_rad, side="right") - 1, 0, len(upper) - 2)
        weight = (self._fine_rad - upper[index]) / (upper[index + 1] - upper[index])
        return index, weight, self._fine_rad >= 1.5 * upper[0] - 0.5 * upper[1]

    def _radii(self, profiles: Array, energy: Array, fraction: float) -> tuple[Array, Array]:
        """Containment radii (n,) [deg] and the containment at the fine radii (n, n_fine)."""
        index, weight, is_inside = self._fine_weights
        at_edges = center_matrix(self.energy, energy) @ self._cumulative(profiles)
        fine = np.diff(at_edges, axis=1).take(index, axis=1)
        fine *= weight
        fine += at_edges.take(index, axis=1)
        np.maximum(fine, 0.0, out=fine)
        fine[:, ~is_inside] = 0.0
        fine[(energy < self.energy.edges[0]) | (energy > self.energy.edges[-1])] = 0.0
        missing = fine - fraction
        return self._fine_rad[np.argmin(np.abs(missing, out=missing), axis=1)], fine
