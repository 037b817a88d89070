r"""The PSF of one source, integrated over pixels wherever the source is: the ``exact`` conventions.

A radial profile is interpolated in the squared chord :math:`c = 4 \sin^2(r/2) = 2 - 2\, n \cdot s` between directions
:math:`n` and :math:`s`: a smooth function of both, also at the source itself, and with :math:`d\Omega = \pi\, dc` for a
ring. Between the nodes the profile is a monotone cubic (Fritsch & Butland 1984, SIAM J. Sci. Stat. Comput. 5, 300): it
has no negative values, and its derivative with respect to the position of the source is continuous.

Node values and node slopes enter linearly. Pixel integrals of all energies are therefore one product with matrices that
hold the geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, IntArray, distinct
from gm.irf.psf_kernel import CONTAINMENT, PsfKernel, odd_pixels
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import matrix
from gm.maps.sphere import unit_vectors

_ORDER = 5  # Gauss-Legendre points per side of a pixel, or of a part of it
_FINENESS = 0.5
_ROOM = 1.75  # pixels within which a source may move before its pixels need other points
_CORE = 0.2  # containment that defines the smallest scale of a PSF


@dataclass(frozen=True, eq=False)
class PositionedKernel:
    """PSF integrated over the pixels around a source.

    data : (n_energy, n_y, n_x) on the pixels ``y``, ``x`` of a map; the sum is 1 when all of the PSF is on the map
    gradient : (2, n_energy, n_y, n_x) [deg-1] derivatives with respect to the longitude and latitude of the source, in
        the frame in which it was given
    """

    data: Array
    gradient: Array
    y: slice
    x: slice


@dataclass(frozen=True, eq=False)
class PixelQuadrature:
    """Points inside pixels, to integrate over their solid angle.

    vectors : (3, n_pixels, n_points) in the geometry's frame; weights : (n_pixels, n_points) [sr], their sum is the
    solid angle of the pixel.
    """

    vectors: Array
    weights: Array

    @classmethod
    def of(cls, geometry: WcsGeometry, y: IntArray, x: IntArray, order: int = _ORDER) -> PixelQuadrature:
        """Gauss-Legendre points, ``order`` per side, of pixels with centres ``y``, ``x`` (n_pixels,)."""
        nodes, weights = np.polynomial.legendre.leggauss(order)
        nodes, weights = 0.5 * nodes, 0.5 * weights
        at_x = np.broadcast_to(x[:, None, None] + nodes, (len(x), order, order))
        at_y = np.broadcast_to(y[:, None, None] + nodes[:, None], (len(y), order, order))
        vectors = unit_vectors(*geometry.sky(at_x, at_y))
        slope = _differentiation(nodes)
        along_x, along_y = vectors @ slope.T, slope @ vectors
        squares = (along_x**2).sum(axis=0) * (along_y**2).sum(axis=0)
        area = np.sqrt(squares - (along_x * along_y).sum(axis=0) ** 2)
        solid_angle = np.nan_to_num(area * weights * weights[:, None])
        return cls(np.nan_to_num(vectors).reshape(3, len(x), order**2), solid_angle.reshape(len(x), order**2))


@dataclass(frozen=True, eq=False)
class PixelPoints:
    """Points inside some pixels of a map: groups of pixels with equally many points. Pixels in no group count as 0."""

    frame: str
    n_pixels: int
    parts: tuple[tuple[IntArray, PixelQuadrature], ...]


def _differentiation(nodes: Array) -> Array:
    """Matrix that gives the derivative at the nodes of the polynomial through the values there."""
    difference = nodes[:, None] - nodes
    np.fill_diagonal(difference, 1.0)
    product = difference.prod(axis=1)
    slope: Array = np.asarray(product[:, None] / (product * difference))
    np.fill_diagonal(slope, 0.0)
    np.fill_diagonal(slope, -slope.sum(axis=1))
    return slope


@dataclass(frozen=True, eq=False)
class PointSpread:
    """Radial profiles as monotone cubics in the squared chord.

    chord : (n_nodes,), from 0; values : (n_energy, n_nodes) [sr-1], slopes : the derivatives there
    radii : (n_energy,) [deg] where each profile is cut; its integral is 1, or 0 where there is no PSF
    core : radius [deg] that contains a fifth of the narrowest profile
    """

    chord: Array
    values: Array
    slopes: Array
    radii: Array
    core: float

    @classmethod
    def from_profiles(cls, rad: NodeAxis, profiles: Array) -> PointSpread:
        """From profiles (n_energy, n_rad) at the centres of ``rad``: cut where 0.999 are inside, then normalised."""
        center = np.append(rad.center, 2.0 * rad.center[-1] - rad.center[-2])
        values = np.concatenate([np.maximum(profiles, 0.0), np.zeros((len(profiles), 1))], axis=1)
        chord = _chord(center)
        if center[0] > 0:
            at_zero = values[:, 0] - (values[:, 1] - values[:, 0]) * chord[0] / (chord[1] - chord[0])
            chord = np.insert(chord, 0, 0.0)
            values = np.insert(values, 0, np.maximum(at_zero, 0.0), axis=1)
        inside = _cumulative(chord, values, _slopes(chord, values))
        last = (inside < CONTAINMENT * inside[:, -1:]).sum(axis=1)
        values = np.where(np.arange(len(chord)) <= last[:, None], values, 0.0)
        values[:, -1] = 0.0
        slopes = _slopes(chord, values)
        inside = _cumulative(chord, values, slopes)
        total = inside[:, -1:]
        scale = 1.0 / np.where(total > 0, total, 1.0)
        radius = np.degrees(2.0 * np.arcsin(0.5 * np.sqrt(chord)))
        core = [np.interp(_CORE, row / row[-1], radius) for row in inside if row[-1] > 0]
        cut = np.where(total[:, 0] > 0, radius[np.minimum(last + 1, len(radius) - 1)], 0.0)
        return cls(chord, values * scale, slopes * scale, cut, float(min(core, default=0.0)))

    def density(self, separation: Array) -> Array:
        """PSF (n_energy, n) [sr-1] at separations (n,) [deg]."""
        place = _locate(self.chord, _chord(separation)[:, None])
        return self._sums(_basis(place, np.ones((len(separation), 1)), len(self.chord)))

    def _sums(self, basis: tuple[Array, Array]) -> Array:
        """Sums over points (n_energy, n_pixels), from the matrices of node values and node slopes."""
        return np.asarray(self.values @ basis[0].T + self.slopes @ basis[1].T)

    def at(self, points: PixelPoints, lon: float, lat: float, frame: str | None = None) -> Array:
        """PSF in pixels (n_energy, n_pixels) around a source at a position [deg]."""
        source, _ = _source(lon, lat, frame or points.frame, points.frame)
        data = np.zeros((len(self.values), points.n_pixels))
        for chosen, part in points.parts:
            place = self._places(part, source)
            data[:, chosen] = self._sums(_basis(place, part.weights, len(self.chord)))
        return data

    def gradient(self, points: PixelPoints, lon: float, lat: float, frame: str | None = None) -> Array:
        """Derivatives (2, n_energy, n_pixels) [deg-1] of `at` with respect to the longitude and the latitude."""
        source, tangents = _source(lon, lat, frame or points.frame, points.frame)
        gradient = np.zeros((2, len(self.values), points.n_pixels))
        for chosen, part in points.parts:
            place = self._places(part, source)
            for i, tangent in enumerate(tangents):
                weights = part.weights * (-2.0 * np.tensordot(tangent, part.vectors, axes=1))
                gradient[i][:, chosen] = self._sums(_basis_slope(place, weights, len(self.chord)))
        return gradient

    def _places(self, part: PixelQuadrature, source: Array) -> _Place:
        return _locate(self.chord, np.maximum(2.0 - 2.0 * np.tensordot(source, part.vectors, axes=1), 0.0))

    def points(
        self, geometry: WcsGeometry, y: IntArray, x: IntArray, lon: float, lat: float, frame: str | None = None
    ) -> PixelPoints:
        """Points for pixels (n_pixels,) of a map, dense where a source near a position [deg] has a narrow PSF.

        The integral over each pixel is good to 1e-6 of the flux of a source that stays within a pixel of the position.
        With the same points the integrals are smooth functions of the position.
        """
        at_x, at_y = (float(value) for value in geometry.position(lon, lat, frame))
        scale = max(geometry.pixel_scales())
        n_parts = self._parts(np.hypot(y - at_y, x - at_x) * scale, scale)
        parts = []
        for n in distinct(n_parts[n_parts > 0]).tolist():
            chosen = np.flatnonzero(n_parts == n)
            order = _ORDER * n
            parts.append((chosen, PixelQuadrature.of(geometry, y[chosen], x[chosen], order)))
        return PixelPoints(geometry.frame, len(y), tuple(parts))

    def _parts(self, distance: Array, scale: float) -> NDArray[np.intp]:
        """Parts per side into which pixels of size ``scale`` at a distance [deg] are cut; 0 beyond the PSF."""
        smallest = np.maximum(self.core, (distance - _ROOM * scale) / 3.0) * _FINENESS
        parts = np.ceil(scale / np.maximum(smallest, scale / 16.0)).astype(np.intp)
        return np.where(distance > self.radii.max() + 2.0 * scale, 0, 1 << np.ceil(np.log2(parts)).astype(np.intp))

    def kernel_at(self, geometry: WcsGeometry, lon: float, lat: float, frame: str | None = None) -> PositionedKernel:
        """PSF in the pixels of a map around a source at a position [deg]."""
        x, y = (float(value) for value in geometry.position(lon, lat, frame))
        half = ceil(self.radii.max() / min(geometry.pixel_scales())) + 1
        rows, columns = _span(y, half, geometry.shape[0]), _span(x, half, geometry.shape[1])
        grid_y, grid_x = (axis.ravel() for axis in np.mgrid[rows, columns])
        points = self.points(geometry, grid_y, grid_x, lon, lat, frame)
        data, gradient = self.at(points, lon, lat, frame), self.gradient(points, lon, lat, frame)
        shape = rows.stop - rows.start, columns.stop - columns.start
        return PositionedKernel(data.reshape(-1, *shape), gradient.reshape(2, -1, *shape), rows, columns)

    def kernel(self, geometry: WcsGeometry, lon: float, lat: float, frame: str | None = None) -> PsfKernel:
        """PSF in pixels around the centre of the pixel that holds a position; pixels off the map are included."""
        x, y = (round(float(value)) for value in geometry.position(lon, lat, frame))
        size = odd_pixels(float(self.radii.max()), max(geometry.pixel_scales()))
        half = size // 2
        window = geometry.window(slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        grid_y, grid_x = (axis.ravel() for axis in np.mgrid[:size, :size])
        lon, lat = (float(value) for value in window.sky(half, half))
        data = self.at(self.points(window, grid_y, grid_x, lon, lat), lon, lat)
        total = data.sum(axis=1)
        data /= np.where(total > 0, total, 1.0)[:, None]
        lost = np.where(total > 0, 0.0, 1.0)
        return PsfKernel(data.astype(np.float32).reshape(-1, size, size), self.radii, lost)


def _source(lon: float, lat: float, frame: str, target: str) -> tuple[Array, Array]:
    """Unit vector (3,) of a position in another frame, and its derivatives (2, 3) [deg-1] by longitude and latitude."""
    sin_lon, cos_lon = np.sin(np.radians(lon)), np.cos(np.radians(lon))
    sin_lat, cos_lat = np.sin(np.radians(lat)), np.cos(np.radians(lat))
    east = np.array([-cos_lat * sin_lon, cos_lat * cos_lon, 0.0])
    north = np.array([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat])
    turn = matrix(frame, target)
    return turn @ unit_vectors(lon, lat), np.radians(np.array([turn @ east, turn @ north]))


def _span(center: float, half: int, size: int) -> slice:
    first = int(np.clip(round(center) - half, 0, size))
    return slice(first, max(first, min(round(center) + half + 1, size)))


def _chord(angle: Array) -> Array:
    """Squared chord of a separation [deg]."""
    return np.asarray(4.0 * np.sin(0.5 * np.radians(angle)) ** 2)


def _slopes(x: Array, y: Array) -> Array:
    """Slopes (n, n_nodes) of monotone cubics through ``y`` (n, n_nodes), 0 at the last node."""
    width = np.diff(x)
    secant = np.diff(y, axis=1) / width
    left, right = secant[:, :-1], secant[:, 1:]
    first, second = 2.0 * width[1:] + width[:-1], width[1:] + 2.0 * width[:-1]
    same = left * right > 0
    inner = (first + second) * left * right / np.where(same, first * right + second * left, 1.0)
    slopes = np.zeros_like(y)
    slopes[:, 1:-1] = np.where(same, inner, 0.0)
    start = ((2.0 * width[0] + width[1]) * secant[:, 0] - width[0] * secant[:, 1]) / (width[0] + width[1])
    limit = 3.0 * np.abs(secant[:, 0])
    slopes[:, 0] = np.where(start * secant[:, 0] > 0, np.clip(start, -limit, limit), 0.0)
    return slopes


def _cumulative(chord: Array, values: Array, slopes: Array) -> Array:
    """Integral over the sphere (n, n_nodes) from 0 to each node."""
    width = np.diff(chord)
    rings = width * (0.5 * (values[:, 1:] + values[:, :-1]) + width / 12.0 * (slopes[:, :-1] - slopes[:, 1:]))
    return np.asarray(np.pi * np.cumsum(np.pad(rings, ((0, 0), (1, 0))), axis=1))


class _Place(NamedTuple):
    """Points among the nodes: interval, whether inside the last node (0 or 1), place in the interval, its width."""

    interval: IntArray
    inside: Array
    t: Array
    width: Array


def _locate(nodes: Array, x: Array) -> _Place:
    index: IntArray = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    width = np.diff(nodes)[index]
    return _Place(index, (x <= nodes[-1]).astype(np.float64), (x - nodes[index]) / width, width)


def _basis(place: _Place, weights: Array, n_nodes: int) -> tuple[Array, Array]:
    """Matrices (n_pixels, n_nodes) by which node values and slopes enter the weighted sums over points."""
    index, inside, t, width = place
    weights = weights * inside
    right = weights * t * t * (3.0 - 2.0 * t)
    scaled = weights * width * t * (t - 1.0)
    return (
        _scatter(index, weights - right, right, n_nodes),
        _scatter(index, scaled * (t - 1.0), scaled * t, n_nodes),
    )


def _basis_slope(place: _Place, weights: Array, n_nodes: int) -> tuple[Array, Array]:
    """The same for sums over the derivative of the profile."""
    index, inside, t, width = place
    weights = weights * inside
    left = weights * 6.0 * t * (t - 1.0) / width
    return (
        _scatter(index, left, -left, n_nodes),
        _scatter(index, weights * ((3.0 * t - 4.0) * t + 1.0), weights * (3.0 * t - 2.0) * t, n_nodes),
    )


def _scatter(index: IntArray, left: Array, right: Array, n_nodes: int) -> Array:
    """Sums (n_pixels, n_nodes) of what points (n_pixels, n_points) add to the nodes left and right of them."""
    n_pixels = len(index)
    flat = (index + n_nodes * np.arange(n_pixels)[:, None]).ravel()
    total = np.bincount(flat, left.ravel(), n_pixels * n_nodes).astype(np.float64, copy=False)
    total += np.bincount(flat + 1, right.ravel(), n_pixels * n_nodes)
    return total.reshape(n_pixels, n_nodes)
