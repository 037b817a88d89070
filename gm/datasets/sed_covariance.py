"""The covariance between flux points, as tables hold it: of the quantity of their SED type, of one sigma."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.io.sed_table import COVARIANCE
from gm.io.tables import Table
from gm.units import UnitError, factor

_ROUNDING = 1e-6  # of the errors, by which the matrix may not be symmetric
_LEAST = 1e-12  # smallest eigenvalue of the correlations


def covariance_of(table: Table, quantity: str, unit: str, to_dnde: Array) -> Array | None:
    """That of dnde, (n, n) [(cm-2 s-1 TeV-1)^2], from the column of a ``quantity``; None without one.

    unit : of the quantity; to_dnde : (n,) what multiplies it to give dnde. Raises `DataError` for a matrix of another
    quantity, of another shape, or that is no covariance.
    """
    column = next((one for one in table.columns if one.name.lower().endswith(COVARIANCE)), None)
    if column is None:
        return None
    if column.name.lower() != quantity + COVARIANCE:
        raise DataError(f"a covariance {column.name}, expected {quantity}{COVARIANCE}, as the table has {quantity}")
    values, n = np.asarray(column.values), len(table.columns[0].values)
    if values.shape != (n, n) or values.dtype.kind != "f":
        raise DataError(f"column {column.name} is not {n} numbers in each of {n} rows")
    try:
        scale = factor(column.unit or squared(unit), squared(unit))
    except UnitError as error:
        raise DataError(f"column {column.name} is in '{column.unit}', expected '{squared(unit)}'") from error
    covariance = np.outer(to_dnde, to_dnde) * values.astype(np.float64) * scale
    _check(covariance, known(covariance), column.name)
    return covariance


def squared(unit: str) -> str:
    """The unit of a covariance."""
    return " ".join(_squared(part) for part in unit.split())


def _squared(part: str) -> str:
    name = part.rstrip("-0123456789")
    return f"{name}{2 * int(part.removeprefix(name) or 1)}"


def known(covariance: Array) -> BoolArray:
    """Which points have an error in it, (n,)."""
    variance = np.diag(covariance)
    return np.isfinite(variance) & (variance > 0)


def largest_correlation(covariance: Array) -> float:
    """Of two points that have errors, with its sign, from a covariance (n, n); NaN where there are no two."""
    rows = known(covariance)
    if np.count_nonzero(rows) < 2:
        return float("nan")
    among = covariance[rows][:, rows]
    error = np.sqrt(np.diag(among))
    pairs = (among / np.outer(error, error))[np.triu_indices(error.size, 1)]
    return float(pairs[np.argmax(np.abs(pairs))])


def correlated(covariance: Array, normal: Array) -> Array:
    """Random numbers with a covariance, (n,), from ``normal`` ones (n,); NaN where a point has no error."""
    rows, drawn = known(covariance), np.full(normal.size, np.nan)
    drawn[rows] = np.linalg.cholesky(covariance[rows][:, rows]) @ normal[rows]
    return drawn


def _check(covariance: Array, rows: BoolArray, name: str) -> None:
    """Raises `DataError` where it is not that of random numbers."""
    among = covariance[rows][:, rows]
    error = np.sqrt(np.diag(among))
    correlation = among / np.outer(error, error)
    if not np.isfinite(correlation).all():
        raise DataError(f"{name} has values that are not finite between points that have errors")
    if not np.allclose(correlation, correlation.T, rtol=0, atol=_ROUNDING):
        raise DataError(f"{name} is not symmetric")
    if rows.any() and not np.linalg.eigvalsh(correlation)[0] > _LEAST:
        raise DataError(f"{name} is not positive definite: some combination of points would have no error")
