"""HEALPix maps from files and to files."""

from __future__ import annotations

from math import isfinite

import numpy as np

from gm.arrays import IntArray
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile
from gm.io.healpix_fits import HealpixHeader, healpix_extensions, parse_region, read_healpix, read_healpix_header
from gm.io.map_fits import FileMap
from gm.io.tables import Image, Table
from gm.maps.healpix import HealpixGeometry
from gm.maps.sphere import separation


def read_healpix_map(file: FitsFile, extension: Extension) -> tuple[HealpixGeometry, FileMap]:
    """The geometry of a HEALPix table, and its values as the file has them. Raises `DataError`."""
    header = read_healpix_header(file, extension)
    try:
        sky = HealpixGeometry(header.nside, header.nested, header.frame)

        def region() -> IntArray | None:
            return _region_pixels(sky, *parse_region(extension, header.region)) if header.region else None

        held, pixels = read_healpix(file, extension, sky.shape[0], region)
        return HealpixGeometry(header.nside, header.nested, header.frame, pixels), held
    except DataError as error:
        text = str(error)
        raise error if text.startswith(str(extension.path)) else DataError(f"{extension.path}: {text}") from error


def _region_pixels(sky: HealpixGeometry, kind: str, words: list[str]) -> IntArray:
    """Numbers of the pixels of ``HPX_REG``: those with the centre in a disk, or all within a larger pixel."""
    try:
        numbers = [float(word) for word in words if word not in ("NESTED", "RING")]
    except ValueError:
        numbers = []
    if kind == "DISK" and len(numbers) >= 3 and all(map(isfinite, numbers)):
        lon, lat = sky.sky()
        return np.flatnonzero(separation(lon, lat, numbers[0], numbers[1]) <= numbers[2])
    if kind == "HPX_PIXEL" and len(numbers) == 2 and words[0] in ("NESTED", "RING") and 1 <= numbers[0] <= sky.nside:
        outer = HealpixGeometry(int(numbers[0]), words[0] == "NESTED", sky.frame)
        return np.flatnonzero(outer.index(*sky.sky()) == int(numbers[1]))
    raise DataError(
        f"HPX_REG {kind}({','.join(words)}) is not supported\n    supported: DISK(lon,lat,radius), HPX_PIXEL"
    )


def healpix_hdus(name: str, geometry: HealpixGeometry, held: FileMap, sparse: bool) -> list[Image | Table]:
    """The extensions of a HEALPix map."""
    header = HealpixHeader(geometry.nside, geometry.nested, geometry.frame)
    return healpix_extensions(name, header, geometry.pixels, held, sparse)
