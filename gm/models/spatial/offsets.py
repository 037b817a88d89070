"""The sky seen from a position: offsets to the east, to the north and along the line of sight, and their derivatives.

With ``n0`` the unit vector of the position (lon, lat) and its tangents ``east``, ``north``, a direction n has::

    east = n . e = sin(sep) sin(PA),   north = n . d = sin(sep) cos(PA),   along = n . n0 = cos(sep)

which keep all digits however small the separation is. The position angle PA goes from north to east.
"""

from __future__ import annotations

from functools import cached_property
from math import cos, radians, sin, sqrt
from typing import Self

import numpy as np

from gm.arrays import Array

_TINY = 1e-300
DEGREE = radians(1.0)
NOTHING = np.zeros(())


class Offsets:
    """Directions ``vectors`` (3, ...) as seen from lon, lat [deg].

    east, north, along : (...)
    versine : (...) 1 - cos(separation)
    separation : (...) [rad], computed when first asked for
    """

    def __init__(self, vectors: Array, lon: float, lat: float) -> None:
        turned = self._turn(lon, lat) @ vectors.reshape(3, -1)
        self.east, self.north, self.along = turned.reshape(vectors.shape)

    @classmethod
    def of(cls, east: Array, north: Array, along: Array, lon: float, lat: float) -> Self:
        """Directions that are known by their offsets."""
        offsets = cls.__new__(cls)
        offsets._turn(lon, lat)
        offsets.east, offsets.north, offsets.along = east, north, along
        return offsets

    def _turn(self, lon: float, lat: float) -> Array:
        """The rows are the unit vectors to the east, to the north and along the line of sight."""
        sin_lon, cos_lon, self._sin, self._cos = _sines(lon, lat)
        self._basis = np.array(
            [
                [-sin_lon, cos_lon, 0.0],
                [-self._sin * cos_lon, -self._sin * sin_lon, self._cos],
                [self._cos * cos_lon, self._cos * sin_lon, self._sin],
            ]
        )
        return self._basis

    def vectors(self) -> Array:
        """The directions as unit vectors (3, ...)."""
        return np.asarray(np.tensordot(self._basis.T, np.stack([self.east, self.north, self.along]), axes=1))

    @cached_property
    def sine2(self) -> Array:
        """sin^2(separation)."""
        return np.asarray(self.east * self.east + self.north * self.north)

    @cached_property
    def versine(self) -> Array:
        near: Array = self.sine2 / (1.0 + np.maximum(self.along, 0.0))
        return near if self.along.min(initial=1.0) >= 0 else np.where(self.along < 0, 1.0 - self.along, near)

    @cached_property
    def separation(self) -> Array:
        return np.asarray(np.arctan2(np.sqrt(self.sine2), self.along))

    def by_position(self, d_versine: Array, d_angle: Array | None) -> tuple[Array, Array]:
        """Derivatives by lon and lat [deg] of a function of separation and position angle.

        From its derivatives by the versine and, where it depends on it, by the position angle [rad].
        """
        by_versine = d_versine * -DEGREE
        d_lon, d_lat = self.east * by_versine, self.north * by_versine
        d_lon *= self._cos
        if d_angle is not None:
            by_angle = d_angle * DEGREE
            turn = by_angle * (self.along / np.maximum(self.sine2, _TINY))
            d_lat += turn * self.east
            d_lon += by_angle * self._sin - self._cos * turn * self.north
        return d_lon, d_lat


def _sines(lon: float, lat: float) -> tuple[float, float, float, float]:
    return sin(radians(lon)), cos(radians(lon)), sin(radians(lat)), cos(radians(lat))


def effective_radius(at: Offsets, major: float, e: float, phi: float) -> tuple[Array, Array, Array]:
    """Radius of an ellipse at position angles of any shape, and its derivatives by e and phi; angles [rad].

    ``a b / sqrt(a^2 sin^2(phi - PA) + b^2 cos^2(phi - PA))`` with ``b = a sqrt(1 - e^2)``; phi is the position angle of
    the major axis. The derivative by PA is minus that by phi, the one by the major axis is radius / major.
    """
    if e == 0:
        return np.full((), major), NOTHING, NOTHING
    q = axis_ratio(e)
    across, beside = sin(phi) * at.north - cos(phi) * at.east, cos(phi) * at.north + sin(phi) * at.east
    whole = np.maximum(at.sine2, _TINY)
    sine2 = across * across / whole
    s = np.maximum(sine2 + (q * q) * (beside * beside / whole), q * q)
    radius = (major * q) / np.sqrt(s)
    return radius, (-e / q**2) * radius * sine2 / s, (-e * e) * radius * (across * beside) / (s * whole)


def axis_ratio(e: float) -> float:
    """Minor over major axis, sqrt(1 - e^2), kept above 0."""
    return sqrt(max(1.0 - e * e, 1e-12))
