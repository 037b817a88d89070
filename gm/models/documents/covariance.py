"""The covariance file beside models.yaml, as Gammapy writes it.

A table in astropy's ``ascii.fixed_width``: one row per parameter with its full name, then one number per parameter.
Parameters linked with ``link:`` have a row wherever they occur, the first filled, the others zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.matrices import Covariance, diagonal_covariance, not_covariance, placed
from gm.models.composition import Composition

SHARED = "shared_covariance"  # the key that names a file in which parameters are missing, which Gammapy does not read
_SAME = 1e-3  # of an error, that is the same
_ALIKE = 0.1  # of an error, that may have been rounded by hand
WHOLE = 500  # parameters with errors of which all covariances are written, where most are datasets' own


def format_covariance(names: tuple[str, ...], matrix: Array) -> str:
    """The file's text, byte for byte what astropy's ``ascii.fixed_width`` gives for the same numbers.

    matrix : (n_par, n_par)
    """
    columns = [["Parameters", *names]]
    columns += [[str(k), *map(repr, column)] for k, column in enumerate(matrix.T.tolist())]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "".join(
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |\n" for row in rows
    )


def read_covariance(path: Path, models: Composition) -> Covariance:
    """The covariance of all parameters, (n_par, n_par) in own units; rows of linked parameters follow from their links.

    Rows are known by their names, parameters without a row have zeros; where there are many, which a file leaves out
    that `format_covariance` has written of shared parameters alone, they keep their errors. (Gammapy goes by the order
    of rows.) Raises `DataError`, also where errors that the models state are others.
    """
    names, matrix = _read_table(path)
    rows, n_par = _positions(path, names, matrix.diagonal(), models), len(models.parameters)
    _check_errors(path, names, np.sqrt(matrix.diagonal()), [models.parameters[k].error for k in rows])
    if len(rows) < n_par and n_par > WHOLE:
        variances = np.square([parameter.error for parameter in models.parameters])
        return follow_links(models, diagonal_covariance(variances, np.array(rows, dtype=np.intp), matrix))
    whole = np.zeros((n_par, n_par))
    whole[np.ix_(rows, rows)] = matrix
    return follow_links(models, whole)


def _read_table(path: Path) -> tuple[list[str], Array]:
    """The names of the rows, and the numbers (n, n). A name may hold the bar that ends a cell."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise DataError(f"{path}: cannot be read: {reason}") from error
    lines = [line.strip().removeprefix("|").removesuffix("|") for line in lines if line.strip()]
    n = len(lines) - 1
    rows = [line.rsplit("|", n) if n > 0 else [line] for line in lines]
    numbers = [cell.strip() for cell in rows[0][1:]] if rows else []
    if n < 1 or any(len(row) != n + 1 for row in rows) or numbers != [str(k) for k in range(n)]:
        found = f"{n} rows under {lines[0].count('|')} columns" if n > 0 else "nothing"
        raise DataError(f"{path}: found {found}; a covariance file has a row and a column for each parameter")
    try:
        matrix = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]]).reshape(n, n)
    except ValueError as error:
        raise DataError(f"{path}: not a covariance file: {error}") from error
    names = [row[0].strip() for row in rows[1:]]
    if (odd := not_covariance(matrix)) is not None:
        row, column, why = odd
        raise DataError(f"{path}: row '{names[row]}', column {column}: {matrix[row, column]:g}: {why}")
    return names, matrix


def _positions(path: Path, names: Sequence[str], variances: Array, models: Composition) -> list[int]:
    """The parameters that rows are for: by full name, or else in order within a component that was renamed, where
    errors that the models state are those of the rows."""
    full = [name.strip() for name in models.addresses().full]
    left: dict[str, list[int]] = {}
    for k, name in enumerate(full):
        left.setdefault(name, []).append(k)
    found = [left[name].pop(0) if left.get(name) else None for name in names]
    unknown = [k for k, position in enumerate(found) if position is None]
    rest = sorted(position for positions in left.values() for position in positions)
    pairs = list(zip(unknown, rest, strict=False))
    stated = [parameter.error for parameter in models.parameters]
    if len(unknown) == len(rest) and all(
        names[k].endswith(_tail(full[n])) and (not stated[n] or isclose(variances[k] ** 0.5, stated[n], rel_tol=_SAME))
        for k, n in pairs
    ):
        for k, n in pairs:
            found[k] = n
        unknown = []
    if unknown:
        hint = suggest(names[unknown[0]], [full[n] for n in rest] or full, "parameters")
        raise DataError(f"{path}: row '{names[unknown[0]]}' is for no parameter of the models\n    {hint}")
    return [position for position in found if position is not None]


def _check_errors(path: Path, names: Sequence[str], found: Array, stated: Sequence[float]) -> None:
    """Raises `DataError` where errors of rows, (n,), are others than those that the models state; 0 states nothing."""
    for name, error, other in zip(names, found.tolist(), stated, strict=True):
        if error and other and not isclose(error, other, rel_tol=_ALIKE):
            raise DataError(
                f"{path}: row '{name}': an error of {error:.4g}, where the models state {other:.4g}: the files are of "
                "different fits"
            )


def _tail(full: str) -> str:
    """What follows the name of the component: ``.spectral.index``."""
    return next(full[full.index(mark) :] for mark in (".spectral.", ".spatial.", ".temporal.") if mark in full)


def follow_links(models: Composition, matrix: Covariance) -> Covariance:
    """The covariance with the rows and columns of linked parameters made from those that they follow."""
    roots = models.roots()
    if not roots:
        return matrix
    source, slope = np.arange(len(matrix)), np.ones(len(matrix))
    for k, root in roots.items():
        source[k], slope[k] = root.root, root.scale
    return placed(matrix, source, slope)


def named_covariance(data: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The key of a document that names its covariance file, and the name; None: it has none."""
    return next(((key, data[key]) for key in ("covariance", SHARED) if data.get(key) is not None), None)
