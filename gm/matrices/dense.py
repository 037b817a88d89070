"""Second derivatives as a whole matrix."""

from __future__ import annotations

from functools import cached_property
from typing import Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, everywhere
from gm.matrices.hessian import NOTHING, Hessian, Matrix, Weak

_NONE = 1e-14  # of the largest eigenvalue: those below are 0


@final
class DenseHessian(Hessian):
    """All elements of it, ``matrix`` (n, n). Its eigenvectors are kept once they were asked for: steps with any
    damping, the verdict on directions and the inverse all follow from them."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    @cached_property
    def _eigen(self) -> tuple[Array, Array, Array]:
        """Units (n,) in which the diagonal is 1, and in these the eigenvalues (n,), the smallest first, with their
        vectors (n, n), a column each; where they are no numbers, the eigenvalues are as negative as can be."""
        with np.errstate(over="ignore", invalid="ignore"):
            scale = 1.0 / np.sqrt(self.matrix.diagonal())
            scaled = self.matrix * (scale[:, None] * scale)
        if not everywhere(np.isfinite(scaled)):
            return scale, np.full(scale.size, -np.inf), np.eye(scale.size)
        return scale, *np.linalg.eigh(scaled)

    def diagonal(self) -> Array:
        return self.matrix.diagonal()

    def is_finite(self) -> bool:
        return everywhere(np.isfinite(self.matrix))

    def times(self, vector: Array) -> Array:
        return np.asarray(self.matrix @ vector)

    def among(self, keep: BoolArray) -> Self:
        return self if everywhere(keep) else type(self)(self.matrix[np.ix_(keep, keep)])

    def scaled(self, scale: Array) -> Self:
        return type(self)(self.matrix * np.outer(scale, scale))

    def damped(self, damping: float) -> Self:
        return type(self)(self.matrix + np.diag(damping * self.matrix.diagonal()))

    def with_diagonal(self, diagonal: Array) -> Self:
        matrix = self.matrix.copy()
        np.fill_diagonal(matrix, diagonal)
        return type(self)(matrix)

    def alone(self, chosen: BoolArray, curvature: Array) -> Self:
        matrix = np.where(chosen | chosen[:, None], 0.0, self.matrix)
        matrix[chosen, chosen] = curvature
        return type(self)(matrix)

    def with_row(self, k: int, slopes: Array) -> Self:
        matrix = self.matrix.copy()
        matrix[k] = matrix[:, k] = slopes
        return type(self)(matrix)

    def substituted(self, k: int, row: Array) -> Self:
        inverse = np.eye(row.size)
        inverse[k] = row
        return type(self)(inverse.T @ self.matrix @ inverse)

    def newton(self, gradient: Array, damping: float = 0.0) -> Array:
        scale, eigenvalues, vectors = self._eigen
        damped, along = eigenvalues + damping, (scale * gradient) @ vectors
        size = np.abs(damped)
        kept = size > _NONE * size.max(initial=0.0)
        along = along / damped if everywhere(kept) else np.where(kept, along / np.where(kept, damped, 1.0), 0.0)
        return np.asarray(-scale * (vectors @ along))

    def is_regular(self, above: float) -> bool:
        if not everywhere(self.matrix.diagonal() > NOTHING):
            return False
        return not self.matrix.size or bool(self._eigen[1][0] > above)

    def learned(self, step: Array, rise: Array, absurd: float) -> Self:
        """By the formula of Broyden, Fletcher, Goldfarb and Shanno."""
        bent = self.matrix @ step
        seen, expected = float(rise @ step), float(bent @ step)
        if not (expected > 0 and 1 / absurd < seen / expected < absurd):
            return self
        return type(self)(self.matrix + np.outer(rise, rise) / seen - np.outer(bent, bent) / expected)

    def inverse(self, degenerate_below: float) -> tuple[Array | None, Weak]:
        scale, eigenvalues, vectors = self._eigen
        weak = [(float(eigenvalues[k]), vectors[:, k]) for k in (eigenvalues < degenerate_below).nonzero()[0]]
        if weak:
            return None, weak
        inverse = (vectors / eigenvalues) @ vectors.T
        return 2.0 * inverse * (scale[:, None] * scale), []

    def explained(self, k: int) -> float:
        others = np.arange(len(self.matrix)) != k
        size = np.sqrt(np.abs(self.matrix.diagonal()[others]))
        size[size == 0] = 1.0  # units may be far apart
        cross, among = self.matrix[k, others] / size, self.matrix[np.ix_(others, others)] / np.outer(size, size)
        return float(cross @ np.linalg.pinv(among) @ cross)

    def dense(self) -> Array:
        return self.matrix

    def together(self) -> list[IntArray]:
        return list(np.arange(len(self.matrix))[:, None])

    @property
    def is_dense(self) -> bool:
        return True


def as_hessian(matrix: Matrix) -> Hessian:
    """What an objective gives, as a Hessian."""
    return matrix if isinstance(matrix, Hessian) else DenseHessian(matrix)
