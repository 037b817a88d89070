"""Some datasets of a likelihood, compiled: what a worker holds, and what it answers, term by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, IntArray
from gm.engine.columns import Columns
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, PredictedBins, Pullback
from gm.likelihood.dark import DarkBins
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint, summed
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.terms import LocalTerms


@final
@dataclass(frozen=True, eq=False)
class Sparse:
    """A vector (n_columns,) by what is not 0 in it, or as it is where that is most of it."""

    used: IntArray | slice
    values: Array

    @classmethod
    def of(cls, whole: Array) -> Sparse:
        used = np.flatnonzero(whole)
        if 2 * used.size > whole.size:
            return cls(slice(None), whole)
        return cls(used, whole[used])


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Derivatives of some columns of the flux vector, (n_columns, n_free), by where they are not 0.

    places : (n,) in the flat matrix, as small as they can be
    """

    places: NDArray[np.integer]
    values: Array
    shape: tuple[int, int]

    @classmethod
    def of(cls, whole: Array) -> Rows:
        flat = whole.reshape(-1)
        places = np.flatnonzero(flat)
        return cls(places.astype(np.min_scalar_type(flat.size)), flat[places], (whole.shape[0], whole.shape[1]))

    def whole(self) -> Array:
        """(n_columns, n_free)."""
        whole = np.zeros(self.shape)
        whole.reshape(-1)[self.places] = self.values
        return whole


