"""Files that models take their numbers from: where they are, and the tables in them."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.files import write_atomic
from gm.io.fits import Extension, FitsFile, read_fits


def expanded(filename: str) -> Path:
    """A file name with ``$VAR`` and ``~`` filled in."""
    return Path(os.path.expanduser(os.path.expandvars(filename)))


def read_template(filename: str) -> FitsFile:
    """A FITS file named by a model. Raises `DataError`."""
    if not filename:
        raise DataError("the model has no file\n    give it a filename")
    return read_fits(expanded(filename))


def first_table(file: FitsFile) -> Extension:
    """The first table of a file. Raises `DataError`."""
    for extension in file.extensions:
        if extension.is_table:
            return extension
    raise DataError(f"{file.path}: holds no table\n    {suggest('', [e.name for e in file.extensions], 'found')}")


def read_curve(table: Extension, x: str, y: str) -> tuple[Array, Array]:
    """Two columns, (n,) each: ``x`` increasing, at least two finite rows. Raises `DataError`."""
    first, second = table.floats(x).ravel(), table.floats(y).ravel()
    if len(first) < 2 or len(first) != len(second):
        table.fail(f"{len(first)} rows of {x} and {len(second)} of {y}, expected at least two of each")
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or (np.diff(first) <= 0).any():
        table.fail(f"{x} must increase, and all values be finite")
    return first, second


def is_copy(source: Path, target: Path) -> bool:
    """Whether the second is the first, or a file with its size and time."""
    try:
        return filecmp.cmp(source, target)
    except OSError:
        return False


def copy_beside(source: Path, directory: Path) -> None:
    """Copy a file into a directory, unless one of that name is there or it is gone itself. Raises `DataError`."""
    target = directory / source.name
    if target.exists() or not source.is_file():
        return
    try:
        content, times = source.read_bytes(), source.stat()
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error
    write_atomic(target, content)
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
