"""Folds: linear maps from the flux vector onto rows of a term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, everywhere
from gm.likelihood.flux_shares import as_slice
from gm.likelihood.products import narrow_product, times, transposed_times


class Fold(ABC):
    """A linear map from the flux vector onto some rows of a term; ``columns`` are those of the vector that it reads."""

    columns: IntArray | slice

    @abstractmethod
    def add_predicted(self, flux: Array, predicted: Array) -> None:
        """Add what the flux vector (n_columns,) predicts to ``predicted`` (n_rows,)."""

    @abstractmethod
    def add_adjoint(self, weights: Array, d_flux: Array) -> None:
        """Add the transposed map of ``weights`` (n_rows,) to ``d_flux`` (n_columns,)."""

    @abstractmethod
    def add_jacobian(self, flux_jacobian: Array, jacobian: Array) -> None:
        """Add the map of each column of ``flux_jacobian`` (n_columns, n_free) to ``jacobian`` (n_rows, n_free)."""

    @property
    def is_linear(self) -> bool:
        """Whether it is the same map for every flux vector."""
        return True

    def at(self, flux: Array) -> Fold:
        """The linear map that it is at a flux vector (n_columns,); its derivative there where it is not linear."""
        return self

    @abstractmethod
    def take(self, keep: BoolArray) -> Fold:
        """The fold onto the kept rows, renumbered; ``keep`` is (n_rows of the term,)."""

    @abstractmethod
    def is_positive(self) -> bool:
        """No flux that is positive predicts something negative."""


def kept_rows(rows: IntArray | slice, keep: BoolArray) -> tuple[BoolArray, IntArray]:
    """Which of the ``rows`` (n,) of a term are kept, (n,), and the numbers of these among all that are kept, (n_kept,);
    ``keep`` is (n_rows of the term,)."""
    here = keep[rows]
    return here, (np.cumsum(keep) - 1)[rows][here]


@final
@dataclass(frozen=True, eq=False)
class MatrixFold(Fold):
    """``predicted[rows] += matrix @ flux[columns]``: exposure and energy dispersion of datasets that share an axis."""

    rows: IntArray | slice
    columns: slice
    matrix: Array

    def add_predicted(self, flux: Array, predicted: Array) -> None:
        predicted[self.rows] += times(self.matrix, flux[self.columns])

    def add_adjoint(self, weights: Array, d_flux: Array) -> None:
        d_flux[self.columns] += transposed_times(self.matrix, weights[self.rows])

    def add_jacobian(self, flux_jacobian: Array, jacobian: Array) -> None:
        jacobian[self.rows] += narrow_product(self.matrix, flux_jacobian[self.columns])

    def take(self, keep: BoolArray) -> MatrixFold:
        here, rows = kept_rows(self.rows, keep)
        return MatrixFold(as_slice(rows), self.columns, np.ascontiguousarray(self.matrix[here]))

    def is_positive(self) -> bool:
        return everywhere(self.matrix >= 0)


@final
@dataclass(frozen=True, eq=False)
class DiagonalFold(Fold):
    """``predicted[rows] += weight * flux[columns]``: a background and its spectral norm, or flux points."""

    rows: IntArray
    columns: IntArray
    weight: Array

    def add_predicted(self, flux: Array, predicted: Array) -> None:
        predicted[self.rows] += self.weight * flux[self.columns]

    def add_adjoint(self, weights: Array, d_flux: Array) -> None:
        np.add.at(d_flux, self.columns, weights[self.rows] * self.weight)

    def add_jacobian(self, flux_jacobian: Array, jacobian: Array) -> None:
        jacobian[self.rows] += self.weight[:, None] * flux_jacobian[self.columns]

    def take(self, keep: BoolArray) -> DiagonalFold:
        here, rows = kept_rows(self.rows, keep)
        return DiagonalFold(rows, self.columns[here], self.weight[here])

    def is_positive(self) -> bool:
        return everywhere(self.weight >= 0)
