"""What a dataset holds and its statistic cannot use: bins and points that are left out of a fit, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import BoolArray, anywhere
from gm.datasets.base import Dataset

_SHOWN = 4  # names of datasets in one sentence


@dataclass(frozen=True)
class LeftOut:
    """Some bins, or points, of one dataset that do not enter its statistic; ``counts``: None for points."""

    reason: str
    bins: int
    counts: float | None = None


def left_out(dataset: Dataset) -> tuple[LeftOut, ...]:
    """Everything that the masks keep and the statistic cannot use, by reason; or that the masks keep nothing."""
    kept = dataset.kept
    if not anywhere(kept):
        safe = dataset.mask_safe
        by = "fit masks and energy ranges leave no bin" if safe is None or safe.any() else "no bin is safe (mask_safe)"
        return (_part(dataset, np.ones_like(kept), by),)
    found: list[LeftOut] = []
    for reason, unusable in dataset.unusable():
        if anywhere(lost := kept & unusable):
            found.append(_part(dataset, lost, reason))
            kept = kept > unusable  # and not
    return tuple(found)


def _part(dataset: Dataset, where: BoolArray, reason: str) -> LeftOut:
    return LeftOut(reason, int(np.count_nonzero(where)), dataset.counts_in(where))


def data_warnings(datasets: Sequence[Dataset], known: Sequence[Sequence[LeftOut]] | None = None) -> list[str]:
    """What of the data does not enter a fit, and which datasets see no source: one sentence for each reason.

    known : what is `left_out` of each, where that is known
    """
    parts: dict[str, list[tuple[str, LeftOut]]] = {}
    blind: list[str] = []
    for dataset, left in zip(datasets, [left_out(one) for one in datasets] if known is None else known, strict=True):
        for part in left:
            parts.setdefault(part.reason, []).append((dataset.name, part))
        if dataset.sees_nothing():
            blind.append(dataset.name)
    texts = [f"{listed([name for name, _ in of])}: {_sum(of)} left out: {reason}" for reason, of in parts.items()]
    if blind:
        texts.append(f"{listed(blind)}: no exposure, so no source is seen")
    return texts


def no_bin_is_left(datasets: Sequence[Dataset]) -> str:
    """Why nothing can be fitted."""
    why = data_warnings(datasets) or ["there are no datasets"]
    return "\n    ".join(["no bin is left in any dataset", *why])


def listed(names: Sequence[str]) -> str:
    """Names of datasets in a sentence, the first of many."""
    more = f", ... ({len(names)} datasets)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _sum(parts: list[tuple[str, LeftOut]]) -> str:
    bins = sum(part.bins for _, part in parts)
    counts = [part.counts for _, part in parts if part.counts is not None]
    if not counts:
        return f"{bins} point{'s' * (bins != 1)}"
    return f"{bins} bin{'s' * (bins != 1)} with {sum(counts):g} counts"
