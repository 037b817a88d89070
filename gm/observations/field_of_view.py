"""Coordinates in the field of view of an observation, and the background that is expected there.

``fov_lat`` increases with declination (or altitude), ``fov_lon`` towards decreasing right ascension (or azimuth), as
Gammapy 2.1 has them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.maps.axes import EnergyAxis
from gm.observations.observation import Observation
from gm.observations.pointing import altaz

_TURN = 360.0 / 86400.0  # [deg / s] of the Earth, as Gammapy counts it: per solar day


def fov_coordinates(
    lon: ArrayLike, lat: ArrayLike, center_lon: ArrayLike, center_lat: ArrayLike
) -> tuple[Array, Array]:
    """``fov_lon`` and ``fov_lat`` [deg] of positions around a centre [deg], broadcast."""
    d_lon = np.radians(np.subtract(lon, center_lon, dtype=np.float64))
    lat, center_lat = np.radians(lat, dtype=np.float64), np.radians(center_lat, dtype=np.float64)
    cosine, sine, center_cosine, center_sine = np.cos(lat), np.sin(lat), np.cos(center_lat), np.sin(center_lat)
    ahead = cosine * np.cos(d_lon)
    x = ahead * center_cosine + sine * center_sine
    y = cosine * np.sin(d_lon)
    z = sine * center_cosine - ahead * center_sine
    return np.asarray(-np.degrees(np.arctan2(y, x))), np.asarray(np.degrees(np.arctan2(z, np.hypot(x, y))))


def expected_background(
    observation: Observation, energy: EnergyAxis, lon: ArrayLike, lat: ArrayLike, rotation_step: float = 1.0
) -> Array:
    """Counts per solid angle ``(n_energy, *broadcast)`` [sr-1] in the bins of an axis at ICRS positions [deg].

    The rate of the background table times the time of the observation, without a correction for dead time, as GADF
    defines it. A table along altitude is averaged over the observation, in steps in which the field turns by
    ``rotation_step`` [deg]. Raises `DataError`.
    """
    table, lon, lat = observation.bkg, np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if table.alignment == "SKY":
        return table.integral(energy, lon, lat) * table.periods(observation.ontime())
    if table.alignment != "ALTAZ":
        fov = fov_coordinates(lon, lat, *observation.pointing_icrs())
        return table.integral(energy, *fov) * observation.ontime()
    times, reference = rotation_times(observation, rotation_step), observation.gti.reference
    site, total = observation.pointing.site, np.zeros((energy.n_bins, *np.broadcast_shapes(lon.shape, lat.shape)))
    weights = np.convolve(np.diff(times), [0.5, 0.5])  # of the trapezoidal rule
    for time, weight in zip(times.tolist(), weights.tolist(), strict=True):
        center = observation.pointing.altaz(time, reference)
        total += weight * table.integral(energy, *fov_coordinates(*altaz(lon, lat, site, time, reference), *center))
    return np.asarray(total * (observation.ontime() / (times[-1] - times[0])))


def rotation_times(observation: Observation, rotation_step: float) -> Array:
    """Times (n,) [s] from the start of an observation between which its field turns by ``rotation_step`` [deg].

    At least a second apart. Source: Gammapy 2.1, ``_compute_rotation_time_steps``.
    """
    gti, pointing = observation.gti, observation.pointing
    time, stop = float(gti.start[0]), float(gti.start[0] + gti.duration())
    times = [time]
    while time < stop:
        az, alt = (np.radians(float(angle)) for angle in pointing.altaz(time, gti.reference))
        latitude = np.radians(pointing.site[1] if pointing.site else 0.0)
        rate = _TURN * np.cos(latitude) * abs(np.cos(az)) / np.cos(alt)
        time = min(time + max(rotation_step / rate if rate > 0.0 else np.inf, 1.0), stop)
        times.append(time)
    return np.array(times)
