"""What an observation is reduced to: a dataset without data, which says which bins and pixels are wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gm.datasets import MapDataset
from gm.irf.edisp_map import EdispKernelMap, EdispMap, EdispMigraMap
from gm.irf.parametric_map import RAD_BINS, RAD_MAX
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry

PIXEL_IRF = 0.2  # [deg]


def empty_map(
    name: str,
    geometry: WcsGeometry,
    energy: EnergyAxis,
    energy_true: EnergyAxis,
    *,
    pixel_irf: float = PIXEL_IRF,
    rad: NodeAxis | None = None,
    migra: NodeAxis | None = None,
) -> MapDataset:
    """A map without counts and exposure. Its zeros take no memory.

    pixel_irf : size [deg] of the pixels of PSF and energy dispersion; rad : distances of the PSF, up to 0.66 deg by
    default; migra : the energy dispersion is one in ``migra``, by default in reconstructed energy
    """
    coarse = WcsGeometry.create(
        *geometry.center(), pixel_irf, geometry.width(), frame=geometry.frame, projection=geometry.projection.code
    )
    rad = rad or NodeAxis.from_edges("rad", np.linspace(0.0, RAD_MAX, RAD_BINS + 1), "deg")
    seen, n_true = _zeros(energy_true.n_bins, *coarse.shape), energy_true.n_bins
    if migra is None:
        edisp: EdispMap = EdispKernelMap(
            coarse, energy_true, energy, _zeros(n_true, energy.n_bins, *coarse.shape), seen
        )
    else:
        edisp = EdispMigraMap(coarse, energy_true, migra, _zeros(n_true, migra.n_bins, *coarse.shape), seen)
    counts = _zeros(energy.n_bins, *geometry.shape)
    return MapDataset(
        name=name,
        geometry=geometry,
        energy=energy,
        energy_true=energy_true,
        counts=counts,
        background=counts,
        exposure=_zeros(n_true, *geometry.shape),
        psf=PsfMap(coarse, energy_true, rad, _zeros(n_true, rad.n_bins, *coarse.shape), seen),
        edisp=edisp,
    )


def _zeros(*shape: int) -> Any:
    return np.broadcast_to(np.float32(0.0), shape)


def cut_target(dataset: MapDataset, lon: float, lat: float, width: float) -> MapDataset | None:
    """The part of an empty map within ``width`` [deg] around an ICRS position, with responses of three pixels at least.

    None where the window does not touch the map. Source: Gammapy 2.1, ``MapDataset.cutout``.
    """
    part = dataset.geometry.cutout(lon, lat, width, "icrs")
    if part is None:
        return None
    shape = part.geometry.shape
    counts = _zeros(dataset.energy.n_bins, *shape)
    return dataset.with_(
        geometry=part.geometry,
        counts=counts,
        background=counts,
        exposure=_zeros(dataset.energy_true.n_bins, *shape),
        psf=_cut(dataset.psf, lon, lat, width),
        edisp=_cut(dataset.edisp, lon, lat, width),
    )


def _cut(response: Any, lon: float, lat: float, width: float) -> Any:
    part = response.geometry.cutout(lon, lat, width, "icrs", min_pixels=3) if response is not None else None
    if part is None:
        return response
    return replace(
        response,
        geometry=part.geometry,
        data=response.data[..., part.y, part.x],
        exposure=response.exposure[..., part.y, part.x],
    )
