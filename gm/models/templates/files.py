"""Files that models take their numbers from: where they are, and the tables in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.file_names import numbered, same_file
from gm.io.files import same_content, write_atomic
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
    """Two columns, (n,) each: ``x`` increasing, in its unit, and numbers ``y``; at least two finite rows. Raises
    `DataError`."""
    first, second = table.floats(x).ravel(), table.floats(y, "").ravel()
    if len(first) < 2 or len(first) != len(second):
        table.fail(f"{len(first)} rows of {x} and {len(second)} of {y}, expected at least two of each")
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or (np.diff(first) <= 0).any():
        table.fail(f"{x} must increase, and all values be finite")
    return first, second


def copies(sources: Iterable[Path], directory: Path, reserved: Iterable[str], own: Collection[Path]) -> dict[Path, str]:
    """The names that files have, or get when they are copied, in a directory.

    Equal files share a copy, and different ones of one name get names of their own: ``t.fits``, ``t-2.fits``. Files
    that are not there have none, nor those in whose place something else is: only ``own`` files may be replaced.
    """
    here = os.path.abspath(directory)
    found = [source for source in dict.fromkeys(sources) if source.is_file()]
    found.sort(key=lambda source: os.path.abspath(source.parent) != here)  # what is there already keeps its name
    taken: dict[str, Path | None] = {same_file(name): None for name in reserved}
    names = {}
    for source in found:
        name = next(name for name in numbered(source.name) if _fits(source, taken.setdefault(same_file(name), source)))
        target = directory / name
        if target in own or not os.path.lexists(target) or same_content(source, target):
            names[source] = name
    return names


def _fits(source: Path, taken: Path | None) -> bool:
    """Whether a name that another file, or something that is in no file yet, has taken is good for this file too."""
    return taken is not None and (source == taken or same_content(source, taken))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, unless the copy is there. Raises `DataError`."""
    if same_content(source, target):
        return
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error
    write_atomic(target, content)
