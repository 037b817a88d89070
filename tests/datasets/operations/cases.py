"""Small maps and models for the tests of operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, MapDataset, MapDatasetOnOff
from gm.irf.edisp_map import EdispKernelMap
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import (
    BackgroundIRFModel,
    Component,
    GaussianSpatialModel,
    Models,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
)

LON, LAT = 83.63, 22.01


def axes(n_energy: int = 4, n_true: int = 6) -> tuple[EnergyAxis, EnergyAxis]:
    energy_true = EnergyAxis(np.geomspace(0.3, 40.0, n_true + 1), "energy_true")
    return EnergyAxis(np.geomspace(0.5, 20.0, n_energy + 1)), energy_true


def dispersion(energy: EnergyAxis, energy_true: EnergyAxis) -> Array:
    matrix = np.exp(-0.5 * (np.log(energy.center / energy_true.center[:, None]) / 0.3) ** 2)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _responses(geometry: WcsGeometry, energy: EnergyAxis, energy_true: EnergyAxis, exposure: float) -> dict[str, Any]:
    coarse = WcsGeometry.create(*geometry.center(), 0.4, shape=(5, 5), frame="icrs", projection="TAN")
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 0.5, 51), "deg")
    profile = np.exp(-0.5 * (rad.center / 0.1) ** 2) / (2 * np.pi * np.radians(0.1) ** 2)
    n_true = energy_true.n_bins
    weights = np.full((n_true, 5, 5), exposure)
    matrix = dispersion(energy, energy_true)
    return {
        "psf": PsfMap(coarse, energy_true, rad, np.broadcast_to(profile[:, None, None], (n_true, 50, 5, 5)), weights),
        "edisp": EdispKernelMap(
            coarse, energy_true, energy, np.broadcast_to(matrix[..., None, None], (*matrix.shape, 5, 5)), weights
        ),
    }


def sky_map(name: str = "map", seed: int = 1, exposure: float = 1e12, n: int = 20, **changes: Any) -> MapDataset:
    """A map of 0.1 deg pixels with a background of some counts in each energy bin and pixel."""
    random = np.random.default_rng(seed)
    energy, energy_true = axes()
    geometry = WcsGeometry.create(LON, LAT, 0.1, shape=(n, n), projection="TAN")
    shape = (energy.n_bins, n, n)
    dataset = MapDataset(
        name=name,
        geometry=geometry,
        energy=energy,
        energy_true=energy_true,
        counts=random.poisson(1.0, shape).astype(float),
        exposure=np.full((energy_true.n_bins, n, n), exposure),
        background=random.uniform(0.1, 1.0, shape),
        **_responses(geometry, energy, energy_true, exposure),
    )
    return dataset.with_(**changes)


def all_sky(dataset: MapDataset, width: float, exposure: float, shape: tuple[int, int] = (1, 2)) -> MapDataset:
    """Responses of two pixels that are as large as half of the sky, as Gammapy makes them; ``width`` of both."""
    grid = WcsGeometry.create(0.0, 0.0, 180.0, shape=shape)
    n_true, sky = dataset.energy_true.n_bins, np.ones(shape)
    assert dataset.psf is not None
    rad, energy_true, energy = dataset.psf.rad, dataset.energy_true, dataset.energy
    profile = np.exp(-0.5 * (rad.center / width) ** 2) / (2 * np.pi * np.radians(width) ** 2)
    matrix = np.exp(-0.5 * (np.log(energy.center / energy_true.center[:, None]) / (3 * width)) ** 2)
    matrix /= matrix.sum(axis=1, keepdims=True)
    filled = np.full((n_true, *shape), exposure)
    return dataset.with_(
        psf=PsfMap(grid, energy_true, rad, profile[:, None, None] * np.ones((n_true, 1, 1, 1)) * sky, filled),
        edisp=EdispKernelMap(grid, energy_true, energy, matrix[..., None, None] * sky, filled),
    )


def on_off_map(
    name: str = "on-off", seed: int = 1, exposure: float = 1e12, n: int = 20, **changes: Any
) -> MapDatasetOnOff:
    random = np.random.default_rng(seed + 7)
    plain = sky_map(name, seed, exposure, n)
    shape = plain.counts.shape
    dataset = MapDatasetOnOff(
        counts_off=random.poisson(2.0, shape).astype(float),
        acceptance=random.uniform(0.5, 1.0, shape),
        acceptance_off=random.uniform(2.0, 5.0, shape),
        **{key: getattr(plain, key) for key in (
            "name", "geometry", "energy", "energy_true", "counts", "exposure", "psf", "edisp", "mask_safe"
        )},
    )  # fmt: skip
    return dataset.with_(**changes)


def source(name: str = "crab", lon: float = LON, lat: float = LAT, sigma: float = 0.15, **options: Any) -> SkyModel:
    return SkyModel(
        name=name,
        spectral_model=PowerLawSpectralModel(index=2.3, amplitude="1e-11 TeV-1 s-1 cm-2"),
        spatial_model=GaussianSpatialModel(lon_0=lon, lat_0=lat, sigma=sigma),
        **options,
    )


def background(dataset: str, norm: float = 1.0, tilt: float = 0.0, **options: Any) -> BackgroundIRFModel:
    return BackgroundIRFModel(
        spectral_model=PowerLawNormSpectralModel(norm=norm, tilt=tilt, **options), dataset_name=dataset
    )


def of_backgrounds(datasets: Datasets, models: Models, names: list[str] | None = None) -> float:
    """Corrected background, summed over the safe bins of some datasets."""
    return float(sum(safe_background(d, models).sum() for d in datasets if names is None or d.name in names))


def safe_background(dataset: Dataset, models: Models) -> Array:
    """Corrected background under the safe mask, written out."""
    raw = getattr(dataset, "background", None)
    if raw is None:
        return np.zeros(1)
    factor = np.ones(dataset.energy.n_bins)  # type: ignore[union-attr]  # only counts have a background
    for component in models.select(dataset.name):
        if isinstance(component, BackgroundIRFModel):
            factor = component.spectral_model(dataset.energy.center)  # type: ignore[union-attr]
    corrected = raw * factor.reshape(-1, *[1] * (raw.ndim - 1))
    return np.asarray(corrected if dataset.mask_safe is None else np.where(dataset.mask_safe, corrected, 0.0))


def alone(component: Component) -> Models:
    return Models([component])
