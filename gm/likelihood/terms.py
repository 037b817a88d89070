"""The sum of all terms of a likelihood as one object, which may live in another process than the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, LikelihoodTerm, PredictedBins
from gm.likelihood.dark import DarkBins
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.maps.folding.image_adjoints import summed
from gm.likelihood.report import EnergyReport, TermReport
from gm.parallel import side_by_side

if TYPE_CHECKING:  # spectra do without the transforms
    from gm.datasets import Datasets
    from gm.likelihood.maps.compilation import CompiledMaps

R = TypeVar("R")


class Terms(ABC):
    """-2 ln L of some datasets, without priors, as a function of the flux vector (n_columns,), which carries fluxes and
    shapes.

    What goes in and comes out is arrays and plain data, so that terms can be asked from another process. They know
    nothing of parameters: ``flux_jacobian`` (n_columns, n_free) says how the vector depends on them.
    """

    @property
    @abstractmethod
    def n_bins(self) -> int:
        """Bins that enter the statistic."""

    @abstractmethod
    def energy_bins(self) -> list[tuple[int, IntArray]]:
        """Each dataset with the energy bins, or flux points, that enter the statistic, in order."""

    @property
    def is_light(self) -> bool:
        """Whether a value with its derivative costs hardly more than a value, so that both are best asked together."""
        return False

    @abstractmethod
    def value(self, flux: Array) -> float:
        """-2 ln L."""

    @abstractmethod
    def pullback(self, flux: Array) -> tuple[float, Array]:
        """-2 ln L, and its derivative by the flux vector, (n_columns,)."""

    @abstractmethod
    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> list[Block]:
        """Approximate second derivatives, ``J^T diag(d2 W / d mu2) J``, as a sum of blocks.

        With ``expected`` the curvature stays positive far from the minimum.
        """

    @abstractmethod
    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        """The positions of the datasets of which a bin enters, and -2 ln L of each, (n,)."""

    @abstractmethod
    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        """As `information`, from a narrow Jacobian (n_columns, n_shared + n_places).

        Its first columns are derivatives by parameters that datasets share, the others by the first, second, ... own
        parameter of the one dataset that reads the element of the flux vector.
        """

    @abstractmethod
    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Array | None] | None:
        """As `second_derivatives`, from a narrow Jacobian; spectra know theirs here too.

        And the rises of what curved spectra make of the `pullback`, (n_places, n_columns) as of `rises_by_place`, where
        their parameters are columns and move by ``steps``; None where there are no such columns.
        """

    @property
    @abstractmethod
    def knows_second_derivatives(self) -> bool:
        """Whether `second_derivatives` says anything."""

    @abstractmethod
    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> list[Block] | None:
        """Second derivatives but for the curvature of the fluxes, as a sum of blocks; None where some are not known.

        ``steps`` (n_columns,) : differences over which shapes may be compared.
        """

    @abstractmethod
    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""

    @abstractmethod
    def dark(self, flux: Array) -> list[DarkBins]:
        """Bins with counts in which nothing is predicted, whether it could be or not, by dataset."""

    @abstractmethod
    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        """What is predicted for each dataset; ``by_component`` are flux vectors with one component each."""

    @abstractmethod
    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> list[EnergyReport]:
        """What is predicted and counted in each energy; ``background`` is the flux vector without sky components,
        ``by_component`` are those with one each."""

    @abstractmethod
    def predicted(self, flux: Array) -> Iterable[PredictedBins]:
        """What is predicted in each bin that enters, of one dataset after the other."""

    @abstractmethod
    def left_behind(self, flux: Array) -> list[str]:
        """Components whose shape has gone beyond what their responses were made for, each once."""

    @abstractmethod
    def is_current(self, flux: Array) -> bool:
        """Whether shapes are sampled as they would be if a fit started with them."""

    @abstractmethod
    def forget(self) -> None:
        """What was made along the way, and can be made again, goes."""

    @property
    @abstractmethod
    def has_integrals(self) -> bool:
        """Whether shapes are integrated over pixels for a fit where the conventions have sums."""

    @abstractmethod
    def lattices(self) -> list[Lattice]:
        """Free positions in which the statistic has kinks."""

    @abstractmethod
    def lines(self, rest: Array, signal: Array) -> list[Line]:
        """-2 ln L where the vector is ``rest + norm * signal``, as a sum."""

    def measured_again(self, datasets: Datasets) -> Terms | None:
        """The same on datasets that differ in what was measured alone; None where that takes a compilation."""
        return None

    @abstractmethod
    def cut(self, ranges: IntArray) -> Terms | None:
        """On a range of energy bins per dataset, (n_datasets, 2): first, last + 1; None: nothing is left."""


@final
class LocalTerms(Terms):
    """Terms in this process, with its threads. Datasets that share images are folded, and their derivatives brought
    back, together.

    terms : in the order of the sum; n_columns : of the flux vector; maps : what can be taken over when maps are
    compiled again
    """

    def __init__(self, terms: Sequence[LikelihoodTerm], n_columns: int, maps: CompiledMaps | None = None) -> None:
        self.terms, self.n_columns, self.maps = tuple(terms), n_columns, maps
        self._in_parallel = len(self.terms) > 1 and any(term.is_heavy for term in self.terms)

    def each(self, work: Callable[[LikelihoodTerm], R]) -> list[R]:
        """What each term gives, in their order."""
        return side_by_side(work, self.terms) if self._in_parallel else [work(term) for term in self.terms]

    @property
    def n_bins(self) -> int:
        return sum(term.n_bins for term in self.terms)

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        return [pair for term in self.terms for pair in term.energy_bins()]

    @property
    def is_light(self) -> bool:
        return all(term.is_light for term in self.terms)

    def value(self, flux: Array) -> float:
        return sum(self.each(lambda term: term.value(flux)))

    def pullback(self, flux: Array) -> tuple[float, Array]:
        parts = self.each(lambda term: term.pullback(flux))
        if len(parts) == 1 and not parts[0].shared:
            return parts[0].value, parts[0].d_flux
        value, d_flux = 0.0, np.zeros(self.n_columns)
        for part in parts:
            value += part.value
            d_flux += part.d_flux
        for columns, along in summed(shared for part in parts for shared in part.shared):
            np.add.at(d_flux, columns, along)
        return value, d_flux

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> list[Block]:
        self._forget_others(flux, alike=True)
        return self.each(lambda term: term.information(flux, flux_jacobian, expected=expected))

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        parts = self.each(lambda term: term.values_by_dataset(flux))
        datasets, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        return datasets, values

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        self._forget_others(flux, alike=True)
        parts = self.each(lambda term: term.information_by_dataset(flux, flux_jacobian, n_shared, expected=expected))
        return ByDataset.summed(parts, n_shared, flux_jacobian.shape[1])

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Array | None] | None:
        self._forget_others(flux, alike=False)
        found = self.each(lambda term: term.second_derivatives_by_dataset(flux, flux_jacobian, n_shared, steps))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        total = ByDataset.summed((part for part, _ in parts), n_shared, flux_jacobian.shape[1])
        narrow = flux_jacobian[:, :n_shared]  # shapes on the sky are shared
        for pairs, along in summed(shared for _, its in parts for shared in its):
            Block.along(narrow, pairs, along).add_to(total.shared)
        return total, None

    @property
    def knows_second_derivatives(self) -> bool:
        return all(term.knows_second_derivatives for term in self.terms)

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> list[Block] | None:
        if not self.knows_second_derivatives:
            return None
        self._forget_others(flux, alike=False)
        found = self.each(lambda term: term.second_derivatives(flux, flux_jacobian, steps))
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        blocks = [part.block for part in parts]
        shared = summed(shared for part in parts for shared in part.shared)
        return blocks + [Block.along(flux_jacobian, pairs, along) for pairs, along in shared]

    def n_cut_off(self, flux: Array) -> int:
        return sum(term.n_cut_off(flux) for term in self.terms)

    def dark(self, flux: Array) -> list[DarkBins]:
        return [part for term in self.terms for part in term.dark(flux)]

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        return [report for term in self.terms for report in term.report(flux, by_component)]

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> list[EnergyReport]:
        return self.each(lambda term: term.by_energy(flux, background, by_component))

    def predicted(self, flux: Array) -> Iterator[PredictedBins]:
        return (part for term in self.terms for part in term.predicted(flux))

    def left_behind(self, flux: Array) -> list[str]:
        return list(dict.fromkeys(name for term in self.terms for name in term.left_behind(flux)))

    def is_current(self, flux: Array) -> bool:
        return all(term.is_current(flux) for term in self.terms)

    def forget(self) -> None:
        for term in self.terms:
            term.forget()

    def _forget_others(self, flux: Array, *, alike: bool) -> None:
        """Derivatives by other shapes go first, of all datasets: those of one are made together with all others'."""
        for term in self.terms:
            term.forget_others(flux, alike=alike)

    @property
    def has_integrals(self) -> bool:
        return any(term.has_integrals for term in self.terms)

    def lattices(self) -> list[Lattice]:
        return [lattice for term in self.terms for lattice in term.lattices()]

    def lines(self, rest: Array, signal: Array) -> list[Line]:
        return [term.line(rest, signal) for term in self.terms]

    def measured_again(self, datasets: Datasets) -> LocalTerms | None:
        again = [term.measured_again(datasets, self.n_columns) for term in self.terms]
        terms = [term for term in again if term is not None]
        return LocalTerms(terms, self.n_columns) if len(terms) == len(self.terms) else None

    def cut(self, ranges: IntArray) -> LocalTerms | None:
        cuts = (term.cut(ranges, self.n_columns) for term in self.terms)
        terms = [term for term in cuts if term is not None]
        return LocalTerms(terms, self.n_columns) if terms else None
