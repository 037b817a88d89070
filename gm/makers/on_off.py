"""A spectrum with an off measurement instead of a background."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gm.maps.regions import Region

_SHARED = ("name", "energy", "energy_true", "counts", "exposure", "edisp", "mask_safe", "mask_fit", "livetime", "gti",
           "region", "meta")  # fmt: skip


def on_off_dataset(
    dataset: SpectrumDataset,
    counts_off: Array,
    acceptance: float,
    acceptance_off: float,
    region_off: Region | None = None,
    counts: Array | None = None,
) -> SpectrumDatasetOnOff:
    """The dataset with off counts (n_energy,), and acceptances that are the same at all energies; its name stays."""
    shared = {name: getattr(dataset, name) for name in _SHARED}
    return SpectrumDatasetOnOff(
        **(shared if counts is None else {**shared, "counts": counts}),
        counts_off=counts_off,
        acceptance=np.full(dataset.energy.n_bins, acceptance),
        acceptance_off=np.full(dataset.energy.n_bins, acceptance_off),
        region_off=region_off,
    )
