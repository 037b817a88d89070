"""HEALPix: equal-area pixels of the whole sky, or of a part of it.

The pixelisation (Gorski et al. 2005, ApJ 622, 759) is that of ``astropy-healpix``, imported when such a map is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, IntArray
from gm.errors import DataError
from gm.maps.rotation import rotate

MAX_NSIDE = 1 << 15


@dataclass(frozen=True, eq=False)
class HealpixGeometry:
    """HEALPix pixels in ``frame``. ``pixels : (n_pixels,)``, increasing numbers of those that are there; None: all.

    Raises `DataError`.
    """

    nside: int
    nested: bool = True
    frame: str = "icrs"
    pixels: IntArray | None = None
    pixel_grid: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not 1 <= self.nside <= MAX_NSIDE or (self.nested and self.nside & (self.nside - 1)):
            raise DataError(f"NSIDE is {self.nside}, expected a power of two up to {MAX_NSIDE}")
        if self.pixels is None:
            return
        pixels = np.ascontiguousarray(self.pixels, dtype=np.intp)
        if pixels.ndim != 1 or pixels.size == 0 or pixels.min() < 0 or pixels.max() >= 12 * self.nside**2:
            raise DataError(f"pixel numbers outside 0 to {12 * self.nside**2 - 1}, or none")
        if (np.diff(pixels) <= 0).any():
            raise DataError("pixel numbers must increase")
        object.__setattr__(self, "pixels", pixels)

    def __reduce__(self) -> tuple[Any, ...]:
        return HealpixGeometry, (self.nside, self.nested, self.frame, self.pixels)

    @property
    def shape(self) -> tuple[int]:
        """(n_pixels,)."""
        return (12 * self.nside**2 if self.pixels is None else len(self.pixels),)

    @cached_property
    def _healpix(self) -> Any:
        from astropy_healpix import HEALPix

        return HEALPix(self.nside, order="nested" if self.nested else "ring")

    def sky(self, index: ArrayLike | None = None) -> tuple[Array, Array]:
        """Longitude and latitude [deg] of the centres of pixels of the map, by default of all."""
        index = np.arange(self.shape[0]) if index is None else np.asarray(index)
        lon, lat = self._healpix.healpix_to_lonlat(index if self.pixels is None else self.pixels[index])
        return np.asarray(lon.deg), np.asarray(lat.deg)

    def index(self, lon: ArrayLike, lat: ArrayLike, frame: str | None = None) -> IntArray:
        """Index in the map of the pixels that hold positions [deg] in ``frame``; -1 where the map has none."""
        return self._local(self._healpix.lonlat_to_healpix(*self._angles(lon, lat, frame)))

    def weights(self, lon: ArrayLike, lat: ArrayLike, frame: str | None = None) -> tuple[IntArray, Array]:
        """Bilinear interpolation at positions [deg]: indices ``(4, ...)`` in the map (-1: not there) and weights."""
        number, weight = self._healpix.bilinear_interpolation_weights(*self._angles(lon, lat, frame))
        return self._local(number), np.asarray(weight)

    def solid_angle(self) -> float:
        """Solid angle [sr] of each pixel."""
        return float(np.pi / (3.0 * self.nside**2))

    def same_as(self, other: HealpixGeometry) -> bool:
        """Whether both have the same pixels in the same order."""
        mine, theirs = (self.nside, self.nested, self.frame), (other.nside, other.nested, other.frame)
        if self.pixels is None or other.pixels is None:
            return mine == theirs and self.pixels is other.pixels
        return mine == theirs and np.array_equal(self.pixels, other.pixels)

    def _angles(self, lon: ArrayLike, lat: ArrayLike, frame: str | None) -> tuple[Any, Any]:
        import astropy.units as u

        lon, lat = rotate(lon, lat, frame or self.frame, self.frame)
        return lon * u.deg, lat * u.deg

    def _local(self, number: IntArray) -> IntArray:
        if self.pixels is None:
            return np.asarray(number)
        at = np.minimum(np.searchsorted(self.pixels, number), len(self.pixels) - 1)
        return np.where(self.pixels[at] == number, at, -1)
