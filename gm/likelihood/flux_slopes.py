"""The flux vector at one point, with its derivatives by all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, IntArray


@dataclass(frozen=True, eq=False)
class Slopes:
    """What a share adds to the flux vector at ``columns``: ``flux`` (n,), and its derivatives (n_own, n) by the
    parameters at some slots."""

    columns: IntArray | slice
    flux: Array
    gradients: list[tuple[slice, Array]]

    def pull_back(self, d_flux: Array, gradient: Array) -> None:
        """Add what the derivatives (n_columns,) by the flux vector make to those by all parameters, (n_par,)."""
        here = d_flux[self.columns]
        for slots, by_own in self.gradients:
            gradient[slots] += by_own.dot(here)

    def fill(self, jacobian: Array) -> None:
        """Put the derivatives into (n_columns, n_par)."""
        for slots, by_own in self.gradients:
            jacobian[self.columns, slots] = by_own.T

    def add_times(self, by_parameter: Array, jacobian: Array) -> None:
        """Add the derivatives by what the parameters depend on as ``by_parameter`` (n_par, n) says, (n_columns, n)."""
        for slots, by_own in self.gradients:
            for row, factors in zip(by_own, by_parameter[slots], strict=True):
                jacobian[self.columns] += row[:, None] * factors

    def add_to_narrow(self, target: IntArray, slope: Array, narrow: Array) -> None:
        """Add ``slope`` (n_par,) times the derivatives to the columns ``target`` (n_par,) of (n_columns, n_targets)."""
        for slots, by_own in self.gradients:
            for column, factor, row in zip(target[slots].tolist(), slope[slots].tolist(), by_own, strict=True):
                if column >= 0:
                    narrow[self.columns, column] += factor * row


@dataclass(frozen=True, eq=False)
class FactoredSlopes(Slopes):
    """Slopes that several shares of the same columns have by the same parameters."""

    def fill(self, jacobian: Array) -> None:
        for slots, by_own in self.gradients:
            jacobian[self.columns, slots] += by_own.T


@dataclass(frozen=True, eq=False)
class SlopesAlike:
    """As `Slopes`: ``flux`` (n, n_points), and its derivatives ``gradient`` (n_own, n, n_points)."""

    columns: IntArray
    flux: Array
    slots: IntArray
    gradient: Array

    def pull_back(self, d_flux: Array, gradient: Array) -> None:
        gradient[self.slots] += np.einsum("kij,ij->ik", self.gradient, d_flux[self.columns])

    def fill(self, jacobian: Array) -> None:
        for slots, by_own in zip(self.slots.T, self.gradient, strict=True):
            jacobian[self.columns, slots[:, None]] = by_own

    def add_times(self, by_parameter: Array, jacobian: Array) -> None:
        for slots, by_own in zip(self.slots.T, self.gradient, strict=True):
            jacobian[self.columns] += by_own[:, :, None] * by_parameter[slots][:, None, :]

    def add_to_narrow(self, target: IntArray, slope: Array, narrow: Array) -> None:
        for slots, by_own in zip(self.slots.T, self.gradient, strict=True):
            moves = target[slots] >= 0
            rows = slope[slots][:, None] * by_own
            narrow[self.columns[moves], target[slots][moves][:, None]] += rows[moves]


@final
@dataclass(frozen=True, eq=False)
class FluxSlopes:
    """The flux vector (n_columns,) at some values of all parameters, and its derivatives by them.

    shares : what adds to the vector; columns, slots : (n,) where it is parameters itself, and which
    """

    flux: Array
    shares: Sequence[Slopes | SlopesAlike]
    columns: IntArray
    slots: IntArray
    n_parameters: int

    def pullback(self, d_flux: Array) -> Array:
        """Gradient (n_par,) from the derivative with respect to each flux (n_columns,)."""
        gradient = self.pullback_of_spectra(d_flux)
        if self.slots.size:
            gradient[self.slots] += d_flux[self.columns]
        return gradient

    def pullback_of_spectra(self, d_flux: Array) -> Array:
        """The same, but for what parameters that are columns themselves add, (n_par,)."""
        gradient = np.zeros(self.n_parameters)
        for share in self.shares:
            share.pull_back(d_flux, gradient)
        return gradient

    def jacobian(self) -> Array:
        """Derivative of each flux with respect to each parameter, (n_columns, n_par)."""
        jacobian = np.zeros((self.flux.size, self.n_parameters))
        for share in self.shares:
            share.fill(jacobian)
        jacobian[self.columns, self.slots] = 1.0
        return jacobian

    def times(self, by_parameter: Array) -> Array:
        """Derivatives of each flux, (n_columns, n), by what the parameters depend on as ``by_parameter`` (n_par, n)
        says."""
        jacobian = np.zeros((self.flux.size, by_parameter.shape[1]))
        for share in self.shares:
            share.add_times(by_parameter, jacobian)
        jacobian[self.columns] += by_parameter[self.slots]
        return jacobian

    def narrow_jacobian(self, target: IntArray, slope: Array, width: int) -> Array:
        """The same with several parameters in one column, (n_columns, width): parameter k times ``slope[k]`` in column
        ``target[k]``, or nowhere where that is negative; no flux depends on two of a column."""
        narrow = np.zeros((self.flux.size, width))
        for share in self.shares:
            share.add_to_narrow(target, slope, narrow)
        if self.slots.size:
            moving = target[self.slots] >= 0
            slots = self.slots[moving]
            narrow[self.columns[moving], target[slots]] += slope[slots]
        return narrow
