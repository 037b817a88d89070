"""Flux points selected."""

from __future__ import annotations

import numpy as np

from gm.arrays import BoolArray
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.operations.outcome import Refused


def sliced_points(dataset: FluxPointsDataset, name: str, low: float | None, high: float | None) -> FluxPointsDataset:
    """The points whose bins, or energies where they have no bins, lie between two energies [TeV]."""
    return _taken(dataset, name, dataset.energy_mask(low, high), "between these energies")


def safe_points(dataset: FluxPointsDataset, name: str) -> FluxPointsDataset:
    """The points that the safe mask keeps."""
    keep = np.ones(dataset.points.n_points, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
    return _taken(dataset, name, keep, "in the safe mask")


def _taken(dataset: FluxPointsDataset, name: str, keep: BoolArray, where: str) -> FluxPointsDataset:
    if not keep.any():
        raise Refused(f"dataset {dataset.name} has no flux point {where}")
    return dataset.take(keep).with_(name=name)
