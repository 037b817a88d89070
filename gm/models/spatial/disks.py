"""Disks and projected shells."""

from __future__ import annotations

from math import pi, radians, sqrt

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spatial.base import ECCENTRICITY, LAT, LEAST, LON, LONGEST, PHI, RadialModel
from gm.models.spatial.offsets import DEGREE, Offsets, axis_ratio, effective_radius
from gm.models.spatial.rings import Rings

_EDGE = 2.326174307353347  # the edge width spans 95 % to 5 % of the amplitude
_WIDE = 2.0  # edge widths within which a disk falls from all but 1e-10 to 1e-10
_TINY = 1e-300
_THINNEST = 1e-6  # of its radius: a shell
_HOLE = 0.35  # pixels, of a shell's inner radius that a fit tells from none
_FILLED = 0.97  # width, of its radius, of a shell that a fit tells from a ball: it lacks 3e-5 of the volume
_N_NODES = 1024


class DiskSpatialModel(RadialModel):
    """Disk of radius ``r_0``, eccentricity ``e``, with an edge that is ``edge_width`` of the radius wide.

    ``(1 - erf(2.326 (sep - r) / (edge_width r))) / 2`` over the solid angle inside the ellipse, r its radius at the
    position angle.
    """

    tags = ("DiskSpatialModel", "disk")
    lon_0 = LON
    lat_0 = LAT
    r_0 = Default(1.0, "deg", min=0.0)
    e = ECCENTRICITY
    phi = PHI
    edge_width = Default(0.01, min=0.0, max=1.0, frozen=True)

    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        return {"r_0": (2 * least, most), "e": (0.0, LONGEST)}

    def evaluation_radius(self, values: Array) -> float:
        return float(1.1 * values[2] * (1.0 + values[5]))

    def bin_min(self, values: Array) -> float:
        return float(values[2] * (1.0 - values[5]) / 10.0)

    def rings(self, shape: Array) -> Rings:
        major, e, phi, width = (float(value) for value in shape)
        edges = (0.0, max(1.0 - _WIDE * width, 0.0), 1.0 + _WIDE * width)
        return Rings(major, e, phi if e else 0.0, edges)

    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool]:
        at = Offsets(vectors, values[0], values[1])
        r, _, _ = effective_radius(at, radians(values[2]), float(values[3]), radians(values[4]))
        # Of an ellipse the distance along the radius is too long by the axis ratio, at most.
        distance = np.degrees(np.abs(at.separation - r)) * axis_ratio(float(values[3]))
        return distance, max(float(values[5]), 1e-3) * axis_ratio(float(values[3])) * float(values[2]), False

    def surface(self, at: Offsets, shape: Array) -> Array:
        from scipy.special import erf

        r, _, _ = effective_radius(at, radians(shape[0]), float(shape[1]), radians(shape[2]))
        norm, _, _ = _disk_norm(shape[0], shape[1])
        return np.asarray(0.5 * norm * (1.0 - erf(_edge(shape) * (at.separation / r - 1.0))))

    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        from scipy.special import erf

        r, d_e, d_phi = effective_radius(at, radians(shape[0]), float(shape[1]), radians(shape[2]))
        norm, norm_by_r, norm_by_e = _disk_norm(shape[0], shape[1])
        edge, z = _edge(shape), at.separation / r
        t = edge * (z - 1.0)
        inside = 0.5 * (1.0 - erf(t))
        bell = norm / sqrt(pi) * np.exp(-t * t)  # -d density / dt
        by_r = bell * edge * z / r
        d_versine = -bell * edge / np.maximum(r * np.sin(at.separation), _TINY)
        rows = [
            norm_by_r * inside + by_r * (r / shape[0]),
            norm_by_e * inside + by_r * d_e,
            by_r * d_phi * DEGREE,
            bell * t * (edge / _EDGE),
        ]
        return norm * inside, d_versine, -by_r * d_phi, rows


def _edge(shape: Array) -> float:
    return _EDGE / max(float(shape[3]), 1e-9)


def _disk_norm(r_0: float, e: float) -> tuple[float, float, float]:
    """1 / (solid angle inside the ellipse on the sphere), and its derivatives by r_0 [deg] and e.

    The solid angle is ``2 int_0^pi 1 - sqrt(1 - h) dx``, ``1/h = cos^2(x) / sin^2(r_0) + sin^2(x) / sin^2(b)``, of a
    periodic function: equal steps converge exponentially.
    """
    a, q = radians(r_0), axis_ratio(e)
    if e == 0:
        area = 4.0 * pi * np.sin(0.5 * a) ** 2
        return 1.0 / area, -2.0 * pi * np.sin(a) / area**2 * DEGREE, 0.0
    x = (np.arange(_N_NODES) + 0.5) * (pi / _N_NODES)
    b, cos2, sin2 = a * q, np.cos(x) ** 2, np.sin(x) ** 2
    h = 1.0 / (cos2 / np.sin(a) ** 2 + sin2 / np.sin(b) ** 2)
    root = np.sqrt(1.0 - h)
    step = 2.0 * pi / _N_NODES
    area = step * np.sum(h / (1.0 + root))
    by_a = step * np.sum(h * h * cos2 / root) * np.cos(a) / np.sin(a) ** 3
    by_b = step * np.sum(h * h * sin2 / root) * np.cos(b) / np.sin(b) ** 3
    return float(1.0 / area), float(-(by_a + q * by_b) / area**2 * DEGREE), float(by_b * a * e / q / area**2)


