"""Where the telescopes pointed: to a fixed place on the sky, or to a fixed place above the ground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.fits import Extension
from gm.maps.sphere import lon_lat, separation, unit_vectors
from gm.observations.gti import TimeReference

Site = tuple[float, float, float]
"""Geodetic longitude and latitude [deg] and height [m]."""


@final
@dataclass(frozen=True)
class Pointing:
    """ICRS position ``lon``, ``lat`` [deg]; azimuth and altitude [deg] of telescopes that do not move (``is_drift``).

    site : where they stand, None where the file does not say
    """

    lon: float
    lat: float
    is_drift: bool = False
    site: Site | None = None

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From the header of an event list. Raises `DataError`.

        ``OBS_MODE`` is taken for ``POINTING`` unless it is ``DRIFT``: files before GADF 0.3 have all sorts of words.
        """
        is_drift, names = _cards(extension)
        missing = [name for name in names if name not in extension.header]
        if missing:
            extension.fail(f"no card {', '.join(missing)}, needed to know where the telescopes pointed")
        lon, lat = (extension.real(name, 0.0) for name in names)
        if abs(lat) > 90.0:
            extension.fail(f"card {names[1]} is {lat:g} deg, expected -90 to 90")
        return cls(lon, lat, is_drift, _site(extension))

    @staticmethod
    def is_told(extension: Extension) -> bool:
        """Whether the header of an event list has the cards that `from_extension` needs."""
        return set(_cards(extension)[1]) <= set(extension.header)

    def icrs(self, time: float, reference: TimeReference) -> tuple[float, float]:
        """ICRS position [deg] at a time [s] after a reference. Raises `DataError` for a drift from an unknown site."""
        if not self.is_drift:
            return self.lon, self.lat
        from astropy.coordinates import SkyCoord

        with _horizon(self.site, time, reference) as frame:
            place = SkyCoord(self.lon, self.lat, unit="deg", frame=frame).icrs
        return float(place.ra.deg), float(place.dec.deg)

    def altaz(self, time: ArrayLike, reference: TimeReference) -> tuple[Array, Array]:
        """Azimuth and altitude [deg] at times [s] of any shape after a reference. Raises `DataError` without a site."""
        if self.is_drift:
            return np.full(np.shape(time), self.lon), np.full(np.shape(time), self.lat)
        return altaz(self.lon, self.lat, self.site, time, reference)


def _cards(extension: Extension) -> tuple[bool, tuple[str, str]]:
    """Whether telescopes did not move, and the cards that say where they pointed."""
    is_drift = extension.header.text("OBS_MODE").upper() == "DRIFT"
    return is_drift, ("AZ_PNT", "ALT_PNT") if is_drift else ("RA_PNT", "DEC_PNT")


@final
@dataclass(frozen=True, eq=False)
class PointingTable:
    """ICRS positions ``lon, lat : (n,)`` [deg] at times (n,) [s] after a reference: a ``POINTING`` table of GADF."""

    time: Array
    lon: Array
    lat: Array
    reference: TimeReference
    site: Site | None = None

    @classmethod
    def from_extension(cls, extension: Extension) -> Self:
        """From an extension, in the order of time. Raises `DataError`."""
        names = ("TIME", "RA_PNT", "DEC_PNT")
        missing = [name for name in names if extension.find(name) is None]
        if missing:
            extension.fail(f"no column {', '.join(missing)}", suggest(missing[0], extension.columns, "found"))
        units = ("s", "deg", "deg")
        columns = [extension.numbers(name, unit, default=unit) for name, unit in zip(names, units, strict=True)]
        if not columns[0].size or not np.isfinite(columns).all() or (np.abs(columns[2]) > 90.0).any():
            extension.fail("no row, or one that is no position at a time")
        time, lon, lat = (column[np.argsort(columns[0], kind="stable")] for column in columns)
        return cls(time, lon, lat, TimeReference.from_extension(extension), _site(extension))

    def icrs(self, time: float, reference: TimeReference) -> tuple[float, float]:
        """Position [deg] at a time [s] after a reference: on the chord between two rows, beyond all the ends."""
        at = time + self.reference.seconds_to(reference)
        chord = np.array([np.interp(at, self.time, axis) for axis in unit_vectors(self.lon, self.lat)])
        lon, lat = lon_lat(chord)
        return float(lon), float(lat)

    def spread(self) -> float:
        """Largest distance [deg] from the first position."""
        return float(np.max(separation(float(self.lon[0]), float(self.lat[0]), self.lon, self.lat)))


def altaz(
    lon: ArrayLike, lat: ArrayLike, site: Site | None, time: ArrayLike, reference: TimeReference
) -> tuple[Array, Array]:
    """Azimuth and altitude [deg] of ICRS positions [deg] at times [s] after a reference, broadcast.

    Without refraction. Raises `DataError` without a site.
    """
    from astropy.coordinates import SkyCoord

    lon, lat, time = np.broadcast_arrays(lon, lat, time)
    with _horizon(site, time, reference) as frame:
        place = SkyCoord(lon, lat, unit="deg").transform_to(frame)
    return np.asarray(place.az.deg), np.asarray(place.alt.deg)


@contextmanager
def _horizon(site: Site | None, time: ArrayLike, reference: TimeReference) -> Iterator[Any]:
    """The ``AltAz`` frame of astropy at a site and times [s] after a reference, for transformations inside.

    The Earth turns as astropy was told when it was installed: nothing is downloaded. Raises `DataError` without
    a site, and for whatever astropy cannot do with such a time.
    """
    if site is None:
        raise DataError(
            "azimuth and altitude need the place of the telescopes\n"
            "    cards GEOLON, GEOLAT [deg] and ALTITUDE (or GEOALT) [m] of the events"
        )
    from astropy.coordinates import AltAz, EarthLocation
    from astropy.time import TimeDelta
    from astropy.utils import iers

    try:
        with iers.conf.set_temp("auto_download", False):
            seconds = TimeDelta(np.asarray(time, dtype=np.float64), format="sec")
            yield AltAz(obstime=reference.astropy() + seconds, location=EarthLocation.from_geodetic(*site))
    except Exception as error:  # each part of astropy has its own
        place = f"{np.min(time):g} s after MJD {reference.day + reference.fraction:g} from {site}"
        raise DataError(f"no azimuth and altitude {place}: {error}") from error


def _site(extension: Extension) -> Site | None:
    height = next((name for name in ("ALTITUDE", "GEOALT") if name in extension.header), None)
    if height is None or not {"GEOLON", "GEOLAT"} <= set(extension.header):
        return None
    return extension.real("GEOLON", 0.0), extension.real("GEOLAT", 0.0), extension.real(height, 0.0)
