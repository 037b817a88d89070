"""Background rates in the pixels of a map, for fields of view that are aligned with the sky or with the horizon."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.irf.tables import Background2D, BackgroundTable
from gm.makers.pixels import FieldOfView, Pixels
from gm.maps.axes import EnergyAxis
from gm.maps.sphere import lon_lat, unit_vectors
from gm.observations import Observation
from gm.observations.pointing import altaz

_SECONDS = 86400.0
_SHORTEST = 1.0  # [s]


def background_rates(
    observation: Observation, energy: EnergyAxis, pixels: Pixels, seen: FieldOfView, step: float
) -> Array:
    """Rates ``(n_energy, n_y, n_x)`` [s-1 sr-1] in bins of energy, averaged over the observation.

    seen : the pixels in a field of view that is aligned with the sky; step : [deg] by which one that is aligned with
    the horizon may turn between two times at which rates are taken, joined by the trapezoidal rule. Raises `DataError`.
    """
    table: BackgroundTable = observation.bkg
    if isinstance(table, Background2D) or table.alignment != "ALTAZ":
        return table.integral(energy, seen.lon, seen.lat)
    times = _times(observation, step)
    rates = 0.0
    weights = _trapezoid(times)
    for time, weight in zip(times.tolist(), weights.tolist(), strict=True):
        lon, lat = _in_horizon(observation, pixels, time)
        rates = rates + weight * table.integral(energy, lon, lat)
    return np.asarray(rates)


def _trapezoid(times: Array) -> Array:
    """Weights of values at times, such that they average."""
    steps = np.diff(times)
    weights = np.zeros(times.shape)
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    return np.asarray(weights / weights.sum())


def _times(observation: Observation, step: float) -> Array:
    """Times [s] between which the field of view turns by ``step`` [deg], as fast as it turns at their beginning.

    Rotation per time: ``360 deg / day cos(latitude) |cos(azimuth)| / cos(altitude)``.
    """
    gti = observation.gti
    time = float(gti.start[0])
    stop = time + observation.ontime()
    times = [time]
    while time < stop:
        azimuth, altitude = (np.radians(float(a)) for a in observation.pointing.altaz(time, gti.reference))
        assert observation.pointing.site is not None
        latitude = np.radians(observation.pointing.site[1])
        speed = 360.0 / _SECONDS * np.cos(latitude) * abs(np.cos(azimuth)) / np.cos(altitude)
        time = min(time + max(step / max(speed, 1e-12), _SHORTEST), stop)
        times.append(time)
    return np.array(times)


def _in_horizon(observation: Observation, pixels: Pixels, time: float) -> tuple[Array, Array]:
    """Longitude towards decreasing azimuth and latitude towards increasing altitude [deg] of pixels at a time."""
    pointing, reference = observation.pointing, observation.gti.reference
    azimuth, altitude = (float(angle) for angle in pointing.altaz(time, reference))
    there = altaz(*lon_lat(pixels.vectors), pointing.site, time, reference)
    seen = Pixels(pixels.geometry, unit_vectors(*there), pixels.solid_angle).field_of_view(azimuth, altitude)
    return seen.lon, seen.lat
