"""What a term of the likelihood says about its datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gm.arrays import Array, IntArray
from gm.likelihood.maps.sources.losses import FluxLoss


@dataclass(frozen=True)
class TermReport:
    """One dataset: its position, bins that enter, -2 ln L, predicted counts in all, and those of each component.

    losses : of components whose PSF kernels lose or displace counts; counts : in all bins, where the term has them
    at hand; extrapolated : flux points whose -2 ln L was not measured so far as is predicted
    """

    dataset: int
    bins: int
    statistic: float
    predicted: float
    components: dict[str, float]
    losses: dict[str, FluxLoss] = field(default_factory=dict)
    counts: float | None = None
    extrapolated: int = 0


@dataclass(frozen=True, eq=False)
class EnergyReport:
    """Some datasets by energy, those of maps summed over the sky: a row for each energy bin that enters.

    dataset, bin : (n_rows,) which dataset, and which of its energy bins or points; n_bins : (n_rows,) how many bins
    were summed; counts : (n_rows,), None where nothing is counted; predicted : (n_rows,) with the ``background``
    (n_rows,) in it; residual : (n_rows,) see `Statistic.residuals`; components : (n_rows,) of each sky component;
    images : of maps, by dataset, what is predicted summed over energies
    """

    dataset: IntArray
    bin: IntArray
    n_bins: IntArray
    counts: Array | None
    predicted: Array
    background: Array
    residual: Array
    components: Mapping[str, Array]
    images: Mapping[int, Array] = field(default_factory=dict)
