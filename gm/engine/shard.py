"""Some datasets of a likelihood, compiled: what a worker holds, and what it answers, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, PredictedBins
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint, summed
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.terms import LocalTerms


@final
@dataclass(frozen=True, eq=False)
class Sparse:
    """A vector (n_columns,) by what is not 0 in it."""

    used: IntArray
    values: Array

    @classmethod
    def of(cls, whole: Array) -> Sparse:
        used = np.flatnonzero(whole)
        return cls(used, whole[used])


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Derivatives of some columns of the flux vector, (n_columns, n_free), by the parameters that they depend on."""

    used: IntArray
    values: Array
    n_free: int

    @classmethod
    def of(cls, whole: Array) -> Rows:
        used = np.flatnonzero(whole.any(axis=0))
        return cls(used, whole[:, used], whole.shape[1])

    def whole(self) -> Array:
        """(n_columns, n_free)."""
        whole = np.zeros((len(self.values), self.n_free))
        whole[:, self.used] = self.values
        return whole


@final
@dataclass(frozen=True, eq=False)
class Facts:
    """What stays as it is: the columns that the terms read; of each term the first of the datasets that it was compiled
    from, by position, the bins that enter, and the positions that have kinks."""

    plan: FluxPlan
    firsts: list[int]
    n_bins: list[int]
    energy_bins: list[list[tuple[int, IntArray]]]
    lattices: list[list[Lattice]]
    knows_second_derivatives: bool
    has_integrals: bool


Along = tuple[int, IntArray, Array]
"""Of an image that several terms see: the number of the first one, columns, and derivatives by the values there."""


@final
class ShardTerms:
    """The terms of a shard. Each answer is a list with one part for each term, to be added elsewhere.

    Questions are those of `Terms`, with flux vectors (n_columns,) in the columns of the shard.
    """

    def __init__(self, plan: FluxPlan, terms: LocalTerms, firsts: Sequence[int] | None = None) -> None:
        self._plan, self._terms = plan, terms
        self._firsts = [term.energy_bins()[0][0] for term in terms.terms] if firsts is None else list(firsts)

    def facts(self) -> Facts:
        terms = self._terms.terms
        return Facts(
            plan=self._plan,
            firsts=self._firsts,
            n_bins=[term.n_bins for term in terms],
            energy_bins=[term.energy_bins() for term in terms],
            lattices=[term.lattices() for term in terms],
            knows_second_derivatives=self._terms.knows_second_derivatives,
            has_integrals=self._terms.has_integrals,
        )

    def value(self, flux: Array) -> list[float]:
        return self._terms.each(lambda term: term.value(flux))

    def pullback(self, flux: Array) -> tuple[list[tuple[float, Sparse]], list[Along]]:
        """-2 ln L with its derivative by the flux vector, and what is added to that along shared images."""
        parts = self._terms.each(lambda term: term.pullback(flux))
        return [(part.value, Sparse.of(part.d_flux)) for part in parts], _along([part.shared for part in parts])

    def information(self, flux: Array, rows: Rows, expected: bool) -> list[Block]:
        jacobian = rows.whole()
        return self._terms.each(lambda term: term.information(flux, jacobian, expected=expected))

    def second_derivatives(
        self, flux: Array, rows: Rows, steps: Array
    ) -> tuple[list[Block], list[tuple[int, Block]]] | None:
        """Of each term, and along shared images with the number of the first term; None where some are not known."""
        jacobian = rows.whole()
        found = self._terms.each(lambda term: term.second_derivatives(flux, jacobian, steps))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        along = [
            (number, Block.along(jacobian, pairs, by)) for number, pairs, by in _along([part.shared for part in parts])
        ]
        return [part.block for part in parts], along

    def values_by_dataset(self, flux: Array) -> list[tuple[IntArray, Array]]:
        return self._terms.each(lambda term: term.values_by_dataset(flux))

    def information_by_dataset(self, flux: Array, rows: Rows, n_shared: int, expected: bool) -> list[ByDataset]:
        narrow = rows.whole()
        return self._terms.each(lambda term: term.information_by_dataset(flux, narrow, n_shared, expected=expected))

    def second_derivatives_by_dataset(
        self, flux: Array, rows: Rows, n_shared: int, steps: Array
    ) -> tuple[list[ByDataset], list[tuple[int, Block]]] | None:
        """As `second_derivatives`; along shared images by the shared parameters."""
        narrow = rows.whole()
        found = self._terms.each(lambda term: term.second_derivatives_by_dataset(flux, narrow, n_shared, steps))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        along = _along([shared for _, shared in parts])
        return [part for part, _ in parts], [(k, Block.along(narrow[:, :n_shared], at, by)) for k, at, by in along]

    def n_cut_off(self, flux: Array) -> int:
        return self._terms.n_cut_off(flux)

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[list[TermReport]]:
        return [term.report(flux, by_component) for term in self._terms.terms]

    def by_energy(self, flux: Array, background: Array, by_component: dict[str, Array]) -> list[EnergyReport]:
        return self._terms.by_energy(flux, background, by_component)

    def predicted(self, flux: Array) -> list[list[PredictedBins]]:
        return [term.predicted(flux) for term in self._terms.terms]

    def left_behind(self, flux: Array) -> list[list[str]]:
        return [term.left_behind(flux) for term in self._terms.terms]

    def is_current(self, flux: Array) -> bool:
        return self._terms.is_current(flux)

    def cut(self, ranges: IntArray) -> ShardTerms:
        """On a range of energy bins per dataset; terms of which nothing is left are not there any more."""
        n = self._terms.n_columns
        cuts = [(first, term.cut(ranges, n)) for first, term in zip(self._firsts, self._terms.terms, strict=True)]
        left = [(first, term) for first, term in cuts if term is not None]
        return ShardTerms(self._plan, LocalTerms([term for _, term in left], n), [first for first, _ in left])

    def lines(self, rest: Array, signal: Array) -> ShardLines:
        return ShardLines(self._terms.lines(rest, signal))

    @property
    def compiled(self) -> LocalTerms:
        """What a compilation of the same datasets may take over."""
        return self._terms


@final
class ShardLines:
    """The terms of a shard along one norm; ``norms`` are (n,)."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def signal_size(self) -> list[float]:
        return [line.signal_size() for line in self._lines]

    def domain(self) -> list[tuple[float, float]]:
        return [line.domain() for line in self._lines]

    def values(self, norms: Array) -> list[Array]:
        return [line.values(norms) for line in self._lines]

    def slope(self, norm: float) -> list[float]:
        return [line.slope(norm) for line in self._lines]

    def curvature(self, norm: float) -> list[float]:
        return [line.curvature(norm) for line in self._lines]

    def expected_curvature(self, norm: float) -> list[float]:
        return [line.expected_curvature(norm) for line in self._lines]

    def expected_ts(self, norm: float) -> list[float | None]:
        return [line.expected_ts(norm) for line in self._lines]

    def expected_rise(self, norm: float) -> list[float | None]:
        return [line.expected_rise(norm) for line in self._lines]


def _along(shared: Sequence[Sequence[ImageAdjoint]]) -> list[Along]:
    """What terms share, summed, in the order in which it first comes."""
    firsts: dict[tuple[int, int], int] = {}
    for number, parts in enumerate(shared):
        for part in parts:
            firsts.setdefault((id(part.kernels), id(part.images)), number)
    sums = summed(part for parts in shared for part in parts)
    return [(number, columns, along) for number, (columns, along) in zip(firsts.values(), sums, strict=True)]
