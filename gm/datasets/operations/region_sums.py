"""The spectrum of a region of a map."""

from __future__ import annotations

from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.outcome import Refused
from gm.datasets.spectrum import Spectrum
from gm.io.tables import Table
from gm.irf.edisp import overlap_matrix
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion

_RINGING = 1e-5  # of the largest prediction: what splines and Fourier transforms leave below 0


def region_mask(dataset: SkyMap, region: SkyRegion) -> BoolArray:
    """``(n_y, n_x)``: the pixels with their centre inside. Raises `Refused` when the map does not hold all of it.

    Also when the masks cut through the region: what is left of its counts would not be what a source predicts.
    """
    around = region.contains(dataset.geometry.pad(1))
    inside = around[1:-1, 1:-1]
    if around.sum() > inside.sum():
        raise Refused(f"the region is not inside the map of {dataset.name}", "take a smaller region, or pad the map")
    if not inside.any():
        raise Refused(f"no pixel centre of {dataset.name} lies in the region", "take a larger region")
    masked = dataset.mask[:, inside]
    if not (masked.all(axis=1) | ~masked.any(axis=1)).all():
        at = int(np.argmin(masked.all(axis=1) | ~masked.any(axis=1)))
        raise Refused(
            f"the masks of {dataset.name} cut through the region in energy bin {at} "
            f"({dataset.energy.lo[at]:g} to {dataset.energy.hi[at]:g} TeV)",
            "slice_energy to the bins where the whole region is in, or take another region",
        )
    return inside


def holds(region: SkyRegion, dataset: SkyMap, lon: float, lat: float, frame: str) -> bool:
    """Whether a position [deg] lies in the region."""
    x, y = dataset.geometry.position(lon, lat, frame)
    inside = False
    for included in (True, False):
        for shape in region.shapes:
            if shape.include is included and shape.to_pixels(dataset.geometry).contains(x, y).all():
                inside = included
    return inside


def spectrum_of(dataset: SkyMap, name: str, region: SkyRegion, *, containment_correction: bool = False) -> Spectrum:
    """Counts and background summed over safe pixels of the region, the mean exposure, the response at its centre.

    containment_correction : the exposure times the part of the PSF of a source at the centre of a circle that falls
    inside; for a PSF of reconstructed energy the energy dispersion times that, in each of its bins. Source: Gammapy
    2.1, ``MapDataset.to_spectrum_dataset``.
    """
    dataset = dataset.where_measured()
    inside, safe = region_mask(dataset, region), dataset.mask_safe
    exposure = np.asarray(dataset.exposure[:, inside].mean(axis=1, dtype=np.float64))
    edisp = _matrix(dataset, region)
    if containment_correction and (psf := _psf(dataset)).is_reco:
        matrix = overlap_matrix(dataset.energy_true, dataset.energy) if edisp is None else edisp
        edisp = matrix * _contained(psf, region, dataset.energy)
    elif containment_correction:
        exposure = exposure * _contained(psf, region, dataset.energy_true)
    common: dict[str, Any] = {
        "name": name,
        "energy": dataset.energy,
        "energy_true": dataset.energy_true,
        "counts": _total(dataset.counts, safe, inside),
        "exposure": exposure,
        "edisp": edisp,
        "mask_safe": None if safe is None else safe[:, inside].any(axis=1),
        "mask_fit": None if dataset.mask_fit is None else dataset.mask_fit[:, inside].any(axis=1),
        "livetime": dataset.livetime,
        "gti": dataset.gti,
        "region": region.to_file_region(),
        "meta": _meta(dataset.meta),
    }
    return dataset.spectrum_type(**common, **_background(dataset, inside))


def _background(dataset: SkyMap, inside: BoolArray) -> dict[str, Any]:
    """Acceptance: mean over safe pixels; that of the off counts such that the background stays."""
    safe = dataset.mask_safe
    if safe is None and not dataset.has_known_background:  # sums over a mask, which NumPy adds up in another order
        safe = np.ones(dataset.shape, dtype=np.bool_)

    def total(values: Any) -> Array:
        return _total(values, safe, inside)

    def mean(values: Any) -> Array:
        n_safe = int(inside.sum()) if safe is None else safe[:, inside].sum(axis=1)
        return np.asarray(total(values) / np.maximum(n_safe, 1))

    return dataset.joined_background(total, mean)


def added_background(dataset: SkyMap, counts: Any) -> SkyMap:
    """The map with more counts (n_energy, n_y, n_x) in its background; those that folding leaves below 0 are none."""
    known = dataset.known_background
    counts = np.where((counts < 0.0) & (counts >= -_RINGING * counts.max()), 0.0, counts)
    return dataset.with_(background=counts if known is None else known + counts)


def _total(values: Any, safe: BoolArray | None, inside: BoolArray) -> Array:
    part = values[:, inside]
    return np.asarray(np.sum(part, axis=1, dtype=np.float64, where=True if safe is None else safe[:, inside]))


def _psf(dataset: SkyMap) -> PsfMap:
    if dataset.psf is None:
        raise Refused(f"dataset {dataset.name} has no PSF to correct for", "containment_correction: false")
    return dataset.psf


def _contained(psf: PsfMap, region: SkyRegion, energy: EnergyAxis) -> Array:
    """The part (n_bins,) of the PSF of a source at the centre of a circle that falls inside."""
    shape = region.shapes[0]
    if len(region.shapes) > 1 or shape.kind != "circle":
        raise Refused("the containment correction needs a circle", "containment_correction: false, or a circle")
    return psf.containment(shape.sizes[0], energy.center, *region.center(), region.frame)


def _matrix(dataset: SkyMap, region: SkyRegion) -> Array | None:
    if dataset.edisp is None:
        return None
    return dataset.edisp.kernel(dataset.energy, *region.center(), region.frame)


def _meta(table: Table | None) -> dict[str, Any]:
    columns = {} if table is None else {c.name: np.asarray(c.values) for c in table.columns}
    return {name: values[0].item() if values.shape == (1,) else values for name, values in columns.items()}
