"""Acceptances of joined On/Off bins: such that the background, ``alpha`` times the off counts, stays what it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff

Counts = TypeVar("Counts", bound=SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff)


def measured(dataset: Counts) -> Counts:
    """On/Off data whose safe bins have an acceptance on both sides: elsewhere the background is not known.

    The W statistic leaves the others out, and so does whatever joins bins: without a background their counts would
    all be taken for signal.
    """
    if not isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        return dataset
    known = (dataset.acceptance > 0) & (dataset.acceptance_off > 0)
    if known.all():
        return dataset
    return dataset.with_(mask_safe=known if dataset.mask_safe is None else dataset.mask_safe & known)  # type: ignore[return-value]  # of its own type


def unmeasured_note(datasets: Sequence[Any]) -> str:
    """What `measured` takes out of data, in words."""
    parts = []
    for dataset in datasets:
        kept = measured(dataset)
        if kept is not dataset:
            gone = ~kept.mask_safe if dataset.mask_safe is None else dataset.mask_safe & ~kept.mask_safe
            if gone.any():
                parts.append(f"{dataset.name}: {gone.sum()} bins with {dataset.counts[gone].sum():g} counts")
    return f"left out without an off acceptance: {', '.join(parts)}" if parts else ""


def off_background(counts_off: Any, acceptance: Any, acceptance_off: Any) -> Any:
    """Background in the on region, ``alpha N_off``, in double precision; 0 without an off acceptance."""
    known = np.asarray(acceptance_off, dtype=np.float64)
    expected = np.multiply(acceptance, counts_off, dtype=np.float64)
    return np.divide(expected, known, out=np.zeros_like(known), where=known > 0)


def joined_acceptance_off(acceptance: Any, counts_off: Any, background: Any, otherwise: Any) -> Any:
    """``A N_off / B`` where both are there, else ``otherwise``. All are those of joined bins.

    Source: Gammapy 2.1, ``MapDatasetOnOff.stack``, which leaves NaN where there is nothing to go by.
    """
    known = (counts_off > 0) & (background > 0)
    return np.divide(acceptance * counts_off, background, out=np.array(otherwise, dtype=np.float64), where=known)


def stacked_acceptance_off(acceptance: Any, counts_off: Any, background: Any, acceptance_off: Any) -> Any:
    """As `joined_acceptance_off`; bins without off counts get the mean alpha of all bins, ``sum B / sum N_off``.

    Without any off counts at all they get ``acceptance_off``, the plain sum.
    """
    total, total_off = float(np.sum(background)), float(np.sum(counts_off))
    mean = acceptance * (total_off / total) if total > 0 and total_off > 0 else acceptance_off
    return joined_acceptance_off(acceptance, counts_off, background, mean)
