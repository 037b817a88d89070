"""Products of tall matrices with short vectors and small matrices, without the threads of BLAS.

For vectors `numpy.einsum` is as fast as BLAS: both wait for memory. Threads of BLAS only cost, and on shared cores a
hundred times as much, because a product this short ends before they have met. It starts none for small matrices, for
which it is called in a quarter of the time.
"""

from __future__ import annotations

import numpy as np

from gm.arrays import Array

_SMALL = 1 << 12  # numbers in a matrix, less than half of those for which BLAS thinks of threads
_SMALL_PRODUCT = 1 << 15  # multiplications in a product of matrices, an eighth of what BLAS takes threads for
ROWS = 16  # of narrow matrices at a time: so few that BLAS does not think of threads


def times(matrix: Array, vector: Array) -> Array:
    """``matrix @ vector``, (n_rows,)."""
    if matrix.size <= _SMALL:
        return np.asarray(matrix.dot(vector))
    return np.asarray(np.einsum("ij,j->i", matrix, vector))


def product(matrix: Array, columns: Array) -> Array:
    """``matrix @ columns``, (..., n_rows, n), by BLAS in parts for which it needs no threads."""
    *many, n_rows, n_inner = matrix.shape
    if rest := n_rows % ROWS:
        last = matrix[..., n_rows - rest :, :] @ columns
        return np.concatenate([product(matrix[..., : n_rows - rest, :], columns), last], axis=-2)
    parts = matrix.reshape(*many, n_rows // ROWS, ROWS, n_inner) @ columns[..., None, :, :]
    return np.asarray(parts.reshape(*many, n_rows, columns.shape[-1]))


def inner(first: Array, second: Array) -> float:
    """``first @ second`` of two vectors, (n,)."""
    return float(np.einsum("i,i->", first, second))


def transposed_times(matrix: Array, vector: Array) -> Array:
    """``matrix.T @ vector``, (n_columns,)."""
    if matrix.size <= _SMALL:
        return np.asarray(vector.dot(matrix))
    return np.asarray(np.einsum("ij,i->j", matrix, vector))


def narrow_product(matrix: Array, columns: Array) -> Array:
    """``matrix @ columns`` for few columns, (n_rows, n), some of which may be 0."""
    if matrix.size * columns.shape[1] <= _SMALL_PRODUCT:
        return np.asarray(matrix.dot(columns))
    product = np.zeros((len(matrix), columns.shape[1]))
    for k in np.flatnonzero(columns.any(axis=0)):
        product[:, k] = times(matrix, np.ascontiguousarray(columns[:, k]))
    return product


def weighted_square(matrix: Array, weights: Array) -> Array:
    """``matrix.T @ diag(weights) @ matrix``, (n_columns, n_columns); weights are not negative."""
    scaled = matrix * weights[:, None]
    if matrix.size <= _SMALL:
        return np.asarray(scaled.T.dot(matrix))
    return np.asarray(np.einsum("ij,ik->jk", scaled, matrix) if matrix.shape[1] <= 8 else scaled.T @ matrix)


def weighted_rows(matrix: Array, weights: Array) -> Array:
    """``matrix @ diag(weights) @ matrix.T`` of a wide matrix, (n_rows, n_rows)."""
    scaled, square = matrix * weights, np.empty((len(matrix), len(matrix)))
    for i, row in enumerate(scaled):
        square[i, : i + 1] = square[: i + 1, i] = np.einsum("ij,j->i", matrix[: i + 1], row)
    return square
