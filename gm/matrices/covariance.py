"""Covariances, whole or by what they are made of."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray

_MOST, _ROUNDING = 1.001, 1e-6  # of the product of both errors


@final
class BorderedCovariance:
    """``blocks + carry @ shared @ carry.T`` over n parameters, where a block is a group's own.

    It answers as an array (n, n) does where only a part is asked for: ``covariance[rows, columns]`` with indices,
    slices or `numpy.ix_`, ``diagonal()``, ``shape``, ``any()``.

    shared : (n_shared, n_shared), the covariance of the shared parameters
    carry : (n, n_shared), how each parameter goes along with these
    own : (n_groups, n_places, n_places), the covariance in each group with the shared parameters fixed
    group, place : (n,) where in ``own`` each is; group is -1 of what is nobody's own
    """

    def __init__(self, shared: Array, carry: Array, own: Array, group: IntArray, place: IntArray) -> None:
        self._shared, self._carry, self._own, self._group = shared, carry, own, group
        self._place = np.where(group >= 0, place, 0)
        self._slope = np.ones(len(carry))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._carry), len(self._carry)

    def __len__(self) -> int:
        return len(self._carry)

    def diagonal(self) -> Array:
        """The variances, (n,)."""
        along = np.einsum("ij,jk,ik->i", self._carry, self._shared, self._carry, optimize=True)
        own = self._own[self._group, self._place, self._place] if self._own.size else np.zeros(len(self))
        return np.asarray(along + np.where(self._group >= 0, own, 0.0) * self._slope**2)

    def any(self) -> bool:
        """Whether anything is not 0."""
        return bool(self.diagonal().any())

    def __getitem__(self, key: tuple[Any, Any]) -> Any:
        everything = np.arange(len(self))
        rows, columns = (everything[part] for part in key)
        if rows.ndim == columns.ndim == 1 and any(isinstance(part, slice) for part in key):
            rows = rows[:, None]
        found = np.einsum("...j,jk,...k->...", self._carry[rows], self._shared, self._carry[columns])
        if not self._own.size:
            return found
        meet = (self._group[rows] == self._group[columns]) & (self._group[rows] >= 0)
        own = self._own[np.where(meet, self._group[rows], 0), self._place[rows], self._place[columns]]
        return found + np.where(meet, own, 0.0) * self._slope[rows] * self._slope[columns]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """(n, n), where there is room for it."""
        return np.asarray(self[:, :], dtype=dtype)

    def times(self, vector: Array) -> Array:
        """Its product with a vector, (n,)."""
        product = self._carry @ (self._shared @ (self._carry.T @ vector))
        if not self._own.size:
            return np.asarray(product)
        mine = self._group >= 0
        sums = np.zeros(self._own.shape[:2])
        np.add.at(sums, (self._group[mine], self._place[mine]), (self._slope * vector)[mine])
        product[mine] += (
            np.einsum("gij,gj->gi", self._own, sums)[self._group[mine], self._place[mine]] * self._slope[mine]
        )
        return np.asarray(product)

    def substituted(self, k: int, slopes: Array) -> BorderedCovariance:
        """With a quantity in the place of parameter ``k``, of these derivatives by parameters that meet that, (n,)."""
        carry, own, mine = self._carry.copy(), self._own.copy(), self._group[k]
        carry[k] = slopes @ self._carry
        if mine >= 0:
            turn = np.eye(own.shape[1])
            turn[self._place[k]] = 0.0
            here = self._group == mine
            np.add.at(turn[self._place[k]], self._place[here], (slopes * self._slope)[here] / self._slope[k])
            own[mine] = turn @ own[mine] @ turn.T
        made = BorderedCovariance(self._shared, carry, own, self._group, self._place)
        made._slope = self._slope
        return made

    def placed(self, source: IntArray, slope: Array) -> BorderedCovariance:
        """Of other parameters: each is ``slope`` times that at ``source``; -1: it has no errors."""
        known = source >= 0
        at, slope = np.where(known, source, 0), np.where(known, slope, 0.0)
        carry, group = np.zeros((source.size, self._carry.shape[1])), np.full(source.size, -1)
        carry[known] = self._carry[at[known]] * slope[known, None]
        group[known] = np.where(slope[known] != 0, self._group[at[known]], -1)
        made = BorderedCovariance(self._shared, carry, self._own, group, self._place[at] if len(self) else at)
        made._slope = self._slope[at] * slope if len(self) else slope
        return made

    def with_variances(self, variances: Array) -> BorderedCovariance:
        """With variances (n,) of those that had none, which are above 0, and meet nobody."""
        new = np.flatnonzero(variances > 0)
        n_groups, n_places = self._own.shape[0], self._own.shape[1]
        own = np.zeros((n_groups + new.size, max(n_places, 1), max(n_places, 1)))
        own[:n_groups, :n_places, :n_places] = self._own
        own[n_groups:, 0, 0] = variances[new]
        group, place = self._group.copy(), self._place.copy()
        group[new], place[new] = n_groups + np.arange(new.size), 0
        made = BorderedCovariance(self._shared, self._carry, own, group, place)
        made._slope = np.where(variances > 0, 1.0, self._slope)
        return made

    def shared_positions(self) -> IntArray:
        """Of the parameters with errors that are nobody's own."""
        return np.flatnonzero((self._group < 0) & (self.diagonal() > 0))

    def own_positions(self) -> IntArray:
        """Of the parameters with errors that are some group's own."""
        return np.flatnonzero((self._group >= 0) & (self.diagonal() > 0))

    def given_shared(self) -> Array:
        """(n_groups, n_places, n_places), the covariance in each group with the shared parameters fixed."""
        return self._own


