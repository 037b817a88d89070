"""FITS images: the array of a primary or ``IMAGE`` extension, checked against its header."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.fits import Extension, FitsFile

_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
MAX_DIMENSIONS = 8


def is_image(extension: Extension) -> bool:
    """Whether the extension holds an array: not a table, and not empty."""
    kind = extension.header.text("XTENSION", "PRIMARY")
    return kind in ("IMAGE", "PRIMARY") and bool(image_shape(extension))


def image_shape(extension: Extension) -> tuple[int, ...]:
    """Sizes of the array, slowest axis first; empty when there is none."""
    count = extension.integer("NAXIS")
    if count > MAX_DIMENSIONS:
        extension.fail(f"an image of {count} dimensions, expected at most {MAX_DIMENSIONS}")
    return tuple(extension.integer(f"NAXIS{axis}") for axis in range(count, 0, -1))


def read_image(extension: Extension) -> NDArray[Any]:
    """The array (..., n_y, n_x), slowest axis first, in native byte order and the type that the file has.

    ``BSCALE``, ``BZERO`` and ``BLANK`` (-> NaN) are applied, in float64. Raises `DataError`.
    """
    if not is_image(extension):
        refuse_packed(extension)
        extension.fail(f"is a {extension.header.text('XTENSION', 'PRIMARY')} without an image, expected an image")
    dtype, shape = np.dtype(_DTYPES[extension.integer("BITPIX")]), image_shape(extension)
    if 0 in shape:
        extension.fail(f"is an image of shape {shape}, which holds nothing")
    values = extension.content.numbers(extension.start, prod(shape), dtype).reshape(shape)
    scale, zero = extension.scaling("BSCALE", "BZERO")
    is_blanked = values.dtype.kind in "iu" and "BLANK" in extension.header
    blank = extension.integer("BLANK") if is_blanked else None
    if (scale, zero) == (1.0, 0.0) and blank is None:
        return values
    scaled = values * scale + zero
    return scaled if blank is None else np.where(values == blank, np.nan, scaled)


def refuse_packed(extension: Extension) -> None:
    """Raises `DataError` for an image that is compressed into the rows of a table."""
    if extension.header.get("ZIMAGE") is True:
        extension.fail("is a tile-compressed image, which is not read", "unpack it first: funpack FILE.fz")


def first_data(file: FitsFile) -> Extension:
    """The first extension that holds anything. Raises `DataError`."""
    found = next((extension for extension in file.extensions if extension.integer("NAXIS") > 0), None)
    if found is None:
        raise DataError(f"{file.path}: the file holds neither an image nor a table")
    return found
