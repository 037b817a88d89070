"""One dataset in numbers, as a result tells them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from gm.datasets import Dataset
from gm.datasets.left_out import LeftOut
from gm.likelihood.maps.sources.losses import FluxLoss
from gm.likelihood.report import TermReport
from gm.readable import plural


@dataclass(frozen=True)
class DatasetSummary:
    """One dataset at one point of the parameter space; counts are sums over the bins that enter the fit.

    ``counts``, ``predicted`` and ``background`` are None for flux points, which have no counts. is_correlated : whether
    the statistic is that of their covariance; extrapolated : how many points have no scan of their likelihood so far as
    the model is.
    """

    name: str
    type: str
    bins: int
    statistic: float
    counts: float | None = None
    predicted: float | None = None
    background: float | None = None
    components: dict[str, float] = field(default_factory=dict)
    losses: dict[str, FluxLoss] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    missing_responses: tuple[str, ...] = ()
    is_correlated: bool = False
    extrapolated: int = 0

    @classmethod
    def of(
        cls, dataset: Dataset, applied: Collection[str], left_out: tuple[LeftOut, ...], report: TermReport
    ) -> DatasetSummary:
        """Of a dataset, the names of the components that are ``applied`` to it, and what its term says."""
        counts = dataset.n_counts() if report.counts is None else report.counts
        if counts is None:
            return cls(
                name=dataset.name,
                type=dataset.type,
                bins=report.bins,
                statistic=report.statistic,
                left_out=left_out,
                is_correlated=dataset.is_correlated,
                extrapolated=report.extrapolated,
            )
        parts = {name: value for name, value in report.components.items() if name in applied}
        return cls(
            name=dataset.name,
            type=dataset.type,
            bins=report.bins,
            statistic=report.statistic,
            counts=counts,
            predicted=report.predicted,
            background=report.predicted - sum(parts.values()),
            components=parts,
            losses=report.losses,
            left_out=left_out,
            missing_responses=dataset.missing_responses(),
        )

    def warnings(self) -> list[str]:
        """Predicted counts that PSF kernels lose or displace, where that matters; scans that end before the model."""
        texts = [text for name, loss in self.losses.items() for text in loss.describe(name, self.name)]
        if self.extrapolated:
            held = plural(self.extrapolated, "point")
            texts.append(f"{self.name}: the model is beyond the likelihood scans of {held}, which are extrapolated")
        return texts
