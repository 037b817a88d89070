"""A symmetric matrix over all free parameters, as a fit uses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self, TypeAlias

from gm.arrays import Array, BoolArray, IntArray
from gm.matrices.covariance import Covariance

NOTHING = 1e-200  # a curvature in any unit: products of its inverse are still numbers
Weak: TypeAlias = list[tuple[float, Array]]


class Hessian(ABC):
    """Second derivatives of a function of n parameters, exact or not."""

    @abstractmethod
    def diagonal(self) -> Array:
        """(n,)."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether all of its elements are."""

    @abstractmethod
    def times(self, vector: Array) -> Array:
        """Its product with a vector, (n,)."""

    @abstractmethod
    def among(self, keep: BoolArray) -> Self:
        """Of the kept parameters alone; ``keep`` is (n,)."""

    @abstractmethod
    def scaled(self, scale: Array) -> Self:
        """In other units: rows and columns multiplied by ``scale`` (n,)."""

    @abstractmethod
    def damped(self, damping: float) -> Self:
        """With that much of its diagonal added to it."""

    @abstractmethod
    def with_diagonal(self, diagonal: Array) -> Self:
        """With another diagonal, (n,)."""

    @abstractmethod
    def alone(self, chosen: BoolArray, curvature: Array) -> Self:
        """Where the ``chosen`` parameters (n,) meet no other one, and have this ``curvature`` (n_chosen,)."""

    @abstractmethod
    def with_row(self, k: int, slopes: Array) -> Self:
        """With ``slopes`` (n,) in row and column ``k``, as far as parameters meet."""

    @abstractmethod
    def substituted(self, k: int, row: Array) -> Self:
        """With another parameter in the place of parameter ``k``, whose derivatives by the new ones are ``row`` (n,):
        those that this mixes meet."""

    @abstractmethod
    def newton(self, gradient: Array, damping: float = 0.0) -> Array:
        """``-(M + damping diag M)^-1 gradient``, (n,): the smallest of the least squares in units of unit diagonal.

        The diagonal is above `NOTHING`.
        """

    @abstractmethod
    def is_regular(self, above: float) -> bool:
        """Whether it is finite, and in units of unit diagonal its smallest eigenvalue is above that."""

    @abstractmethod
    def learned(self, step: Array, rise: Array, absurd: float) -> Self:
        """With the curvature that a step (n,) with this rise of the gradient has shown, unless it is another one by a
        factor of ``absurd``."""

    @abstractmethod
    def inverse(self, degenerate_below: float) -> tuple[Covariance | None, Weak]:
        """``2 M^-1``, or the eigenvectors (n,) with small eigenvalues in units of unit diagonal, a few at least.

        The diagonal is above `NOTHING`.
        """

    @abstractmethod
    def explained(self, k: int) -> float:
        """How much less the curvature of parameter ``k`` is once the function is minimised over all others."""

    @abstractmethod
    def dense(self) -> Array:
        """(n, n), where there is room for it."""

    @abstractmethod
    def together(self) -> list[IntArray]:
        """Positions of all parameters, (n,) those together of which no two meet."""

    @property
    def is_dense(self) -> bool:
        """Whether every parameter may meet every other one."""
        return False


Matrix: TypeAlias = Array | Hessian
