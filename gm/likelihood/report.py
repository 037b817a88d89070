"""What a term of the likelihood says about its datasets."""

from __future__ import annotations

from dataclasses import dataclass, field

from gm.likelihood.maps.sources.losses import FluxLoss


@dataclass(frozen=True)
class TermReport:
    """One dataset: its position, bins that enter, -2 ln L, predicted counts in all, and those of each component.

    losses : of components whose PSF kernels lose or displace counts; counts : in all bins, where the term has them
    at hand
    """

    dataset: int
    bins: int
    statistic: float
    predicted: float
    components: dict[str, float]
    losses: dict[str, FluxLoss] = field(default_factory=dict)
    counts: float | None = None
