"""What the sum of terms asks of each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array, IntArray, everywhere
from gm.datasets import Datasets
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.dark import DarkBins
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint
from gm.likelihood.report import EnergyReport, TermReport


@final
@dataclass(frozen=True, eq=False)
class Block:
    """A symmetric matrix over all parameters by its only part that is not 0: ``matrix`` (n_used, n_used) of those at
    ``used`` (n_used,), in order."""

    used: IntArray
    matrix: Array

    @classmethod
    def of(cls, whole: Array) -> Block:
        """Of a matrix over all parameters, (n_free, n_free)."""
        if everywhere(whole.diagonal()):
            return cls(np.arange(len(whole)), whole)
        used = np.flatnonzero(whole.any(axis=0) | whole.any(axis=1))
        return cls(used, whole if used.size == len(whole) else whole[np.ix_(used, used)])

    @classmethod
    def along(cls, flux_jacobian: Array, pairs: IntArray, derivatives: Array) -> Block:
        """From second derivatives (m,) by pairs of columns (m, 2), each pair in one order only."""
        first, second = pairs.T
        both = np.where(first == second, 1.0, 2.0) * derivatives  # the other triangle too
        return cls.of(flux_jacobian[first].T @ (both[:, None] * flux_jacobian[second]))

    def over(self, n_free: int) -> Array:
        """The matrix over all parameters, (n_free, n_free)."""
        whole = np.zeros((n_free, n_free))
        self.add_to(whole)
        return whole

    def add_to(self, whole: Array) -> None:
        """Add it to a matrix over all parameters, (n_free, n_free)."""
        if self.used.size == len(whole):
            whole += self.matrix
        else:
            whole[np.ix_(self.used, self.used)] += self.matrix


@final
@dataclass(frozen=True, eq=False)
class Pullback:
    """-2 ln L of a term, and its derivative by the flux vector, (n_columns,), but for what it shares with others."""

    value: float
    d_flux: Array
    shared: Sequence[ImageAdjoint] = ()


@final
@dataclass(frozen=True, eq=False)
class Curvature:
    """Second derivatives of a term, but for the curvature of the fluxes and for what it shares with others."""

    block: Block
    shared: Sequence[ImageAdjoint] = ()


@final
@dataclass(frozen=True, eq=False)
class PredictedBins:
    """What is predicted in the bins of a dataset that enter: their positions in its flat array, and values, (n_bins,)
    each."""

    dataset: int
    bins: IntArray
    values: Array


class LikelihoodTerm(ABC):
    """A part of -2 ln L, a function of the flux vector (n_columns,), which carries fluxes and shapes."""

    @property
    @abstractmethod
    def n_bins(self) -> int:
        """Bins that enter the statistic."""

    @abstractmethod
    def energy_bins(self) -> list[tuple[int, IntArray]]:
        """Each of its datasets with the energy bins, or flux points, that enter the statistic, in order."""

    @property
    def is_heavy(self) -> bool:
        """Whether an evaluation takes so long that terms are worth a thread each."""
        return False

    @property
    def is_light(self) -> bool:
        """Whether a value with its derivative costs hardly more than a value."""
        return False

    @abstractmethod
    def value(self, flux: Array) -> float:
        """-2 ln L."""

    @abstractmethod
    def pullback(self, flux: Array) -> Pullback:
        """-2 ln L and its derivative."""

    @abstractmethod
    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Block:
        """Approximate second derivatives, from the Jacobian of the vector (n_columns, n_free).

        With ``expected`` the curvature is at least what data as predicted would have, so that it stays positive far
        from the minimum.
        """

    @abstractmethod
    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        """The positions of its datasets, and -2 ln L of each, (n_datasets,)."""

    @abstractmethod
    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        """As `information`, where the last columns of the Jacobian are other parameters for each dataset."""

    @property
    def knows_second_derivatives(self) -> bool:
        """Whether `second_derivatives` says anything."""
        return False

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Sequence[ImageAdjoint]] | None:
        """As `second_derivatives`, where the last columns of the Jacobian are other parameters for each dataset; with
        what it shares with other terms. None where they are not known."""
        return None

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> Curvature | None:
        """Second derivatives; None where they are not known.

        ``steps`` (n_columns,) : differences over which shapes may be compared.
        """
        return None

    @abstractmethod
    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""

    def dark(self, flux: Array) -> list[DarkBins]:
        """Bins with counts in which nothing is predicted, whether it could be or not, by dataset."""
        return []

    @abstractmethod
    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        """What is predicted for each dataset; ``by_component`` are flux vectors with one component each."""

    @abstractmethod
    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> EnergyReport:
        """What is predicted and counted in each energy; ``background`` is the flux vector without sky components,
        ``by_component`` are those with one each."""

    @abstractmethod
    def predicted(self, flux: Array) -> list[PredictedBins]:
        """What is predicted in each bin that enters, of each dataset."""

    def forget(self) -> None:
        """What was made along the way, and can be made again, goes; most have nothing of it."""
        return

    def forget_others(self, flux: Array, *, alike: bool) -> None:
        """Derivatives by shapes go that are not those at a flux vector (with ``alike``: at much the same shapes)."""
        return

    def left_behind(self, flux: Array) -> list[str]:
        """Components whose shape has gone beyond what their responses were made for."""
        return []

    def is_current(self, flux: Array) -> bool:
        """Whether shapes are sampled as they would be if a fit started with them."""
        return True

    @property
    def has_integrals(self) -> bool:
        """Whether shapes are integrated over pixels for a fit where the conventions have sums."""
        return False

    def lattices(self) -> list[Lattice]:
        """Free positions in which the statistic has kinks."""
        return []

    @abstractmethod
    def line(self, rest: Array, signal: Array) -> Line:
        """-2 ln L where the vector is ``rest + norm * signal``."""

    def measured_again(self, datasets: Datasets, n_columns: int) -> LikelihoodTerm | None:
        """The term on datasets that differ in what was measured alone; None where it has to be compiled again."""
        return None

    @abstractmethod
    def cut(self, ranges: IntArray, n_columns: int) -> LikelihoodTerm | None:
        """The term on a range of energy bins per dataset, (n_datasets, 2): first, last + 1; None: nothing is left."""
