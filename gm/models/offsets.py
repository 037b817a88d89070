"""The sky seen from a position: offsets to the east, to the north and along the line of sight, and their derivatives.

With ``n0`` the unit vector of the position (lon, lat) and its tangents ``east``, ``north``, a direction n has::

    east = n . e = sin(sep) sin(PA),   north = n . d = sin(sep) cos(PA),   along = n . n0 = cos(sep)

which keep all digits however small the separation is. The position angle PA goes from north to east.
"""

from __future__ import annotations

from functools import cached_property
from math import cos, radians, sin, sqrt

import numpy as np

from gm.arrays import Array

_TINY = 1e-300
DEGREE = radians(1.0)


class Offsets:
    """Directions ``vectors`` (3, ...) as seen from lon, lat [deg].

    east, north, along : (...)
    versine : (...) 1 - cos(separation)
    separation, position_angle : (...) [rad], computed when first asked for
    """

    def __init__(self, vectors: Array, lon: float, lat: float) -> None:
        sin_lon, cos_lon, self._sin, self._cos = _sines(lon, lat)
        basis = np.array(
            [
                [-sin_lon, cos_lon, 0.0],
                [-self._sin * cos_lon, -self._sin * sin_lon, self._cos],
                [self._cos * cos_lon, self._cos * sin_lon, self._sin],
            ]
        )
        turned = basis @ vectors.reshape(3, -1)
        self.east, self.north, self.along = turned.reshape(vectors.shape)

    @cached_property
    def _sine2(self) -> Array:
        return np.asarray(self.east * self.east + self.north * self.north)

    @cached_property
    def versine(self) -> Array:
        near: Array = self._sine2 / (1.0 + np.maximum(self.along, 0.0))
        return near if self.along.min(initial=1.0) >= 0 else np.where(self.along < 0, 1.0 - self.along, near)

    @cached_property
    def separation(self) -> Array:
        return np.asarray(np.arctan2(np.sqrt(self._sine2), self.along))

    @cached_property
    def position_angle(self) -> Array:
        return np.asarray(np.arctan2(self.east, self.north))

    def by_position(self, d_versine: Array, d_angle: Array | None) -> tuple[Array, Array]:
        """Derivatives by lon and lat [deg] of a function of separation and position angle.

        From its derivatives by the versine and, where it depends on it, by the position angle [rad].
        """
        d_lon, d_lat = -self._cos * self.east * d_versine, -self.north * d_versine
        if d_angle is not None:
            turn = d_angle * (self.along / np.maximum(self._sine2, _TINY))
            d_lat += turn * self.east
            d_lon += d_angle * self._sin - self._cos * turn * self.north
        return d_lon * DEGREE, d_lat * DEGREE


def _sines(lon: float, lat: float) -> tuple[float, float, float, float]:
    return sin(radians(lon)), cos(radians(lon)), sin(radians(lat)), cos(radians(lat))


def effective_radius(major: float, e: float, phi: float, angle: Array) -> tuple[Array, Array, Array]:
    """Radius of an ellipse at position angles, and its derivatives by e and by phi; all angles [rad].

    ``a b / sqrt(a^2 sin^2(phi - PA) + b^2 cos^2(phi - PA))`` with ``b = a sqrt(1 - e^2)``; phi is the position angle of
    the major axis. The derivative by PA is minus that by phi, the one by the major axis is radius / major.
    """
    q = axis_ratio(e)
    sine, cosine = np.sin(phi - angle), np.cos(phi - angle)
    s = sine * sine + (q * q) * (cosine * cosine)
    radius = (major * q) / np.sqrt(s)
    d_e = -(e / q) * radius * (sine * sine) / (s * q)
    return radius, d_e, -(e * e) * radius * (sine * cosine) / s


def axis_ratio(e: float) -> float:
    """Minor over major axis, sqrt(1 - e^2), kept above 0."""
    return sqrt(max(1.0 - e * e, 1e-12))
