"""Energy bins of a dataset selected and summed, with the responses that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.operations.grids import interpolated_mask
from gm.datasets.operations.kinds import Counts
from gm.datasets.operations.on_off import joined_acceptance_off, measured, off_background
from gm.datasets.operations.outcome import Refused
from gm.datasets.spectrum import SpectrumDatasetOnOff
from gm.irf.edisp import overlap_matrix
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap
from gm.maps.axes import EnergyAxis

_BY_ENERGY = ("counts", "background", "counts_off", "acceptance", "acceptance_off", "mask_safe", "mask_fit")


def snapped(axis: EnergyAxis, energies: Sequence[float]) -> IntArray:
    """The edges of an axis nearest to energies [TeV] in the logarithm, by number: increasing, each once.

    Half-way goes to the even edge; beyond the axis is its end. Source: Gammapy 2.1, ``MapAxis.group_table``.
    """
    position = np.interp(np.log(energies), np.log(axis.edges), np.arange(len(axis.edges)))
    return np.unique(np.round(position).astype(np.intp))


def between(axis: EnergyAxis, low: float | None, high: float | None, dataset: str) -> IntArray:
    """First and last edge of the bins between two energies [TeV]; None is the end of the axis. Raises `Refused`."""
    first = axis.edges[0] if low is None else low
    last = axis.edges[-1] if high is None else high
    if not first < last:
        raise Refused(f"min {first:g} TeV is not below max {last:g} TeV")
    edges = snapped(axis, [first, last])
    if len(edges) < 2:
        raise Refused(
            f"dataset {dataset} has no energy bin between {first:g} and {last:g} TeV",
            f"its bins reach from {axis.edges[0]:g} to {axis.edges[-1]:g} TeV; edges are moved to the nearest of them",
        )
    return edges


def every(axis: EnergyAxis, factor: int, dataset: str) -> IntArray:
    """The edges that remain when ``factor`` bins at a time are joined. Raises `Refused` when they do not divide."""
    if axis.n_bins % factor:
        raise Refused(
            f"dataset {dataset}: {axis.n_bins} energy bins cannot be joined {factor} by {factor}",
            "take a divisor, or resample_energy with edges",
        )
    return np.arange(0, axis.n_bins + 1, factor)


def sliced(dataset: Counts, name: str, edges: IntArray) -> Counts:
    """The bins between two edges, by number; true energies stay complete."""
    part = slice(int(edges[0]), int(edges[-1]))
    changes: dict[str, Any] = {
        key: values[part] for key in _BY_ENERGY if (values := getattr(dataset, key, None)) is not None
    }
    energy = EnergyAxis(dataset.energy.edges[part.start : part.stop + 1], dataset.energy.name)
    if isinstance(dataset, MapDataset | MapDatasetOnOff) and dataset.finer is not None:
        changes["finer"] = dataset.finer.energies_to(
            _joined(dataset.energy.n_bins, np.arange(part.start, part.stop + 1))
        )
    return dataset.with_(name=name, energy=energy, edisp=_sliced_edisp(dataset, part), **changes)


def _joined(n_bins: int, groups: IntArray) -> IntArray:
    """(n_bins,): which of the new bins between the edges ``groups`` holds each old one, -1 for none."""
    bins = np.arange(n_bins)
    return np.where((bins >= groups[0]) & (bins < groups[-1]), np.searchsorted(groups, bins, side="right") - 1, -1)


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
    safe bins; acceptance : sum, and the off acceptance such that the background stays. What is safe in some pixels only
    has no place in that edisp, so that sources on maps are still predicted in the bins as they were.
    """
    dataset = measured(dataset)
    safe = dataset.mask_safe
    changes: dict[str, Any] = {
        "name": name,
        "energy": EnergyAxis(dataset.energy.edges[groups], dataset.energy.name),
        "counts": _summed(dataset.counts, safe, groups).astype(dataset.counts.dtype),
        "mask_safe": _any_of(safe, groups),
        "mask_fit": _any_of(dataset.mask_fit, groups),
        "edisp": _regrouped_edisp(dataset, groups),
    }
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        background = off_background(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
        acceptance, counts_off = _summed(dataset.acceptance, safe, groups), _summed(dataset.counts_off, safe, groups)
        plain, kept = _summed(dataset.acceptance_off, safe, groups), _summed(background, safe, groups)
        changes |= {"acceptance": acceptance, "counts_off": counts_off}
        changes["acceptance_off"] = joined_acceptance_off(acceptance, counts_off, kept, plain)
    elif dataset.background is not None:
        changes["background"] = _summed(dataset.background, safe, groups)
    if isinstance(dataset, MapDataset | MapDatasetOnOff):
        changes["finer"] = _finer(dataset, groups)
    return dataset.with_(**changes)


def _finer(dataset: MapDataset | MapDatasetOnOff, groups: IntArray) -> FinerBins | None:
    """The bins that were summed, where a mask makes a difference to sources."""
    safe = dataset.mask_safe
    if dataset.finer is None and (safe is None or safe[groups[0] : groups[-1]].all()):
        return None
    return FinerBins.of(dataset).within(safe).energies_to(_joined(dataset.energy.n_bins, groups))


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
    data = _summed(edisp.data, safe, groups, axis=1).astype(edisp.data.dtype)
    return replace(edisp, energy=EnergyAxis(edisp.energy.edges[groups], edisp.energy.name), data=data)


def _regrouped_matrix(dataset: Counts, edisp: Array | None, groups: IntArray) -> Array | None:
    """None stays None where nothing is masked, since the overlap of joined bins is the sum."""
    safe = dataset.mask_safe
    if edisp is None and (safe is None or safe[groups[0] : groups[-1]].all()):
        return None
    matrix = overlap_matrix(dataset.energy_true, dataset.energy) if edisp is None else edisp
    joined: Array = _summed(matrix, safe, groups, axis=1)
    return np.asarray(joined)


def _summed(values: Any, safe: BoolArray | None, groups: IntArray, axis: int = 0) -> Any:
    """Sums of bins between the edges ``groups`` along an axis, over safe bins, in double precision."""
    inside = values if safe is None else np.where(safe, values, 0)
    part = np.take(inside, np.arange(groups[0], groups[-1]), axis=axis)
    return np.add.reduceat(part, groups[:-1] - groups[0], axis=axis, dtype=np.float64)


def _any_of(mask: BoolArray | None, groups: IntArray) -> BoolArray | None:
    """A joined bin is in when any of its bins is."""
    if mask is None:
        return None
    joined: BoolArray = np.logical_or.reduceat(mask[groups[0] : groups[-1]], groups[:-1] - groups[0], axis=0)
    return joined