class ShellSpatialModel(RadialModel):
    """Projected shell of inner ``radius`` and ``width``.

    ``3 (sqrt(Ro^2 - sep^2) - sqrt(Ri^2 - sep^2)) / (2 pi (Ro^3 - Ri^3))``, a root of a negative number counting as 0.
    """

    tags = ("ShellSpatialModel", "shell")
    lon_0 = LON
    lat_0 = LAT
    radius = Default(1.0, "deg")
    width = Default(0.2, "deg")

    def sized(self, values: Array, least: float = LEAST) -> Array:
        radius = max(values[2], 0.0)
        return np.array([*values[:2], radius, max(values[3], least - radius, _THINNEST * radius)])

    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        return {"radius": (_HOLE * pixel, most), "width": (least, most)}

    def evaluation_radius(self, values: Array) -> float:
        return float(values[2] + values[3])

    def bin_min(self, values: Array) -> float:
        return float(values[3])

    def rings(self, shape: Array) -> Rings:
        return _shell_rings(float(shape[0]), float(shape[0] + shape[1]))

    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool]:
        return _shell_edges(Offsets(vectors, values[0], values[1]), values[2], values[2] + values[3])

    def surface(self, at: Offsets, shape: Array) -> Array:
        return _shell(at.separation, radians(shape[0]), radians(shape[0] + shape[1]))

    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        density, d_versine, d_inner, d_outer = _shell_gradient(at, radians(shape[0]), radians(shape[0] + shape[1]))
        return density, d_versine, None, [(d_inner + d_outer) * DEGREE, d_outer * DEGREE]


class Shell2SpatialModel(RadialModel):
    """Projected shell of outer radius ``r_0`` and relative width ``eta``."""

    tags = ("Shell2SpatialModel", "shell2")
    lon_0 = LON
    lat_0 = LAT
    r_0 = Default(1.0, "deg")
    eta = Default(0.2, min=0.02, max=1.0)

    def sized(self, values: Array, least: float = LEAST) -> Array:
        return np.array([*values[:2], max(values[2], least), min(max(values[3], _THINNEST), 1.0)])

    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        return {"r_0": (2 * least, most), "eta": (0.01, _FILLED)}

    def evaluation_radius(self, values: Array) -> float:
        return float(values[2])

    def bin_min(self, values: Array) -> float:
        return float(values[3] * values[2])

    def rings(self, shape: Array) -> Rings:
        return _shell_rings(float(shape[0] * (1.0 - shape[1])), float(shape[0]))

    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool]:
        return _shell_edges(Offsets(vectors, values[0], values[1]), values[2] * (1.0 - values[3]), values[2])

    def surface(self, at: Offsets, shape: Array) -> Array:
        return _shell(at.separation, radians(shape[0] * (1.0 - shape[1])), radians(shape[0]))

    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        outer, eta = radians(shape[0]), float(shape[1])
        density, d_versine, d_inner, d_outer = _shell_gradient(at, (1.0 - eta) * outer, outer)
        return density, d_versine, None, [(d_outer + (1.0 - eta) * d_inner) * DEGREE, -outer * d_inner]


def _shell(separation: Array, inner: float, outer: float) -> Array:
    s2 = separation * separation
    depth = np.sqrt(np.maximum(outer**2 - s2, 0.0)) - np.sqrt(np.maximum(inner**2 - s2, 0.0))
    return np.asarray(_shell_norm(inner, outer) * depth)


def _shell_gradient(at: Offsets, inner: float, outer: float) -> tuple[Array, Array, Array, Array]:
    """Density, and its derivatives by the versine, the inner and the outer radius [rad]."""
    norm = _shell_norm(inner, outer)
    s2 = at.separation * at.separation
    front, back = np.sqrt(np.maximum(outer**2 - s2, 0.0)), np.sqrt(np.maximum(inner**2 - s2, 0.0))
    # At its edges a shell is steeper than any number: derivatives end one millionth of the radius before.
    with np.errstate(divide="ignore"):
        by_front = np.where(front > 1e-6 * outer, 1.0 / front, 0.0)
        by_back = np.where(back > 1e-6 * inner, 1.0 / back, 0.0)
    density = norm * (front - back)
    scale = 2.0 * pi * norm / 3.0  # 1 / (Ro^3 - Ri^3)
    d_inner = 3.0 * inner**2 * scale * density - norm * inner * by_back
    d_outer = -3.0 * outer**2 * scale * density + norm * outer * by_front
    over_sine = at.separation / np.maximum(np.sin(at.separation), _TINY)
    return density, norm * (by_back - by_front) * over_sine, d_inner, d_outer


def _shell_rings(inner: float, outer: float) -> Rings:
    return Rings(outer, 0.0, 0.0, (0.0, max(inner / max(outer, _TINY), 0.0), 1.0), is_rooted=True)


def _shell_edges(at: Offsets, inner: float, outer: float) -> tuple[Array, float, bool]:
    separation = np.degrees(at.separation)
    return np.minimum(np.abs(separation - inner), np.abs(separation - outer)), 1e-2 * float(outer), True


def _shell_norm(inner: float, outer: float) -> float:
    return 3.0 / (2.0 * pi * (outer**3 - inner**3))