Covariance: TypeAlias = Array | BorderedCovariance


def not_covariance(matrix: Array) -> tuple[int, int, str] | None:
    """A row and a column of a matrix (n, n) in which no covariance is as it is there, and why; None for one."""
    variance = matrix.diagonal()
    if not np.isfinite(matrix).all():
        return *_first(~np.isfinite(matrix)), "it is no finite number"
    if (variance < 0).any():
        return *_first(np.diag(variance < 0)), "a variance is not negative"
    sizes = np.sqrt(np.outer(variance, variance))
    if (larger := np.abs(matrix) > _MOST * sizes).any():
        return *_first(larger), "it is larger than the product of both errors"
    if (apart := np.abs(matrix - matrix.T) > _ROUNDING * sizes).any():
        return *_first(apart), "it is another one in the other triangle"
    return None


def _first(where: BoolArray) -> tuple[int, int]:
    row, column = np.argwhere(where)[0].tolist()
    return row, column


def diagonal_covariance(variances: Array, known: IntArray, matrix: Array) -> BorderedCovariance:
    """Of parameters of which some are ``known`` (n_known,) with their covariance ``matrix`` (n_known, n_known), and the
    others by their ``variances`` (n,)."""
    n = len(variances)
    carry, group = np.zeros((n, known.size)), np.arange(n)
    carry[known, np.arange(known.size)] = 1.0
    group[known] = -1
    return BorderedCovariance(matrix, carry, variances.reshape(-1, 1, 1), group, np.zeros(n, dtype=np.intp))


def no_covariance(n: int, *, is_dense: bool) -> Covariance:
    """Of n parameters that have no errors, as an array or not."""
    none = np.empty(0, dtype=np.intp)
    return np.zeros((n, n)) if is_dense else diagonal_covariance(np.zeros(n), none, np.zeros((0, 0)))


def along(covariance: Covariance, vector: Array) -> Array:
    """Its product with a vector, (n,)."""
    return covariance.times(vector) if isinstance(covariance, BorderedCovariance) else np.asarray(covariance @ vector)


def substituted(covariance: Covariance, k: int, slopes: Array) -> Covariance:
    """With a quantity in the place of parameter ``k``, of these derivatives (n,) by all."""
    if isinstance(covariance, BorderedCovariance):
        return covariance.substituted(k, slopes)
    jacobian = np.eye(slopes.size)
    jacobian[k] = slopes
    return np.asarray(jacobian @ covariance @ jacobian.T)


def placed(
    covariance: Covariance, source: IntArray, slope: Array | None = None, variances: Array | None = None
) -> Covariance:
    """That of other parameters: each is ``slope``, by default 1, times the one at ``source``; -1: it is alone with its
    variance, by default 0; (n,) each."""
    slope = np.ones(source.size) if slope is None else slope
    if isinstance(covariance, BorderedCovariance):
        made = covariance.placed(source, slope)
        return made if variances is None else made.with_variances(np.where(source < 0, variances, 0.0))
    whole, known = np.zeros((source.size, source.size)), source >= 0
    if variances is not None:
        np.fill_diagonal(whole, np.where(known, 0.0, variances))
    here = source[known]
    whole[np.ix_(known, known)] = covariance[here][:, here] * np.outer(slope[known], slope[known])
    return whole
