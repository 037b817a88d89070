"""Rotations between sky frames: constant matrices, so that no fit waits for ``astropy.coordinates`` to be imported.

ICRS to FK5 (J2000) is the frame bias (USNO Circular 179, chapter 3), FK5 to Galactic the definition of the Galactic
pole and origin with the digits that astropy uses. Other frames that astropy knows by name are left to astropy.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.maps.sphere import lon_lat, unit_vectors

FRAMES = ("icrs", "galactic", "fk5")

_ARCSEC = 1.0 / 3600.0
_GALACTIC_POLE = (192.8594812065348, 27.12825118085622)  # FK5 J2000 [deg]
_GALACTIC_LON_OF_POLE = 122.9319185680026  # Galactic longitude of the FK5 pole [deg]


def rotate(lon: ArrayLike, lat: ArrayLike, frame_from: str, frame_to: str) -> tuple[Array, Array]:
    """Longitude in [0, 360) and latitude [deg] in ``frame_to`` of positions [deg] in ``frame_from``, broadcast.

    Raises `DataError` when a frame is unknown.
    """
    if frame_from == frame_to:
        return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if frame_from in FRAMES and frame_to in FRAMES:
        return lon_lat(np.tensordot(matrix(frame_from, frame_to), unit_vectors(lon, lat), axes=1))
    return _rotate_with_astropy(lon, lat, frame_from, frame_to)


@cache
def matrix(frame_from: str, frame_to: str) -> Array:
    """The matrix ``(3, 3)`` that turns unit vectors of one frame into those of another. Raises `DataError`."""
    for frame in (frame_from, frame_to):
        if frame not in FRAMES:
            raise DataError(f"sky frame '{frame}' is not supported here\n    {suggest(frame, FRAMES)}")
    rotation = _from_icrs(frame_to) @ _from_icrs(frame_from).T
    rotation.flags.writeable = False
    return rotation


def _from_icrs(frame: str) -> Array:
    if frame == "icrs":
        return np.eye(3)
    bias = _turn(0.0199 * _ARCSEC, 0) @ _turn(0.0091 * _ARCSEC, 1) @ _turn(-0.0229 * _ARCSEC, 2)
    if frame == "fk5":
        return bias
    lon, lat = _GALACTIC_POLE
    to_galactic = _turn(180.0 - _GALACTIC_LON_OF_POLE, 2) @ _turn(90.0 - lat, 1) @ _turn(lon, 2)
    return np.asarray(to_galactic @ bias)


def _turn(angle: float, axis: int) -> Array:
    """Rotation of the coordinate axes by ``angle`` [deg] around axis 0, 1 or 2, counter-clockwise."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    turn = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = sine, -sine
    return turn


def _rotate_with_astropy(lon: ArrayLike, lat: ArrayLike, frame_from: str, frame_to: str) -> tuple[Array, Array]:
    from astropy.coordinates import SkyCoord

    try:
        position = SkyCoord(np.asarray(lon), np.asarray(lat), unit="deg", frame=frame_from).transform_to(frame_to)
        spherical = position.spherical
        return np.asarray(spherical.lon.deg), np.asarray(spherical.lat.deg)
    except ValueError as error:
        raise DataError(f"no positions in '{frame_to}' from those in '{frame_from}': {error}") from error
