"""Positions on the sphere: unit vectors, great-circle separations and position angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Unit vectors ``(3, ...)`` of positions [deg]."""
    lon, lat = np.radians(lon, dtype=np.float64), np.radians(lat, dtype=np.float64)
    cosine = np.cos(lat)
    return np.stack([cosine * np.cos(lon), cosine * np.sin(lon), np.broadcast_to(np.sin(lat), np.shape(cosine * lon))])


def lon_lat(vectors: Array) -> tuple[Array, Array]:
    """Longitude in [0, 360) and latitude [deg] of vectors ``(3, ...)`` of any length above 0."""
    x, y, z = vectors
    lon = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(lon == 360.0, 0.0, lon), np.degrees(np.arctan2(z, np.hypot(x, y)))


def separation(lon: ArrayLike, lat: ArrayLike, other_lon: ArrayLike, other_lat: ArrayLike) -> Array:
    """Great-circle separation [deg] of positions [deg], broadcast; exact at every distance.

    Source: Vincenty's formula on the sphere (1975, Survey Review 23, 88).
    """
    d_lon = np.radians(np.subtract(other_lon, lon, dtype=np.float64))
    lat, other_lat = np.radians(lat, dtype=np.float64), np.radians(other_lat, dtype=np.float64)
    sine, cosine, other_sine, other_cosine = np.sin(lat), np.cos(lat), np.sin(other_lat), np.cos(other_lat)
    across, ahead = other_cosine * np.sin(d_lon), other_cosine * np.cos(d_lon)
    along = cosine * other_sine - sine * ahead
    inside = sine * other_sine + cosine * ahead
    return np.asarray(np.degrees(np.arctan2(np.hypot(across, along), inside)))


def offset_north(lon: float, lat: float, distance: float) -> tuple[float, float]:
    """The position [deg] at a distance [deg] north of another, beyond the pole on the other side."""
    x, y, z = unit_vectors(lon, 0.0)
    angle = np.radians(lat + distance)
    there = lon_lat(np.array([x * np.cos(angle), y * np.cos(angle), z + np.sin(angle)]))
    return float(there[0]), float(there[1])


def position_angle(lon: ArrayLike, lat: ArrayLike, other_lon: ArrayLike, other_lat: ArrayLike) -> Array:
    """Direction in [0, 360) [deg] from a position to the other [deg], broadcast: from north (+lat) to east (+lon)."""
    d_lon = np.radians(np.subtract(other_lon, lon, dtype=np.float64))
    lat, other_lat = np.radians(lat, dtype=np.float64), np.radians(other_lat, dtype=np.float64)
    across = np.sin(d_lon) * np.cos(other_lat)
    along = np.sin(other_lat) * np.cos(lat) - np.cos(other_lat) * np.sin(lat) * np.cos(d_lon)
    return np.asarray(np.degrees(np.arctan2(across, along)) % 360.0)