@final
@dataclass(frozen=True, eq=False)
class Facts:
    """What stays as it is: the columns that travel, and those that are free parameters of spectra that are computed
    there; of each term the first of the datasets that it was compiled from, by position, the bins that enter, and the
    positions that have kinks."""

    plan: FluxPlan
    free: IntArray
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

    Questions are those of `Terms`, with flux vectors (n_columns,) in the columns of the shard that travel.
    """

    def __init__(self, columns: Columns, terms: LocalTerms, firsts: Sequence[int] | None = None) -> None:
        self._columns, self._terms = columns, terms
        self._firsts = [term.energy_bins()[0][0] for term in terms.terms] if firsts is None else list(firsts)
        self._last: tuple[bytes, list[Pullback]] | None = None

    def facts(self) -> Facts:
        terms = self._terms.terms
        return Facts(
            plan=self._columns.plan,
            free=self._columns.free,
            firsts=self._firsts,
            n_bins=[term.n_bins for term in terms],
            energy_bins=[term.energy_bins() for term in terms],
            lattices=[[self._placed(lattice) for lattice in term.lattices()] for term in terms],
            knows_second_derivatives=self._terms.knows_second_derivatives,
            has_integrals=self._terms.has_integrals,
        )

    def _placed(self, lattice: Lattice) -> Lattice:
        (column,) = self._columns.places(np.array([lattice.column]))
        return replace(lattice, column=int(column))

    def value(self, flux: Array) -> list[float]:
        read = self._columns.read(flux)
        return self._terms.each(lambda term: term.value(read))

    def _pullback(self, flux: Array) -> list[Pullback]:
        """By what terms read; the last one is kept."""
        key = flux.tobytes()
        if self._last is None or self._last[0] != key:
            read = self._columns.read(flux)
            self._last = key, self._terms.each(lambda term: term.pullback(read))
        return self._last[1]

    def pullback(self, flux: Array) -> tuple[list[tuple[float, Sparse]], list[Along]]:
        """-2 ln L with its derivative by the flux vector, and what is added to that along shared images."""
        parts = self._pullback(flux)
        found = [(part.value, Sparse.of(self._columns.pulled_back(flux, part.d_flux))) for part in parts]
        along = [(k, self._columns.places(at), by) for k, at, by in _along([part.shared for part in parts])]
        return found, along

    def information(self, flux: Array, rows: Rows, expected: bool) -> list[Block]:
        read, jacobian = self._read(flux, rows)
        return self._terms.each(lambda term: term.information(read, jacobian, expected=expected))

    def _read(self, flux: Array, rows: Rows) -> tuple[Array, Array]:
        """The flux vector as terms read it, and its derivatives."""
        return self._columns.read(flux), self._columns.jacobian(flux, rows.whole())

    def second_derivatives(
        self, flux: Array, rows: Rows, steps: Array
    ) -> tuple[list[Block], list[tuple[int, Block]]] | None:
        """Of each term, and along shared images with the number of the first term; None where some are not known."""
        (read, jacobian), moves = self._read(flux, rows), self._columns.steps(steps)
        found = self._terms.each(lambda term: term.second_derivatives(read, jacobian, moves))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        along = [
            (number, Block.along(jacobian, pairs, by)) for number, pairs, by in _along([part.shared for part in parts])
        ]
        return [part.block for part in parts], along

    def values_by_dataset(self, flux: Array) -> list[tuple[IntArray, Array]]:
        read = self._columns.read(flux)
        return self._terms.each(lambda term: term.values_by_dataset(read))

    def information_by_dataset(self, flux: Array, rows: Rows, n_shared: int, expected: bool) -> list[ByDataset]:
        read, narrow = self._read(flux, rows)
        return self._terms.each(lambda term: term.information_by_dataset(read, narrow, n_shared, expected=expected))

    def second_derivatives_by_dataset(
        self, flux: Array, rows: Rows, n_shared: int, steps: Array
    ) -> tuple[list[ByDataset], list[tuple[int, Block]], Array | None] | None:
        """As `second_derivatives`; along shared images by the shared parameters. And what own curved spectra add."""
        (read, narrow), moves = self._read(flux, rows), self._columns.steps(steps)
        found = self._terms.each(lambda term: term.second_derivatives_by_dataset(read, narrow, n_shared, moves))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        along = _along([shared for _, shared in parts])
        blocks = [(k, Block.along(narrow[:, :n_shared], at, by)) for k, at, by in along]
        d_flux = np.zeros(self._terms.n_columns)
        for part in self._pullback(flux):
            d_flux += part.d_flux
        return [part for part, _ in parts], blocks, self._columns.rises(flux, d_flux, steps)

    def n_cut_off(self, flux: Array) -> int:
        return self._terms.n_cut_off(self._columns.read(flux))

    def dark(self, flux: Array) -> list[list[DarkBins]]:
        read = self._columns.read(flux)
        return [term.dark(read) for term in self._terms.terms]

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[list[TermReport]]:
        read, alone = self._columns.read(flux), self._alone(by_component)
        return [term.report(read, alone) for term in self._terms.terms]

    def _alone(self, by_component: Mapping[str, Array]) -> dict[str, Array]:
        """As terms read it, of one component each that is no background."""
        return {name: self._columns.without_own(flux) for name, flux in by_component.items()}

    def by_energy(self, flux: Array, background: Array, by_component: dict[str, Array]) -> list[EnergyReport]:
        read = self._columns.read
        return self._terms.by_energy(read(flux), read(background), self._alone(by_component))

    def predicted(self, flux: Array) -> list[list[PredictedBins]]:
        read = self._columns.read(flux)
        return [term.predicted(read) for term in self._terms.terms]

    def left_behind(self, flux: Array) -> list[list[str]]:
        read = self._columns.read(flux)
        return [term.left_behind(read) for term in self._terms.terms]

    def is_current(self, flux: Array) -> bool:
        return self._terms.is_current(self._columns.read(flux))

    def forget(self) -> None:
        self._terms.forget()

    def cut(self, ranges: IntArray) -> ShardTerms:
        """On a range of energy bins per dataset; terms of which nothing is left are not there any more."""
        n = self._terms.n_columns
        cuts = [(first, term.cut(ranges, n)) for first, term in zip(self._firsts, self._terms.terms, strict=True)]
        left = [(first, term) for first, term in cuts if term is not None]
        return ShardTerms(self._columns, LocalTerms([term for _, term in left], n), [first for first, _ in left])

    def lines(self, rest: Array, signal: Array) -> ShardLines:
        return ShardLines(self._terms.lines(self._columns.read(rest), self._columns.without_own(signal)))

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
