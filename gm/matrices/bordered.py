"""Second derivatives of which each group of parameters has its own block, bordered by those that all share.

With the blocks A_g of the groups, B_g of each with the shared parameters, and C of these, everything follows from the
Schur complement ``S = C - sum_g B_g^T A_g^-1 B_g`` (Boyd & Vandenberghe, 2004, Convex Optimization, appendix A.5.5),
and the cost is linear in the number of groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.matrices.covariance import BorderedCovariance, Covariance
from gm.matrices.grouping import Grouping
from gm.matrices.hessian import NOTHING, Hessian, Weak

_SINGULAR = 1e-14  # of the largest eigenvalue of a block: below it is 0
_FEW = 500  # parameters whose eigenvectors are found from the whole matrix
_MOST = 20  # eigenvectors that are found of more
_HALVINGS = 40


@final
class BorderedHessian(Hessian):
    """The blocks of it, of parameters as a `Grouping` has them; elements where nobody is are 0.

    shared : (n_shared, n_shared) C
    own : (n_groups, n_places, n_places) A; cross : (n_groups, n_places, n_shared) B
    """

    def __init__(self, grouping: Grouping, shared: Array, own: Array, cross: Array) -> None:
        self.grouping, self.shared, self.own, self.cross = grouping, shared, own, cross

    @classmethod
    def zeros(cls, grouping: Grouping) -> BorderedHessian:
        n_shared, (n_groups, n_places) = grouping.shared.size, grouping.own.shape
        shape = n_groups, n_places
        return cls(grouping, np.zeros((n_shared, n_shared)), np.zeros((*shape, n_places)), np.zeros((*shape, n_shared)))

    def diagonal(self) -> Array:
        return self.grouping.join(self.shared.diagonal(), np.diagonal(self.own, axis1=1, axis2=2))

    def is_finite(self) -> bool:
        return all(bool(np.isfinite(part).all()) for part in (self.shared, self.own, self.cross))

    def times(self, vector: Array) -> Array:
        shared, own = self.grouping.split(vector)
        return self.grouping.join(
            self.shared @ shared + np.einsum("gib,gi->b", self.cross, own),
            np.einsum("gij,gj->gi", self.own, own) + self.cross @ shared,
        )

    def among(self, keep: BoolArray) -> BorderedHessian:
        if keep.all():
            return self
        grouping = self.grouping.among(keep)
        shared, present = keep[self.grouping.shared], grouping.present
        return BorderedHessian(
            grouping,
            self.shared[np.ix_(shared, shared)],
            np.where(present[:, :, None] & present[:, None, :], self.own, 0.0),
            np.where(present[:, :, None], self.cross[:, :, shared], 0.0),
        )

    def scaled(self, scale: Array) -> BorderedHessian:
        shared, own = self.grouping.split(scale)
        return BorderedHessian(
            self.grouping,
            self.shared * (shared[:, None] * shared),
            self.own * (own[:, :, None] * own[:, None, :]),
            self.cross * (own[:, :, None] * shared),
        )

    def damped(self, damping: float) -> BorderedHessian:
        return self.with_diagonal(self.diagonal() * (1.0 + damping))

    def with_diagonal(self, diagonal: Array) -> BorderedHessian:
        shared, own = self.grouping.split(diagonal)
        made = BorderedHessian(self.grouping, self.shared.copy(), self.own.copy(), self.cross)
        np.fill_diagonal(made.shared, shared)
        places = np.arange(own.shape[1])
        made.own[:, places, places] = own
        return made

    def alone(self, chosen: BoolArray, curvature: Array) -> BorderedHessian:
        diagonal = self.diagonal()
        diagonal[chosen] = curvature
        return self.scaled(np.where(chosen, 0.0, 1.0)).with_diagonal(diagonal)

    def with_row(self, k: int, slopes: Array) -> BorderedHessian:
        shared, own = self.grouping.split(slopes)
        group, place = int(self.grouping.group[k]), int(self.grouping.place[k])
        made = BorderedHessian(self.grouping, self.shared.copy(), self.own.copy(), self.cross.copy())
        if group >= 0:
            made.own[group, place] = made.own[group, :, place] = own[group]
            made.cross[group, place] = shared
        else:
            made.shared[place] = made.shared[:, place] = shared
            made.cross[:, :, place] = own
        return made

    def substituted(self, k: int, row: Array) -> BorderedHessian:
        """``M + d m^T + m d^T + m_k d d^T`` with the column m of the parameter, and d of how others take its part."""
        one = np.where(np.arange(row.size) == k, 1.0, 0.0)
        column, change = self.times(one), row - one
        (m, own_m), (d, own_d) = self.grouping.split(column + 0.5 * column[k] * change), self.grouping.split(change)
        return BorderedHessian(
            self.grouping,
            self.shared + d[:, None] * m + m[:, None] * d,
            self.own + own_d[:, :, None] * own_m[:, None, :] + own_m[:, :, None] * own_d[:, None, :],
            self.cross + own_d[:, :, None] * m + own_m[:, :, None] * d,
        )

    def plus_diagonal(self, diagonal: Array) -> BorderedHessian:
        """With ``diagonal`` (n,) added."""
        return self.with_diagonal(self.diagonal() + diagonal)

    def add(self, rows: IntArray, columns: IntArray, values: Array) -> None:
        """Add to the elements at pairs of parameters that meet, (n_pairs,) each, before anything is asked; two that
        differ are given both ways."""
        grouping = self.grouping
        group, other = grouping.group[rows], grouping.group[columns]
        i, j = grouping.place[rows], grouping.place[columns]
        own, shared, mixed = (group >= 0) & (other >= 0), (group < 0) & (other < 0), (group >= 0) & (other < 0)
        turned = (group < 0) & (other >= 0)
        np.add.at(self.shared, (i[shared], j[shared]), values[shared])
        np.add.at(self.own, (group[own], i[own], j[own]), values[own])
        np.add.at(self.cross, (group[mixed], i[mixed], j[mixed]), 0.5 * values[mixed])
        np.add.at(self.cross, (other[turned], j[turned], i[turned]), 0.5 * values[turned])

    def symmetric(self) -> BorderedHessian:
        """The mean of both triangles."""
        shared, own = 0.5 * (self.shared + self.shared.T), 0.5 * (self.own + np.swapaxes(self.own, 1, 2))
        return BorderedHessian(self.grouping, shared, own, self.cross)

    @cached_property
    def _unit(self) -> tuple[Array, _Unit]:
        """The scale (n,) that makes its diagonal 1, and it in these units."""
        scale = 1.0 / np.sqrt(self.diagonal())
        unit = self.scaled(scale)
        absent = ~self.grouping.present
        places = np.arange(absent.shape[1])
        unit.own[:, places, places] += absent
        return scale, _Unit(unit.grouping, unit.shared, unit.own, unit.cross)

    def newton(self, gradient: Array, damping: float = 0.0) -> Array:
        scale, unit = self._unit
        return -scale * unit.eliminated(damping).solve(scale * gradient)

    def is_regular(self, above: float) -> bool:
        diagonal = self.diagonal()
        if not ((diagonal > NOTHING).all() and self.is_finite()):
            return False
        return not diagonal.size or self._unit[1].n_below(above) == 0

    def learned(self, step: Array, rise: Array, absurd: float) -> BorderedHessian:
        """As it is, since what a step shows would fill the matrix."""
        return self

    def inverse(self, degenerate_below: float) -> tuple[Covariance | None, Weak]:
        scale, unit = self._unit
        if n_weak := unit.n_below(degenerate_below):
            return None, unit.weak(degenerate_below, n_weak)
        known = unit.eliminated(0.0)
        _, own = self.grouping.split(scale)
        carry = np.empty((self.grouping.size, self.grouping.shared.size))
        for k, column in enumerate(np.eye(self.grouping.shared.size)):
            carry[:, k] = scale * self.grouping.join(column, -known.along[:, :, k])
        block = 2.0 * known.inverse * (own[:, :, None] * own[:, None, :])
        return BorderedCovariance(
            2.0 * known.inverse_of_rest(), carry, block, self.grouping.group, self.grouping.place
        ), []

    def explained(self, k: int) -> float:
        everyone = self.diagonal()
        direction = self.newton(-np.where(np.arange(everyone.size) == k, 1.0, 0.0))
        return float(everyone[k] - 1.0 / direction[k])

    def together(self) -> list[IntArray]:
        places = (places[places >= 0] for places in self.grouping.own.T)
        return [*self.grouping.shared[:, None], *(place for place in places if place.size)]

    def dense(self) -> Array:
        grouping = self.grouping
        matrix = np.zeros((grouping.size, grouping.size))
        matrix[np.ix_(grouping.shared, grouping.shared)] = self.shared
        for index, here, own, cross in zip(grouping.own, grouping.present, self.own, self.cross, strict=True):
            at = index[here]
            matrix[np.ix_(at, at)] = own[np.ix_(here, here)]
            matrix[np.ix_(at, grouping.shared)] = cross[here]
            matrix[np.ix_(grouping.shared, at)] = cross[here].T
        return matrix


@dataclass(frozen=True, eq=False)
class _Eliminated:
    """What is left of linear equations without the groups: ``rest`` (n_shared, n_shared) is the Schur complement,
    ``along`` (n_groups, n_places, n_shared) is ``A^-1 B``, ``inverse`` (n_groups, n_places, n_places) ``A^-1``."""

    grouping: Grouping
    cross: Array
    inverse: Array
    along: Array
    rest: Array

    def solve(self, right: Array) -> Array:
        """The solution (n,) for a right side (n,)."""
        shared, own = self.grouping.split(right)
        left = shared - np.einsum("gib,gi->b", self.along, own)
        x = np.linalg.lstsq(self.rest, left, rcond=_SINGULAR)[0] if left.size else left
        return self.grouping.join(x, np.einsum("gij,gj->gi", self.inverse, own) - self.along @ x)

    def inverse_of_rest(self) -> Array:
        eigenvalues, vectors = np.linalg.eigh(self.rest)
        return np.asarray((vectors / eigenvalues) @ vectors.T)


@dataclass(frozen=True, eq=False)
class _Unit:
    """A bordered matrix of unit diagonal, with 1 on the diagonal where nobody is."""

    grouping: Grouping
    shared: Array
    own: Array
    cross: Array

    @cached_property
    def _modes(self) -> tuple[Array, Array, Array]:
        """Eigenvalues (n_groups, n_places) of the blocks, their eigenvectors, and the borders in terms of these."""
        eigenvalues, vectors = np.linalg.eigh(self.own)
        return eigenvalues, vectors, np.swapaxes(vectors, 1, 2) @ self.cross

    def eliminated(self, damping: float) -> _Eliminated:
        """The groups eliminated from the matrix with ``damping`` added to its diagonal; blocks that are singular have
        the pseudo-inverse."""
        eigenvalues, vectors, cross = self._modes
        damped = eigenvalues + damping
        least = _SINGULAR * np.abs(damped).max(axis=1, initial=0.0, keepdims=True)
        inverted = np.where(np.abs(damped) > least, 1.0 / np.where(damped == 0, 1.0, damped), 0.0)
        inverse = (vectors * inverted[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        along = vectors @ (inverted[:, :, None] * cross)
        return _Eliminated(self.grouping, self.cross, inverse, along, self._rest(damping, inverted))

    def _rest(self, shift: float, inverted: Array) -> Array:
        cross = self._modes[2].reshape(inverted.size, len(self.shared))
        return np.asarray(self.shared + shift * np.eye(len(self.shared)) - (cross * inverted.reshape(-1, 1)).T @ cross)

    def n_below(self, level: float) -> int:
        """How many eigenvalues are below that: Sylvester's law of inertia."""
        shifted = self._modes[0] - level
        rest = self._rest(-level, 1.0 / np.where(shifted == 0, _SINGULAR, shifted))
        return int(np.count_nonzero(shifted < 0) + np.count_nonzero(np.linalg.eigvalsh(rest) < 0))

    def weak(self, below: float, n_weak: int) -> Weak:
        """The smallest eigenvalues with their eigenvectors (n,)."""
        plain = BorderedHessian(self.grouping, self.shared, self.own, self.cross)
        if self.grouping.size <= _FEW:
            eigenvalues, vectors = np.linalg.eigh(plain.dense())
        else:
            eigenvalues, vectors = self._lowest(plain, below, min(n_weak, _MOST))
        return [(float(eigenvalues[k]), vectors[:, k]) for k in np.flatnonzero(eigenvalues < below)]

    def _lowest(self, plain: BorderedHessian, below: float, n: int) -> tuple[Array, Array]:
        """By Lanczos' method on the inverse, shifted to just below the smallest."""
        from scipy.sparse.linalg import LinearOperator, eigsh  # such fits are rare, and it takes a while to import

        size, step = self.grouping.size, below
        while self.n_below(below - step):
            step *= 2.0
        least, most = below - step, below
        for _ in range(_HALVINGS):
            middle = 0.5 * (least + most)
            if most - least < 0.1 * max(below, abs(most)):
                break
            least, most = (least, middle) if self.n_below(middle) else (middle, most)
        shift = least - 0.1 * max(below, abs(least))
        solver = self.eliminated(-shift)
        whole = LinearOperator((size, size), matvec=plain.times, dtype=np.float64)
        inverse = LinearOperator((size, size), matvec=solver.solve, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(size)
        values, vectors = eigsh(whole, k=n, sigma=shift, OPinv=inverse, v0=start)
        order = np.argsort(values)
        return values[order], vectors[:, order]
