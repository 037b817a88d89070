"""Spectra stacked: sums under the safe masks, responses averaged by exposure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets.counts import CountsDataset
from gm.datasets.operations.outcome import Refused
from gm.datasets.operations.times import union
from gm.datasets.spectrum import Spectrum

Used = TypeVar("Used", bound=CountsDataset)

SAME_ENERGY = 1e-6  # files of different origin hold the same edges with different rounding


def stacked_spectra(datasets: Sequence[Spectrum], name: str) -> Spectrum:
    """One spectrum of several; the region is that of the first. Raises `Refused` when they have different axes.

    For dataset i with the safe mask e_i(k) and w_i = any_k e_i(k): ``counts = sum e_i counts_i``,
    ``exposure = sum w_i exposure_i``, ``edisp = sum e_i exposure_i edisp_i / sum w_i exposure_i``. What a source
    predicts is the sum of what it predicts in each. Source: Gammapy 2.1, ``Datasets.stack_reduce``.
    """
    first = datasets[0]
    for other in datasets[1:]:
        check_axes(first, other)
    used = used_of(datasets)
    exposure = np.sum([dataset.exposure for dataset in used], axis=0) if used else np.zeros_like(first.exposure)
    changes: dict[str, Any] = {
        "name": name,
        "counts": _sum(datasets, [dataset.counts for dataset in datasets]),
        "exposure": exposure,
        "edisp": _edisp(datasets, used, exposure),
        "mask_safe": joined_safe([dataset.mask_safe for dataset in datasets]),
        "mask_fit": joined_fit([dataset.mask_fit for dataset in used or datasets]),
        "livetime": total_livetime(used),
        "gti": union([dataset.gti for dataset in used or datasets if dataset.gti is not None]),
        "meta": _joined_meta([dataset.meta for dataset in used or datasets]),
    }
    changes |= type(first).stacked_background(datasets, partial(_sum, datasets))
    return first.with_(**changes)


def used_of(datasets: Sequence[Used]) -> list[Used]:
    """Those that have a safe bin; of the others neither counts nor times, responses and fit masks are in the stack."""
    return [dataset for dataset in datasets if dataset.mask_safe is None or dataset.mask_safe.any()]


def check_axes(first: Any, other: Any) -> None:
    """Both datasets have the same energy axes, else `Refused`."""
    for axis in ("energy", "energy_true"):
        mine, theirs = getattr(first, axis).edges, getattr(other, axis).edges
        if len(mine) != len(theirs) or not np.allclose(mine, theirs, rtol=SAME_ENERGY, atol=0.0):
            raise Refused(
                f"{first.name} and {other.name} have different axes {axis}: {len(mine) - 1} bins from {mine[0]:g} to "
                f"{mine[-1]:g} TeV, {len(theirs) - 1} bins from {theirs[0]:g} to {theirs[-1]:g} TeV",
                "slice_energy or resample_energy them to one axis first, or fit them jointly without a stack",
            )


def joined_safe(masks: Sequence[BoolArray | None]) -> BoolArray | None:
    """A bin is safe when it is in any dataset, (n_energy,); no mask means that all bins are."""
    known = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(known) if known and len(known) == len(masks) else None


def joined_fit(masks: Sequence[BoolArray | None]) -> BoolArray | None:
    """A bin is fitted when it is in any dataset that has a fit mask, (n_energy,)."""
    known = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(known) if known else None


def total_livetime(datasets: Sequence[Any]) -> float | None:
    """The sum of those that are known [s]."""
    known = [dataset.livetime for dataset in datasets if dataset.livetime is not None]
    return float(sum(known)) if known else None


def _sum(datasets: Sequence[Spectrum], arrays: Sequence[Array | None]) -> Array:
    """Sum over the safe bins of each, of those that have one."""
    filled = [np.zeros(dataset.shape) if a is None else a for dataset, a in zip(datasets, arrays, strict=True)]
    masked = [
        array if dataset.mask_safe is None else np.where(dataset.mask_safe, array, 0.0)
        for dataset, array in zip(datasets, filled, strict=True)
    ]
    return np.asarray(np.sum(masked, axis=0, dtype=np.float64))


def _edisp(datasets: Sequence[Spectrum], used: Sequence[Spectrum], exposure: Array) -> Array | None:
    is_cut = any(dataset.mask_safe is not None and not dataset.mask_safe.all() for dataset in datasets)
    if all(dataset.edisp is None for dataset in datasets) and not is_cut:
        return None
    total = np.zeros((datasets[0].energy_true.n_bins, datasets[0].energy.n_bins))
    for dataset in used:
        response = dataset.response()
        total += response if dataset.mask_safe is None else np.where(dataset.mask_safe, response, 0.0)
    weight = exposure[:, None]
    return np.asarray(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0))


def _joined_meta(metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What every dataset says, side by side."""
    filled = [meta for meta in metas if meta]
    if len(filled) < 2:
        return dict(filled[0]) if filled else {}
    shared = [key for key in filled[0] if all(key in meta for meta in filled)]
    return {key: np.concatenate([np.atleast_1d(meta[key]).ravel() for meta in filled])[None, :] for key in shared}
