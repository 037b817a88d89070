"""Second derivatives by dataset: what they share, and each one's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, IntArray


@final
@dataclass(frozen=True, eq=False)
class ByDataset:
    """Second derivatives of a sum over datasets, by parameters that they share and by own ones of each.

    Of a narrow Jacobian with ``n_shared + n_places`` columns, of which the last ones mean other parameters for each
    dataset.

    shared : (n_shared, n_shared), of all datasets together
    datasets : (n,) their positions
    own : (n, n_places, n_places) of each; cross : (n, n_places, n_shared), own ones with shared ones
    """

    shared: Array
    datasets: IntArray
    own: Array
    cross: Array

    @classmethod
    def of_rows(cls, jacobian: Array, curvature: Array, dataset: IntArray, n_shared: int) -> ByDataset:
        """``J^T diag(curvature) J`` of rows in the order of their ``dataset`` (n_rows,); ``jacobian`` (n_rows, n)."""
        starts = np.flatnonzero(np.diff(dataset, prepend=-1))
        n_places = jacobian.shape[1] - n_shared
        both = np.zeros((starts.size, n_places, jacobian.shape[1]))
        for place in range(n_places):
            weighted = (curvature * jacobian[:, n_shared + place])[:, None] * jacobian
            both[:, place] = np.add.reduceat(weighted, starts, axis=0) if starts.size else 0.0
        shared = np.ascontiguousarray(jacobian[:, :n_shared])
        square = (shared * curvature[:, None]).T @ shared
        return cls(square, dataset[starts], both[:, :, n_shared:], both[:, :, :n_shared])

    @classmethod
    def of_matrix(cls, matrix: Array, dataset: int, n_shared: int) -> ByDataset:
        """Of one dataset, from the matrix over all columns."""
        own = slice(n_shared, None)
        datasets = np.array([dataset], dtype=np.intp)
        return cls(matrix[:n_shared, :n_shared], datasets, matrix[None, own, own], matrix[None, own, :n_shared])

    @classmethod
    def summed(cls, parts: Iterable[ByDataset], n_shared: int, width: int) -> ByDataset:
        """The sum, in the order of the ``parts``, of which no two have the same dataset."""
        n_places, shared, rows = width - n_shared, np.zeros((n_shared, n_shared)), list(parts)
        for part in rows:
            shared += part.shared
        square, border = np.empty((0, n_places, n_places)), np.empty((0, n_places, n_shared))
        none = cls(shared, np.empty(0, dtype=np.intp), square, border)
        together = [none, *rows]
        return cls(
            shared,
            np.concatenate([part.datasets for part in together]),
            np.concatenate([part.own for part in together]),
            np.concatenate([part.cross for part in together]),
        )
