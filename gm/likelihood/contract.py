"""What the joint likelihood asks of its terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gm.arrays import Array, IntArray
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.maps.folding.sent_back import SentBack
from gm.likelihood.report import TermReport


class LikelihoodTerm(Protocol):
    """A part of -2 ln L, a function of the flux vector (n_columns,), which carries fluxes and shapes."""

    @property
    def n_bins(self) -> int:
        """Bins that enter the statistic."""

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        """Each of its datasets with the energy bins, or flux points, that enter the statistic, in order."""

    @property
    def is_heavy(self) -> bool:
        """Whether an evaluation takes so long that terms are worth a thread each."""

    def value(self, flux: Array) -> float:
        """-2 ln L."""

    def value_and_pullback(self, flux: Array, d_flux: Array, sent_back: SentBack | None = None) -> float:
        """-2 ln L; its derivative is added to ``d_flux`` (n_columns,), but for what is left to ``sent_back``."""

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> Array:
        """Approximate second derivatives (n_free, n_free), from the Jacobian of the vector (n_columns, n_free)."""

    @property
    def knows_second_derivatives(self) -> bool:
        """Whether `second_derivatives` says anything."""

    def second_derivatives(
        self, flux: Array, flux_jacobian: Array, steps: Array, sent_back: SentBack | None = None
    ) -> Array | None:
        """Second derivatives (n_free, n_free) but for the curvature of the fluxes; None where they are not known.

        ``steps`` (n_columns,) : differences over which shapes may be compared; ``sent_back`` : as in the pullback.
        """

    def n_cut_off(self, flux: Array) -> int:
        """Bins with counts that could be predicted and are not, or negative: there -2 ln L is a plateau."""

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        """What is predicted for each dataset."""

    def fill(self, flux: Array, predicted: Sequence[Array]) -> None:
        """Write what is predicted in each bin that enters into the arrays of its datasets, one for every dataset."""

    def left_behind(self, flux: Array) -> list[str]:
        """Components whose shape has gone beyond what their responses were made for."""

    def is_current(self, flux: Array) -> bool:
        """Whether shapes are sampled as they would be if a fit started with them."""

    @property
    def has_integrals(self) -> bool:
        """Whether shapes are integrated over pixels for a fit where the conventions have sums."""

    def lattices(self) -> list[Lattice]:
        """Free positions in which the statistic has kinks."""

    def line(self, rest: Array, signal: Array) -> Line:
        """-2 ln L where the vector is ``rest + norm * signal``."""

    def cut(self, ranges: IntArray, n_columns: int) -> LikelihoodTerm | None:
        """The term on a range of energy bins per dataset, (n_datasets, 2): first, last + 1; None: nothing is left."""
