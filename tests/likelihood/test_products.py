"""Products of matrices and vectors, small and large, against sums."""

from __future__ import annotations

import numpy as np
import pytest

from gm.likelihood.products import inner, narrow_product, product, times, transposed_times


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (53, 50), (64, 64), (64, 65), (500, 20)])
def test_products_with_a_vector(shape: tuple[int, int]) -> None:
    """Those that BLAS makes, and those that it does not."""
    random = np.random.default_rng(1)
    matrix, row, column = random.normal(size=shape), random.normal(size=shape[1]), random.normal(size=shape[0])
    np.testing.assert_allclose(times(matrix, row), (matrix * row).sum(axis=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(transposed_times(matrix, column), (matrix.T * column).sum(axis=1), rtol=0, atol=1e-12)
    assert inner(row, row) == pytest.approx(float(np.sum(row**2)), rel=1e-14)


@pytest.mark.parametrize("n_rows", [1, 16, 37])
def test_products_with_a_small_matrix(n_rows: int) -> None:
    random = np.random.default_rng(2)
    matrix, columns = random.normal(size=(3, n_rows, 5)), random.normal(size=(3, 5, 4))
    expected = (matrix[..., None] * columns[:, None]).sum(axis=2)
    np.testing.assert_allclose(product(matrix, columns), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_rows", [0, 20, 4000])
def test_products_with_few_columns(n_rows: int) -> None:
    """By BLAS, and column by column."""
    random = np.random.default_rng(3)
    matrix, columns = random.normal(size=(n_rows, 30)), random.normal(size=(30, 3)) * [1.0, 0.0, 1.0]
    expected = (matrix[:, :, None] * columns).sum(axis=1)
    np.testing.assert_allclose(narrow_product(matrix, columns), expected, rtol=0, atol=1e-12)
