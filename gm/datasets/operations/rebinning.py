"""Energy bins of one dataset selected or summed, with the responses that go with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.operations.energy import any_of, summed
from gm.datasets.operations.grids import interpolated_mask
from gm.datasets.operations.kinds import Counts
from gm.datasets.operations.on_off import joined_acceptance_off, off_background
from gm.datasets.spectrum import SpectrumDatasetOnOff
from gm.irf.edisp import overlap_matrix
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap
from gm.maps.axes import EnergyAxis

_BY_ENERGY = ("counts", "background", "counts_off", "acceptance", "acceptance_off", "mask_safe", "mask_fit")


def sliced(dataset: Counts, name: str, edges: IntArray) -> Counts:
    """The bins between two edges, by number; true energies stay complete."""
    part = slice(int(edges[0]), int(edges[-1]))
    changes: dict[str, Any] = {
        key: values[part] for key in _BY_ENERGY if (values := getattr(dataset, key, None)) is not None
    }
    energy = EnergyAxis(dataset.energy.edges[part.start : part.stop + 1], dataset.energy.name)
    return dataset.with_(name=name, energy=energy, edisp=_sliced_edisp(dataset, part), **changes)


def _sliced_edisp(dataset: Counts, part: slice) -> Any:
    """The matrix, or the matrices of all positions; a density in migra knows no bins."""
    edisp = dataset.edisp
    if isinstance(edisp, EdispKernelMap):
        energy = EnergyAxis(edisp.energy.edges[part.start : part.stop + 1], edisp.energy.name)
        return replace(edisp, energy=energy, data=edisp.data[:, part])
    return edisp if edisp is None or isinstance(edisp, EdispMigraMap) else edisp[:, part]


def regrouped(dataset: Counts, name: str, groups: IntArray) -> Counts:
    """The bins between each edge and the next summed, safe bins only; edges by number, what lies outside is left out.

    counts, background : sums; masks : in when any of the bins is; exposure, livetime : as they were; edisp : sums over
    safe bins; acceptance : sum, and the off acceptance such that the background stays.
    """
    safe = dataset.mask_safe
    changes: dict[str, Any] = {
        "name": name,
        "energy": EnergyAxis(dataset.energy.edges[groups], dataset.energy.name),
        "counts": summed(dataset.counts, safe, groups).astype(dataset.counts.dtype),
        "mask_safe": any_of(safe, groups),
        "mask_fit": any_of(dataset.mask_fit, groups),
        "edisp": _regrouped_edisp(dataset, groups),
    }
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        background = off_background(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
        acceptance, counts_off = summed(dataset.acceptance, safe, groups), summed(dataset.counts_off, safe, groups)
        plain, kept = summed(dataset.acceptance_off, safe, groups), summed(background, safe, groups)
        changes |= {"acceptance": acceptance, "counts_off": counts_off}
        changes["acceptance_off"] = joined_acceptance_off(acceptance, counts_off, kept, plain)
    elif dataset.background is not None:
        changes["background"] = summed(dataset.background, safe, groups)
    return dataset.with_(**changes)


def _regrouped_edisp(dataset: Counts, groups: IntArray) -> Any:
    """Sums over safe bins; a density in migra knows no bins."""
    edisp = dataset.edisp
    if isinstance(edisp, EdispMigraMap) or (edisp is None and isinstance(dataset, MapDataset | MapDatasetOnOff)):
        return edisp
    if isinstance(edisp, EdispKernelMap):
        return _regrouped_map(dataset, edisp, groups)
    return _regrouped_matrix(dataset, edisp, groups)


def _regrouped_map(dataset: Counts, edisp: EdispKernelMap, groups: IntArray) -> EdispKernelMap:
    assert isinstance(dataset, MapDataset | MapDatasetOnOff)
    safe = None
    if dataset.mask_safe is not None:
        safe = interpolated_mask(dataset.mask_safe, dataset.geometry, edisp.geometry)
    data = summed(edisp.data, safe, groups, axis=1).astype(edisp.data.dtype)
    return replace(edisp, energy=EnergyAxis(edisp.energy.edges[groups], edisp.energy.name), data=data)


def _regrouped_matrix(dataset: Counts, edisp: Array | None, groups: IntArray) -> Array | None:
    """None stays None where nothing is masked, since the overlap of joined bins is the sum."""
    safe = dataset.mask_safe
    if edisp is None and (safe is None or safe[groups[0] : groups[-1]].all()):
        return None
    matrix = overlap_matrix(dataset.energy_true, dataset.energy) if edisp is None else edisp
    joined: Array = summed(matrix, safe, groups, axis=1)
    return np.asarray(joined)
