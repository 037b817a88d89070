"""Pixels to sky and back: the celestial part of a FITS world coordinate system.

The two projections that nearly every gamma-ray map has, ``CAR`` (plate carree) and ``TAN`` (gnomonic), are computed
here; all others go through ``astropy.wcs``, whose import alone takes half a second. The tests compare both.

Source: Calabretta & Greisen 2002, A&A 395, 1077: section 2.2 (pixels), 2.4 (native pole), 5.1.3 (TAN), 5.2.3 (CAR).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from functools import cached_property
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.io.tables import CardValue
from gm.maps.sphere import lon_lat, unit_vectors

_CELESTIAL = re.compile(r"(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA)[12]|PC[12]_[12]|CD[12]_[12]|P[VS][12]_\d+")
_OLD_PC = re.compile(r"PC00([12])00([12])")  # before the standard of 2002
_CYLINDRICAL = ("CAR", "CEA", "MER")
_POLE, _FRAME = ("LONPOLE", "LATPOLE"), ("RADESYS", "EQUINOX")
_BENT = re.compile(r"[AB]_\d_\d|(CPDIS|CQDIS|D2IMDIS)[12]|D2IMARR.*")
_UPRIGHT = 1e-15  # cosine of the angle between poles that are one and the same, from 1
_CAR_BOUND = 180.0 + 1e-11  # wcslib's tolerance: what lies beyond is no pixel of the sky
_WCSLIB = threading.Lock()  # one wcslib structure must not be used by two threads at once


def celestial_cards(header: Mapping[str, CardValue]) -> dict[str, CardValue]:
    """The cards of the first two world axes in one spelling: degrees, and ``CDELTn`` with ``PCi_j`` for any rotation.

    ``CDi_j`` and ``CROTAn`` are turned into ``CDELTn`` and ``PCi_j``. Raises `DataError` when the header describes no
    celestial pixel grid with the longitude first.
    """
    named = {_OLD_PC.sub(r"PC\1_\2", name): value for name, value in header.items()}
    cards = {name: value for name, value in named.items() if _CELESTIAL.fullmatch(name)}
    types = [str(cards.get(f"CTYPE{axis}", "")).strip().removesuffix("-SIP") for axis in (1, 2)]
    if not (re.match(r"(RA--|GLON|.LON|..LN)", types[0]) and re.match(r"(DEC-|GLAT|.LAT|..LT)", types[1])):
        raise DataError(f"CTYPE1 {types[0]!r}, CTYPE2 {types[1]!r}: expected a celestial longitude and latitude")
    if bent := next((name for name in header if _BENT.fullmatch(name) and header[name] != 0), None):
        raise DataError(f"card {bent}: the pixels are distorted, expected a plain projection\n    resample the map")
    scale = [_degrees(str(cards.get(f"CUNIT{axis}", "deg"))) for axis in (1, 2)]
    steps, rotation = _steps(cards)
    result: dict[str, CardValue] = {"CTYPE1": types[0], "CTYPE2": types[1]}
    for i in (0, 1):
        result[f"CRPIX{i + 1}"] = _number(cards, f"CRPIX{i + 1}", 0.0)
        result[f"CRVAL{i + 1}"] = _number(cards, f"CRVAL{i + 1}", 0.0) * scale[i]
        result[f"CDELT{i + 1}"] = steps[i] * scale[i]
        result[f"CUNIT{i + 1}"] = "deg"
    if not np.array_equal(rotation, np.eye(2)):
        result |= {f"PC{i + 1}_{j + 1}": float(rotation[i, j]) for i in (0, 1) for j in (0, 1)}
    result |= {name: _number(header, name, 0.0) for name in _POLE if name in header}
    if not all(np.isfinite(value) for value in result.values() if isinstance(value, float)) or 0.0 in steps:
        raise DataError("the world coordinate system has a step of zero, or a value that is not finite")
    result |= {name: value for name, value in cards.items() if name[:2] in ("PV", "PS")}
    old = {"RADESYS": header.get("RADECSYS"), "EQUINOX": header.get("EPOCH")}  # as files from before 1997 have them
    if old["EQUINOX"] not in (1950.0, 2000.0):  # the time of an observation
        del old["EQUINOX"]
    frame = {name: header.get(name, old.get(name)) for name in _FRAME}
    return result | {name: value for name, value in frame.items() if value is not None}


def _number(cards: Mapping[str, CardValue], name: str, default: float) -> float:
    value = cards.get(name, default)
    if isinstance(value, str):
        raise DataError(f"card {name} is {value!r}, expected a number")
    return float(value)


def _degrees(unit: str) -> float:
    scales = {"": 1.0, "deg": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600, "rad": 180.0 / np.pi}
    word = unit.strip().lower().removesuffix("s").replace("degree", "deg")
    if word not in scales:
        raise DataError(f"CUNIT is {unit!r}, expected deg")
    return scales[word]


def _steps(cards: Mapping[str, CardValue]) -> tuple[list[float], Array]:
    """Steps per pixel and the rotation matrix, from CD, from PC or from CROTA."""
    names = [[f"{i}_{j}" for j in (1, 2)] for i in (1, 2)]
    if any(f"CD{name}" in cards for row in names for name in row):
        matrix = np.array([[_number(cards, f"CD{name}", 0.0) for name in row] for row in names])
        norms = np.hypot(*matrix.T) * np.array([-1.0 if matrix[0, 0] < 0 else 1.0, 1.0])
        return norms.tolist(), matrix / np.where(norms == 0, 1.0, norms)[:, None]
    steps = [_number(cards, f"CDELT{axis}", 1.0) for axis in (1, 2)]
    turn = radians(_number(cards, "CROTA2", 0.0))
    if turn and not any(f"PC{name}" in cards for row in names for name in row) and 0.0 not in steps:
        ratio = steps[1] / steps[0]
        return steps, np.array([[cos(turn), -sin(turn) * ratio], [sin(turn) / ratio, cos(turn)]])
    identity = ((1.0, 0.0), (0.0, 1.0))
    return steps, np.array([[_number(cards, f"PC{names[i][j]}", identity[i][j]) for j in (0, 1)] for i in (0, 1)])


def frame_of(cards: Mapping[str, CardValue]) -> str:
    """The sky frame that the cards mean: icrs, galactic, fk5 or fk4. Raises `DataError`."""
    kind = str(cards["CTYPE1"])[:4]
    if kind == "GLON":
        return "galactic"
    equinox = _number(cards, "EQUINOX", 0.0) if "EQUINOX" in cards else None
    system = str(cards.get("RADESYS", "")).strip().upper()
    if not system:
        system = "ICRS" if equinox is None else "FK4" if equinox < 1984.0 else "FK5"
    if kind != "RA--" or system not in ("ICRS", "FK5", "FK4"):
        raise DataError(f"coordinates {cards['CTYPE1']} in {system} are not supported")
    if system != "ICRS" and equinox not in (None, 2000.0 if system == "FK5" else 1950.0):
        raise DataError(f"equinox {equinox:g} of {system} is not supported, expected that of the standard epoch")
    return system.lower()


class Projection:
    """Pixel coordinates (0 is the centre of the first pixel) to longitude and latitude [deg] and back.

    ``cards`` as `celestial_cards` gives them. Outside the sky, and where a projection has no image, the result is NaN.
    The plane of a cylindrical projection repeats itself: of its copies the one around ``middle`` [deg] is the sky.
    """

    def __init__(self, cards: Mapping[str, CardValue], middle: float = 0.0) -> None:
        self.cards, self.middle = dict(cards), middle
        self.code = str(cards["CTYPE1"])[-3:]
        self.origin = np.array([float(cards[f"CRPIX{axis}"]) - 1.0 for axis in (1, 2)])
        rotation = [[float(cards.get(f"PC{i}_{j}", i == j)) for j in (1, 2)] for i in (1, 2)]
        self.linear = np.array([[float(cards["CDELT1"])], [float(cards["CDELT2"])]]) * np.array(rotation)
        if abs(np.linalg.det(self.linear)) == 0.0:
            raise DataError("the world coordinate system maps all pixels to a line")
        self.inverse = np.linalg.inv(self.linear)
        self.is_native = self.code in ("CAR", "TAN") and not any(name[:2] == "PV" for name in cards)

    @property
    def period(self) -> float | None:
        """Pixels along x after which a cylindrical projection repeats itself; None for all others."""
        is_along = self.code in _CYLINDRICAL and self.linear[0, 1] == self.linear[1, 0] == 0.0
        return 360.0 / abs(float(self.linear[0, 0])) if is_along else None

    @cached_property
    def rotation(self) -> Array:
        """``(3, 3)``: native unit vectors to celestial ones."""
        lon_0, lat_0 = float(self.cards["CRVAL1"]), float(self.cards["CRVAL2"])
        theta_0 = 90.0 if self.code == "TAN" else 0.0
        lon_pole = float(self.cards.get("LONPOLE", 0.0 if lat_0 >= theta_0 else 180.0))
        if self.code == "TAN":
            return _euler(lon_0, lat_0, lon_pole)
        return _euler(*_pole(lon_0, lat_0, lon_pole, float(self.cards.get("LATPOLE", 90.0))), lon_pole)

    @cached_property
    def wcslib(self) -> Any:
        """The ``astropy.wcs`` object of the same cards."""
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        core = wcs.wcs
        try:
            core.ctype = [str(self.cards["CTYPE1"]), str(self.cards["CTYPE2"])]
            core.cunit = ["deg", "deg"]
            core.crpix = self.origin + 1.0
            core.crval = [self.cards["CRVAL1"], self.cards["CRVAL2"]]
            core.cdelt = [self.cards["CDELT1"], self.cards["CDELT2"]]
            core.pc = self.linear / core.cdelt[:, None]
            for name in (*_POLE, *_FRAME):
                if name in self.cards:
                    setattr(core, name.lower(), self.cards[name])
            values = [(int(n[2]), int(n[4:]), float(v)) for n, v in self.cards.items() if n[:2] == "PV"]
            if values:
                core.set_pv(values)
            core.set()
        except Exception as error:  # wcslib has an exception per fault; each means the same here
            raise DataError(f"the world coordinate system cannot be used: {str(error).splitlines()[-1]}") from error
        return wcs

    def sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Longitude in [0, 360) and latitude [deg] of pixel coordinates, broadcast."""
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        if not self.is_native:
            with _WCSLIB:
                lon, lat = self.wcslib.wcs_pix2world(self._nearest_copy(x, 0.0).ravel(), y.ravel(), 0)
            return lon.reshape(x.shape) % 360.0, lat.reshape(x.shape)
        u, v = x - self.origin[0], y - self.origin[1]
        (a, b), (c, d) = self.linear
        u, v = a * u + b * v, c * u + d * v
        if self.turn is None:
            return lon_lat(np.tensordot(self.rotation, self._native_vectors(u, v), axes=1))
        lon = np.where(self._is_outside(u, v), np.nan, u + self.turn) % 360.0
        return np.where(lon == 360.0, 0.0, lon), np.where(np.isnan(lon), np.nan, v)

    @cached_property
    def turn(self) -> float | None:
        """Longitude [deg] of the native origin where the projection plane shows longitudes and latitudes as they are;
        None: it does not."""
        is_upright = self.code == "CAR" and abs(self.rotation[2, 2] - 1.0) < _UPRIGHT
        return float(np.degrees(np.arctan2(self.rotation[1, 0], self.rotation[0, 0]))) if is_upright else None

    @property
    def _is_straight(self) -> bool:
        """Whether columns of pixels are meridians, and rows parallels."""
        return self.turn is not None and self.linear[0, 1] == self.linear[1, 0] == 0.0

    def sky_along(self, x: Array, y: Array) -> tuple[Array, Array] | None:
        """Longitudes (n_x,) of columns and latitudes (n_y,) of rows [deg], as `sky` has them where these are meridians
        and parallels; None: they are not."""
        if not self._is_straight:
            return None
        middle = self.origin[0] + self.middle / self.linear[0, 0]
        return self.sky(x, self.origin[1])[0], self.sky(middle, y)[1]

    def onto_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Pixel coordinates, those beyond the ends of the sky moved onto them where columns of pixels are meridians,
        and rows parallels; broadcast."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if not self._is_straight:
            return x, y
        (a, _), (_, d) = self.linear
        u, v = a * (x - self.origin[0]), d * (y - self.origin[1])
        ends = self.middle + 180.0 * np.sign(u - self.middle), 90.0 * np.sign(v)
        u_beyond, v_beyond = (self._is_outside(*at) for at in ((u, 0.0), (self.middle, v)))
        return np.where(u_beyond, ends[0] / a + self.origin[0], x), np.where(v_beyond, ends[1] / d + self.origin[1], y)

    def pixels_along(self, lon: Array, lat: Array) -> tuple[Array, Array] | None:
        """Columns (n_x,) of longitudes and rows (n_y,) of latitudes [deg], as `pixel` has them where these are
        meridians and parallels; None: they are not."""
        if not self._is_straight or (np.abs(lat) > 90.0).any():
            return None
        return self.pixel(lon, 0.0)[0], self.pixel(self.turn or 0.0, lat)[1]

    def _is_outside(self, x: Array | float, y: Array | float) -> BoolArray:
        """Off the sky in the plane of a CAR projection."""
        return np.asarray((np.abs(x - self.middle) > _CAR_BOUND) | (np.abs(y) > _CAR_BOUND - 90.0))

    def _native_vectors(self, x: Array, y: Array) -> Array:
        """Unit vectors in native coordinates at the projection plane's ``x, y`` [deg]."""
        if self.code == "TAN":
            return np.stack([-np.radians(y), np.radians(x), np.ones_like(x)])
        return unit_vectors(np.where(self._is_outside(x, y), np.nan, x), y)

    def pixel(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
        """Pixel coordinates of positions [deg], broadcast."""
        lon, lat = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
        if not self.is_native:
            with _WCSLIB:
                x, y = self.wcslib.wcs_world2pix(lon.ravel(), lat.ravel(), 0)
            return self._nearest_copy(x, self.middle).reshape(lon.shape), y.reshape(lon.shape)
        if self.turn is not None and not (np.abs(lat) > 90.0).any():
            x = np.mod(lon - self.turn, 360.0)
            return self._from_plane(np.where(x > 180.0, x - 360.0, x), lat)
        native = np.tensordot(self.rotation.T, unit_vectors(lon, lat), axes=1)
        if self.code == "TAN":
            scale = np.degrees(1.0 / np.where(native[2] > 0, native[2], np.nan))
            plane = native[1] * scale, -native[0] * scale
        else:
            latitude = np.arctan2(native[2], np.hypot(native[0], native[1]))
            plane = np.degrees(np.arctan2(native[1], native[0])), np.degrees(latitude)
        return self._from_plane(*plane)

    def _nearest_copy(self, x: Array, middle: float) -> Array:
        """Pixel coordinates in the copy of the plane around ``middle`` [deg], where another one than the first is the
        sky."""
        if not self.middle or self.period is None:
            return x
        center = self.origin[0] + middle / self.linear[0, 0]
        return np.asarray(x - self.period * np.round((x - center) / self.period))

    def _from_plane(self, x: Array, y: Array) -> tuple[Array, Array]:
        (a, b), (c, d) = self.inverse
        return self._nearest_copy(a * x + b * y + self.origin[0], self.middle), c * x + d * y + self.origin[1]


def _pole(lon_0: float, lat_0: float, lon_pole: float, lat_pole: float) -> tuple[float, float]:
    """Celestial longitude and latitude [deg] of the native pole, for a reference point at native (0, 0)."""
    sine, cosine = np.sin(np.radians(lat_0)), np.cos(np.radians(lat_0))
    turn = np.radians(lon_pole)
    if abs(np.cos(turn)) < 1e-10:
        if abs(sine) > 1e-10:
            raise DataError(f"LONPOLE {lon_pole:g} does not go with CRVAL2 {lat_0:g}")
        latitude = lat_pole
    else:
        middle = np.degrees(np.arctan2(0.0, np.cos(turn)))
        ratio = sine / abs(np.cos(turn))
        spread = np.degrees(np.arccos(np.clip(ratio, -1.0, 1.0)))
        both = [(middle + side * spread + 180.0) % 360.0 - 180.0 for side in (1.0, -1.0)]
        allowed = [value for value in both if abs(value) <= 90.0 + 1e-10 and abs(ratio) <= 1.0 + 1e-10]
        if not allowed:
            raise DataError(f"LONPOLE {lon_pole:g} does not go with CRVAL2 {lat_0:g}")
        latitude = min(allowed, key=lambda value: abs(value - lat_pole))
    if abs(cosine) < 1e-10:
        return lon_0, latitude
    if abs(latitude) > 90.0 - 1e-10:
        return (lon_0 + lon_pole - 180.0, 90.0) if latitude > 0 else (lon_0 - lon_pole, -90.0)
    across = np.sin(turn) / cosine
    along = -np.tan(np.radians(latitude)) * sine / cosine
    return lon_0 - float(np.degrees(np.arctan2(across, along))), float(latitude)


def _euler(lon_pole: float, lat_pole: float, native_lon_of_pole: float) -> Array:
    """Native to celestial unit vectors: the native pole is at ``(lon_pole, lat_pole)``, the celestial one at native
    longitude ``native_lon_of_pole`` [deg]."""
    alpha, delta, phi = (np.radians(angle) for angle in (lon_pole, lat_pole, native_lon_of_pole))
    back = np.array([[cos(phi), sin(phi), 0.0], [-sin(phi), cos(phi), 0.0], [0.0, 0.0, 1.0]])
    tilt = np.array([[-sin(delta), 0.0, cos(delta)], [0.0, -1.0, 0.0], [cos(delta), 0.0, sin(delta)]])
    turn = np.array([[cos(alpha), -sin(alpha), 0.0], [sin(alpha), cos(alpha), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(turn @ tilt @ back)
