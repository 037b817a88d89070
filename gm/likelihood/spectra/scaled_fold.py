"""A spectrum seen through an energy dispersion whose energies have a scale, which is a column of the flux vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.irf.scaled_edisp import ScaledDispersion
from gm.likelihood.products import narrow_product, times, transposed_times
from gm.likelihood.spectra.folds import Fold, kept_rows


@final
@dataclass(frozen=True, eq=False)
class ScaledFold(Fold):
    """``predicted[rows] += (exposure * flux[columns]) @ R_s[:, bins]`` with ``s = flux[scale]``.

    rows, bins : (n,) rows of the term, and the energy bins of the dataset that they are; exposure : (n_energy_true,)
    """

    rows: IntArray
    columns: slice
    scale: int
    bins: IntArray
    exposure: Array
    edisp: ScaledDispersion

    @property
    def is_linear(self) -> bool:
        return False

    def at(self, flux: Array) -> Fold:
        matrix, slope = (part[:, self.bins].T * self.exposure for part in self.edisp.at(float(flux[self.scale])))
        by_scale = times(np.ascontiguousarray(slope), flux[self.columns])
        return _Tangent(self.rows, self.columns, self.scale, np.ascontiguousarray(matrix), by_scale)

    def add_predicted(self, flux: Array, predicted: Array) -> None:
        self.at(flux).add_predicted(flux, predicted)

    def add_adjoint(self, weights: Array, d_flux: Array) -> None:
        raise TypeError("the adjoint is that of the map at a flux vector")

    def add_jacobian(self, flux_jacobian: Array, jacobian: Array) -> None:
        raise TypeError("the Jacobian is that of the map at a flux vector")

    def take(self, keep: BoolArray) -> ScaledFold:
        here, rows = kept_rows(self.rows, keep)
        return ScaledFold(rows, self.columns, self.scale, self.bins[here], self.exposure, self.edisp)

    def is_positive(self) -> bool:
        return bool((self.exposure >= 0).all())


@final
@dataclass(frozen=True, eq=False)
class _Tangent(Fold):
    """The map at one scale, and its derivative: ``matrix`` (n, n_energy_true), ``by_scale`` (n,) counts."""

    rows: IntArray
    columns: slice
    scale: int
    matrix: Array
    by_scale: Array

    def add_predicted(self, flux: Array, predicted: Array) -> None:
        """At the scale of the tangent, whatever the flux vector has."""
        predicted[self.rows] += times(self.matrix, flux[self.columns])

    def add_adjoint(self, weights: Array, d_flux: Array) -> None:
        here = weights[self.rows]
        d_flux[self.columns] += transposed_times(self.matrix, here)
        d_flux[self.scale] += float(here @ self.by_scale)

    def add_jacobian(self, flux_jacobian: Array, jacobian: Array) -> None:
        jacobian[self.rows] += narrow_product(self.matrix, flux_jacobian[self.columns])
        jacobian[self.rows] += self.by_scale[:, None] * flux_jacobian[self.scale]

    def take(self, keep: BoolArray) -> Fold:
        here, rows = kept_rows(self.rows, keep)
        return _Tangent(rows, self.columns, self.scale, self.matrix[here], self.by_scale[here])

    def is_positive(self) -> bool:
        return bool((self.matrix >= 0).all())
