"""Terms and folds: the sparse path is the dense one, adjoints are adjoints, selections are selections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.arrays import Array
from gm.likelihood.spectra.folds import DiagonalFold, Fold, MatrixFold
from gm.likelihood.spectra.term import Term
from gm.statistics import Cash, Statistic, WStat

N_ROWS, N_COLUMNS = 9, 7
seeds = st.integers(0, 2**32 - 1)


def random_folds(random: np.random.Generator) -> list[Fold]:
    """A matrix on consecutive rows, one on scattered rows with shared columns, and a diagonal on some rows."""
    return [
        MatrixFold(slice(1, 5), slice(0, 4), random.exponential(1.0, (4, 4))),
        MatrixFold(np.array([0, 2, 7, 8]), slice(2, 6), random.exponential(1.0, (4, 4))),
        DiagonalFold(np.array([1, 3, 6]), np.array([6, 6, 5]), random.exponential(1.0, 3)),
    ]


def dense(fold: Fold) -> Array:
    """The fold as one matrix (n_rows, n_columns), column by column."""
    matrix = np.zeros((N_ROWS, N_COLUMNS))
    for column, unit in enumerate(np.eye(N_COLUMNS)):
        fold.add_predicted(unit, matrix[:, column])
    return matrix


@given(seeds)
def test_adjoints(seed: int) -> None:
    """<y, fold(x)> == <adjoint(y), x>, and the Jacobian is the same map."""
    random = np.random.default_rng(seed)
    for fold in random_folds(random):
        x, y = random.normal(size=N_COLUMNS), random.normal(size=N_ROWS)
        forward, backward = np.zeros(N_ROWS), np.zeros(N_COLUMNS)
        fold.add_predicted(x, forward)
        fold.add_adjoint(y, backward)
        assert y @ forward == pytest.approx(backward @ x, rel=1e-12, abs=1e-12)
        several, mapped = random.normal(size=(N_COLUMNS, 3)), np.zeros((N_ROWS, 3))
        fold.add_jacobian(several, mapped)
        assert mapped == pytest.approx(dense(fold) @ several, rel=1e-12, abs=1e-12)


@given(seeds, st.integers(0, 2**N_ROWS - 1))
def test_take_keeps_rows(seed: int, bits: int) -> None:
    keep = np.array([bits >> k & 1 for k in range(N_ROWS)], dtype=bool)
    random = np.random.default_rng(seed)
    flux = random.exponential(1.0, N_COLUMNS)
    for fold in random_folds(random):
        predicted = np.zeros(int(keep.sum()))
        fold.take(keep).add_predicted(flux, predicted)
        assert predicted == pytest.approx((dense(fold) @ flux)[keep], rel=1e-12)


def statistics(random: np.random.Generator) -> list[Statistic]:
    n_on, n_off = random.poisson(0.8, N_ROWS).astype(float), random.poisson(2.0, N_ROWS).astype(float)
    return [Cash(n_on), WStat(n_on, n_off, random.uniform(0.05, 1.0, N_ROWS))]


def terms(seed: int) -> tuple[np.random.Generator, list[Term]]:
    random = np.random.default_rng(seed)
    folds, numbers = random_folds(random), np.arange(N_ROWS)
    offset = random.exponential(0.5, N_ROWS)
    return random, [Term(s, folds, offset, numbers // 5, numbers % 5, N_COLUMNS) for s in statistics(random)]


@given(seeds, st.booleans())
def test_the_sum_over_empty_bins_is_exact(seed: int, negative: bool) -> None:
    """With and without a negative flux, which sends the term down its dense path."""
    random, all_terms = terms(seed)
    flux = random.exponential(1.0, N_COLUMNS)
    if negative:
        flux[random.integers(N_COLUMNS)] *= -1
    for term in all_terms:
        predicted = term.offset + sum(dense(fold) @ flux for fold in term.folds)
        assert term.predict(flux) == pytest.approx(predicted, rel=1e-12, abs=1e-12)
        bins, weights = term.statistic.value_and_derivative(predicted)
        assert term.value(flux) == pytest.approx(bins.sum(), rel=1e-12, abs=1e-11)
        found = term.pullback(flux)
        assert found.value == pytest.approx(bins.sum(), rel=1e-12, abs=1e-11)
        expected = sum(weights @ dense(fold) for fold in term.folds)
        assert found.d_flux == pytest.approx(expected, rel=1e-10, abs=1e-10)


@given(seeds, st.booleans())
def test_information_leaves_out_bins_without_curvature(seed: int, expected: bool) -> None:
    random, all_terms = terms(seed)
    flux, jacobian = random.exponential(1.0, N_COLUMNS), random.normal(size=(N_COLUMNS, 3))
    for term in all_terms:
        rows = sum(dense(fold) for fold in term.folds) @ jacobian
        predicted = term.predict(flux)
        statistic = term.statistic
        curvature = statistic.expected_curvature(predicted) if expected else statistic.curvature(predicted)
        slow = rows.T @ np.diag(curvature) @ rows
        found = np.zeros((3, 3))
        term.information(flux, jacobian, expected=expected).add_to(found)
        assert found == pytest.approx(slow, rel=1e-9, abs=1e-9)


@given(seeds, st.integers(0, 2**N_ROWS - 1))
def test_a_term_is_the_sum_of_its_parts(seed: int, bits: int) -> None:
    random, all_terms = terms(seed)
    keep = np.array([bits >> k & 1 for k in range(N_ROWS)], dtype=bool)
    flux = random.exponential(1.0, N_COLUMNS)
    for term in all_terms:
        parts = [term.take(rows, N_COLUMNS) for rows in (keep, ~keep)]
        assert sum(part.value(flux) for part in parts) == pytest.approx(term.value(flux), rel=1e-12, abs=1e-11)
        assert parts[0].dataset.tolist() == term.dataset[keep].tolist()
        assert parts[1].bin.tolist() == term.bin[~keep].tolist()


def test_a_negative_response_never_takes_the_sparse_path() -> None:
    """With a negative weight positive fluxes can predict less than nothing, where an empty bin is cut at 0."""
    numbers = np.arange(2)
    fold = MatrixFold(slice(0, 2), slice(0, 2), np.array([[1.0, -2.0], [1.0, 1.0]]))
    term = Term(Cash(np.array([0.0, 3.0])), [fold], np.zeros(2), numbers * 0, numbers, 2)
    flux = np.ones(2)
    # bin 0 predicts -1: cut; bin 1 predicts 2: 2 (2 - 3 ln 2)
    assert term.value(flux) == pytest.approx(2 * (2 - 3 * np.log(2)), rel=1e-12)
    assert not fold.is_positive()
    assert replace(fold, matrix=abs(fold.matrix)).is_positive()
