r"""Radial shapes as points on rings: sums over them are integrals over the sky, and move with the shape.

A shape is a function of :math:`\rho`, the separation over the radius of its ellipse at the position angle. With the
eccentric angle t a direction lies :math:`\rho (a \cos t, b \sin t)` from the centre, along the axes and as arcs, and

.. math:: d\Omega = \frac{\sin s}{s}\, a b\, \rho\, d\rho\, dt .

Both integrals converge exponentially for a smooth function: that over t in equal steps, that over rho by the nodes of
Gauss and Legendre between radii where the density has an edge. A density that ends as a root, a shell's, is a smooth
function of v with :math:`\rho^2 = \rho_1^2 - (\rho_1^2 - \rho_0^2)\, v^2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, pi, radians
from typing import Protocol

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.models.spatial.offsets import Offsets, axis_ratio

_SIZES = ("sigma", "r_0", "radius", "width")
_SMALLEST = 1e-3  # of the resolution: what is smaller is seen as large as this, to 1e-7 of the flux in any pixel
_BASE, _PER_STEP = 24, 1.6  # nodes along a radius, and how many more per length that is resolved
# Points of a ring: a Bessel function J_n(x) vanishes from n = x on. Their number changes with the shape, which fits do
# not feel with half as many again.
_BASE_TURN, _PER_STEP_TURN = 16, 4.8
_STEP = 1e-4  # of a resolution or a size, for derivatives by differences
_CORE = 6.5  # widths of the core that are its end


@dataclass(frozen=True)
class Rings:
    """The ellipses of a shape: semi-major axis [deg], eccentricity, position angle [deg], and its radii in these units.

    edges : (n,) increasing, from 0 to where nothing, or no more than 1e-9 of the flux, lies beyond
    is_rooted : whether the density ends at the edges as a root
    smooth : [deg] width of a Gaussian that is as smooth as the density, but for its centre; 0 where it has edges
    is_cusped : whether it is not smooth in its centre
    """

    major: float
    e: float
    phi: float
    edges: tuple[float, ...]
    is_rooted: bool = False
    smooth: float = 0.0
    is_cusped: bool = False


class RingedShape(Protocol):
    """What is put on rings; the parameters are longitude, latitude and ``shape``."""

    paths: tuple[str, ...]

    def sized(self, values: Array, least: float) -> Array: ...
    def rings(self, shape: Array) -> Rings: ...
    def surface(self, at: Offsets, shape: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class RingLayout:
    """Where on which rings the points are, as numbers that stay when the shape changes a little.

    zone : (n,) between which edges; node, weight : (n,) of Gauss and Legendre on 0 to 1; angle : (n,) eccentric;
    step : (n,) the part of the turn that a point stands for
    resolution : [deg] of the functions that are summed; core : [deg] of the shape times `core_part` alone
    """

    zone: IntArray
    node: Array
    weight: Array
    angle: Array
    step: Array
    resolution: float
    core: float | None

    @classmethod
    def of(cls, model: RingedShape, values: Array, resolution: float, core: float | None = None) -> RingLayout:
        """For sums of functions with nothing shorter than two lengths ``resolution`` [deg]."""
        whole = model.rings(model.sized(values, smallest(resolution))[2:])
        rings, turn = _cored(whole, core), 1.0 if core is None else 1.0 / axis_ratio(whole.e)
        steps, parts = rings.major / resolution, []
        for zone, (inner, outer) in enumerate(zip(rings.edges[:-1], rings.edges[1:], strict=True)):
            node, weight = _legendre(_BASE + ceil(_PER_STEP * (outer - inner) * steps))
            rho, _ = _radii(inner, outer, node, is_rooted=rings.is_rooted)
            n_turn = np.ceil(turn * (_BASE_TURN + _PER_STEP_TURN * steps * rho)).astype(np.intp)
            ring = np.repeat(np.arange(node.size), n_turn)
            within = np.arange(ring.size) - np.repeat(np.cumsum(n_turn) - n_turn, n_turn)
            step = 2.0 * pi / n_turn[ring]
            parts.append((np.full(ring.size, zone), node[ring], weight[ring], (within + 0.5) * step, step))
        zones, nodes, weights, angles, turns = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(zones, nodes, weights, angles, turns, resolution, core)

    def points(self, model: RingedShape, values: Array) -> tuple[Array, Array]:
        """Unit vectors (3, n) in the frame of the model, and fluxes (n,), which add up to that of the shape."""
        shape = model.sized(values, smallest(self.resolution))[2:]
        rings = _cored(model.rings(shape), self.core)
        edges, ratio, major = np.array(rings.edges), axis_ratio(rings.e), radians(rings.major)
        rho, area = _radii(edges[self.zone], edges[self.zone + 1], self.node, is_rooted=rings.is_rooted)
        along, across = rho * major * np.cos(self.angle), rho * major * ratio * np.sin(self.angle)
        separation = np.hypot(along, across)
        sinc = np.sinc(separation / pi)
        cos, sin = np.cos(radians(rings.phi)), np.sin(radians(rings.phi))
        north, east = sinc * (along * cos - across * sin), sinc * (along * sin + across * cos)
        at = Offsets.of(east, north, np.cos(separation), values[0], values[1])
        flux = model.surface(at, shape) * (area * self.weight * self.step * sinc * (major**2 * ratio))
        return at.vectors(), flux if self.core is None else flux * core_part(at, self.core)

    def parts(self, n: int) -> Iterator[RingLayout]:
        """The layout in parts of n points."""
        return (self.cut(slice(start, start + n)) for start in range(0, self.zone.size, n))

    def cut(self, which: slice | BoolArray) -> RingLayout:
        """Some of the points."""
        parts = {name: getattr(self, name)[which] for name in ("zone", "node", "weight", "angle", "step")}
        return replace(self, **parts)


def core_part(at: Offsets, core: float) -> Array:
    """1 in the centre of a shape, 0 some widths ``core`` [deg] off, and smooth; in the shape of ``at``."""
    return np.asarray(np.exp(at.versine / -(radians(core) ** 2)))


def steps_of(model: RingedShape, values: Array, resolution: float) -> Array:
    """Steps for differences of points, (n_par,): small before the resolution and the size of a shape."""
    sizes = [value for name, value in zip(model.paths, values, strict=True) if name in _SIZES]
    length = min(resolution, max(smallest(resolution), *sizes))
    by_name = {"phi": 10.0, **dict.fromkeys(("lon_0", "lat_0"), resolution), **dict.fromkeys(_SIZES, length)}
    return np.array([_STEP * by_name.get(name, 0.1) for name in model.paths])


def smallest(resolution: float) -> float:
    """Size [deg] of the smallest shape that is told from a point."""
    return _SMALLEST * resolution


def sides(model: RingedShape, values: Array, k: int, step: float, least: float) -> tuple[Array, Array, float]:
    """Values with more and less of one parameter, and their difference: one-sided where it ends, 0 where none counts.

    least : size [deg] that a shape has at least

    values : (n_par,)
    """
    steps = np.eye(len(values))[k] * step
    more, less = model.sized(values + steps, least), model.sized(values - steps, least)
    return more, less, float(more[k] - less[k])


@lru_cache(maxsize=64)
def _legendre(n: int) -> tuple[Array, Array]:
    """The nodes of Gauss and Legendre on 0 to 1, and their weights."""
    t, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (t + 1.0), 0.5 * w


def _cored(rings: Rings, core: float | None) -> Rings:
    """Rings that hold the core, or all."""
    return rings if core is None else Rings(core, 0.0, 0.0, (0.0, _CORE))


def _radii(inner: Array | float, outer: Array | float, node: Array, *, is_rooted: bool) -> tuple[Array, Array]:
    """Radii at nodes on 0 to 1 between edges, and ``rho d rho`` per length of a node."""
    if is_rooted:
        square = outer**2 - inner**2
        return np.sqrt(np.maximum(outer**2 - square * node**2, 0.0)), square * node
    rho = inner + (outer - inner) * node
    return rho, rho * (outer - inner)
