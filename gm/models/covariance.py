"""The covariance file beside models.yaml, as Gammapy writes it.

A table in astropy's ``ascii.fixed_width``: one row per parameter with its full name, then one number per parameter.
Parameters linked with ``link:`` have a row wherever they occur, the first filled, the others zero.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.models.models import Models


def format_covariance(names: tuple[str, ...], matrix: Array) -> str:
    """The file's text, byte for byte what astropy's ``ascii.fixed_width`` gives for the same numbers."""
    columns = [["Parameters", *names]]
    columns += [[str(k), *map(repr, column)] for k, column in enumerate(matrix.T.tolist())]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "".join(
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |\n" for row in rows
    )


def read_covariance(path: Path, models: Models) -> Array:
    """The covariance of all parameters, (n_par, n_par) in own units; rows of linked parameters follow from their links.

    Gammapy goes by the order of rows, not by their names, and so does this. Raises `DataError`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise DataError(f"{path}: cannot be read: {reason}") from error
    n_par = len(models.parameters)
    rows = [line.strip().strip("|").split("|") for line in lines if line.strip()]
    if len(rows) != n_par + 1 or any(len(row) != n_par + 1 for row in rows):
        found = f"{len(rows) - 1} rows of {len(rows[0]) - 1} numbers" if rows else "nothing"
        raise DataError(f"{path}: found {found}; {n_par} parameters need {n_par} rows of {n_par}")
    try:
        matrix = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]]).reshape(n_par, n_par)
    except ValueError as error:
        raise DataError(f"{path}: not a covariance file: {error}") from error
    if not np.isfinite(matrix).all():
        raise DataError(f"{path}: holds numbers that are not finite")
    return follow_links(models, matrix)


def follow_links(models: Models, matrix: Array) -> Array:
    """The covariance with the rows and columns of linked parameters made from those that they follow."""
    roots = models.roots()
    if not roots:
        return matrix
    source, slope = np.arange(len(matrix)), np.ones(len(matrix))
    for k, root in roots.items():
        source[k], slope[k] = root.root, root.scale
    return np.asarray(np.outer(slope, slope) * matrix[np.ix_(source, source)])
