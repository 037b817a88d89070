"""Maps stacked: sums under the safe masks on one grid, responses averaged by exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.grids import Place, response_grid, whole_pixels
from gm.datasets.operations.outcome import Refused
from gm.datasets.operations.stacking_spectra import SAME_ENERGY, check_axes, total_livetime, used_of
from gm.datasets.operations.times import union
from gm.io.tables import Column, Table
from gm.irf.edisp_map import EdispMap
from gm.irf.psf import PsfMap
from gm.irf.response_masks import interpolated_mask, nearest_mask, safe_image
from gm.maps.axes import Axis
from gm.maps.geometry import WcsGeometry


def stacked_maps(datasets: Sequence[SkyMap], name: str) -> SkyMap:
    """One map of several, on the smallest grid that holds all of their pixels, which coincide; else `Refused`.

    For dataset i with the safe mask e_i(k, p) and w_i(p) = any_k e_i(k, p): ``counts = sum e_i counts_i``, the same for
    the background, ``exposure = sum w_i exposure_i``; PSF and energy dispersion are means weighted by w_i (e_i) and
    their exposure. Source: Gammapy 2.1, ``MapDataset.stack``.
    """
    first = datasets[0]
    for other in datasets[1:]:
        check_axes(first, other)
    names = [dataset.name for dataset in datasets]
    geometry, places = whole_pixels([dataset.geometry for dataset in datasets], names, "the maps")
    whole = _Whole(datasets, geometry, places)
    used = used_of(datasets)
    changes: dict[str, Any] = {
        "name": name,
        "geometry": geometry,
        "counts": whole.sum_of([dataset.counts for dataset in datasets]).astype(first.counts.dtype),
        "exposure": whole.exposure(),
        "psf": _stacked_psf(used or datasets),
        "edisp": _stacked_edisp(used or datasets),
        "mask_safe": whole.safe(),
        "mask_fit": whole.fit(),
        "livetime": total_livetime(used),
        "gti": union([dataset.gti for dataset in used or datasets if dataset.gti is not None]),
        "meta": joined_tables([dataset.meta for dataset in used or datasets if dataset.meta is not None]),
        "finer": None,
    }
    changes |= type(first).stacked_background(datasets, whole.sum_of)
    return first.with_(**changes)


class _Whole:
    """The grid that is stacked onto, and where each dataset is in it."""

    def __init__(self, datasets: Sequence[SkyMap], geometry: WcsGeometry, places: Sequence[Place]) -> None:
        self.datasets, self.places = datasets, list(places)
        self.by_energy = (datasets[0].energy.n_bins, *geometry.shape)
        self.by_true = (datasets[0].energy_true.n_bins, *geometry.shape)

    def sum_of(self, arrays: Sequence[Any]) -> Array:
        """Sum over safe bins, in double precision, of the arrays of the datasets; None for none."""
        total = np.zeros(self.by_energy)
        for dataset, place, array in zip(self.datasets, self.places, arrays, strict=True):
            if array is not None:
                np.add(total[:, *place], array, out=total[:, *place], where=_all_or(dataset.mask_safe))
        return total

    def exposure(self) -> Array:
        """Sum of exposures where any energy is safe."""
        total = np.zeros(self.by_true)
        for dataset, place in zip(self.datasets, self.places, strict=True):
            image = safe_image(dataset.mask_safe, dataset.geometry.shape)
            np.add(total[:, *place], dataset.exposure, out=total[:, *place], where=image)
        return total

    def safe(self) -> BoolArray | None:
        """Safe in any; without masks everything that some dataset covers."""
        joined = np.zeros(self.by_energy, dtype=np.bool_)
        for dataset, place in zip(self.datasets, self.places, strict=True):
            joined[:, *place] |= _all_or(dataset.mask_safe)
        is_whole = all(dataset.mask_safe is None for dataset in self.datasets) and bool(joined.all())
        return None if is_whole else joined

    def fit(self) -> BoolArray | None:
        """Fitted in any dataset that is used and has a fit mask."""
        used = used_of(self.datasets) or self.datasets
        if all(dataset.mask_fit is None for dataset in used):
            return None
        joined = np.zeros(self.by_energy, dtype=np.bool_)
        for dataset, place in zip(self.datasets, self.places, strict=True):
            if dataset.mask_fit is not None and dataset in used:
                joined[:, *place] |= dataset.mask_fit
        return joined


def _all_or(mask: BoolArray | None) -> Any:
    return True if mask is None else mask


def _stacked_psf(datasets: Sequence[SkyMap]) -> PsfMap | None:
    """Weight: whether the counts map is safe, at any energy, where the pixel of the PSF map is."""
    held = _present(datasets, "psf")
    if held is None:
        return None
    if any(psf.is_reco for psf in held):
        raise Refused("a PSF in reconstructed energy cannot be averaged", "fit these datasets jointly without a stack")
    weights = []
    for dataset, psf in zip(datasets, held, strict=True):
        image = safe_image(dataset.mask_safe, dataset.geometry.shape)
        is_cut = dataset.mask_safe is not None
        weights.append(nearest_mask(image, dataset.geometry, psf.geometry) if is_cut else np.ones(psf.geometry.shape))
    averaged: PsfMap = _averaged(datasets, held, [w[None, None] for w in weights], weights, "the PSF maps")
    return averaged


def _stacked_edisp(datasets: Sequence[SkyMap]) -> EdispMap | None:
    """Weight: the safe mask on the pixels of the response; of a kernel bin by bin, so that masked bins add nothing."""
    held = _present(datasets, "edisp")
    if held is None:
        return None
    weights, images = list[Any](), list[Any]()
    for dataset, response in zip(datasets, held, strict=True):
        if dataset.mask_safe is None:
            weight = np.ones((1, *response.geometry.shape), dtype=np.bool_)
        elif response.is_binned:
            weight = interpolated_mask(dataset.mask_safe, dataset.geometry, response.geometry)
        else:
            weight = interpolated_mask(safe_image(dataset.mask_safe, ())[None], dataset.geometry, response.geometry)
        weights.append(weight[None])
        images.append(weight.any(axis=0))
    edisp: EdispMap = _averaged(datasets, held, weights, images, "the energy dispersion maps")
    return edisp


def _present(datasets: Sequence[SkyMap], key: str) -> list[Any] | None:
    """The responses of all datasets, or None when none has one; `Refused` when some have, or of different types."""
    held = [getattr(dataset, key) for dataset in datasets]
    types = {type(response) for response in held}
    if types == {type(None)}:
        return None
    for dataset, response in zip(datasets, held, strict=True):
        if type(response) is not type(held[0]):
            raise Refused(f"{key} of {datasets[0].name} and {dataset.name} are not of one kind", "fit them jointly")
    return held


def _averaged(
    datasets: Sequence[SkyMap], held: Sequence[Any], weights: Sequence[Any], images: Sequence[Any], what: str
) -> Any:
    """``sum w exposure response / sum image exposure``, and the summed exposure; 0 where there is none."""
    first, names = held[0], [dataset.name for dataset in datasets]
    if len(held) == 1 and all(np.all(weight) for weight in weights):
        return first
    geometry, places = response_grid([response.geometry for response in held], names, what)
    total = np.zeros((*first.data.shape[:2], *geometry.shape))
    exposure = np.zeros((first.data.shape[0], *geometry.shape))
    for dataset, response, weight, image, place in zip(datasets, held, weights, images, places, strict=True):
        if response.exposure is None:
            raise Refused(f"{what} of {dataset.name} come without an exposure, by which they are averaged")
        for mine, theirs in zip(first.axes, response.axes, strict=True):
            if not _are_alike(mine, theirs):
                raise Refused(
                    f"{what} of {names[0]} and {dataset.name} have different axes {mine.name}: {mine.n_bins} bins to "
                    f"{mine.edges[-1]:g} {mine.unit}, {theirs.n_bins} to {theirs.edges[-1]:g} {theirs.unit}",
                    "fit them jointly without a stack",
                )
        own = _exposure_of(dataset, response)
        total[..., *place] += weight * own[:, None] * np.asarray(response.data, dtype=np.float64)
        exposure[:, *place] += image * own
    np.divide(total, exposure[:, None], out=total, where=exposure[:, None] > 0)
    data = np.where(exposure[:, None] > 0, total, 0.0).astype(first.data.dtype)
    return replace(first, geometry=geometry, data=data, exposure=exposure)


def _are_alike(axis: Axis, other: Axis) -> bool:
    """Whether two axes have the same bins, and the same centres of these, but for rounding."""
    return axis.n_bins == other.n_bins and all(
        np.allclose(mine, theirs, rtol=SAME_ENERGY, atol=SAME_ENERGY * float(np.diff(mine).min()))
        for mine, theirs in ((axis.edges, other.edges), (axis.center, other.center))
        if mine.size > 1
    )


def _exposure_of(dataset: SkyMap, response: Any) -> Any:
    """The exposure of a response (n_energy_true, n_y, n_x) [cm2 s].

    One number at all energies and positions is what programs put there that do not know it: the mean of the dataset
    stands in for it.
    """
    image = safe_image(dataset.mask_safe, dataset.geometry.shape)
    if np.ptp(response.exposure) > 0 or not image.any():
        return response.exposure
    mean = dataset.exposure[:, image].mean(axis=1, dtype=np.float64)
    axis = response.axes[0]
    at = np.interp(np.log(axis.center), np.log(dataset.energy_true.center), mean)
    return np.broadcast_to(at[:, None, None], response.exposure.shape)


def joined_tables(tables: Sequence[Table]) -> Table | None:
    """Tables of one row side by side: what is in all of them, one cell with the values of each."""
    if len(tables) < 2:
        return tables[0] if tables else None
    columns = []
    for column in tables[0].columns:
        if all(table.find(column.name) is not None for table in tables):
            cells = [np.asarray(table.array(column.name)).ravel() for table in tables]
            columns.append(Column(column.name, np.concatenate(cells)[None, :], column.unit))
    return Table(tables[0].name, tuple(columns), tables[0].header)
