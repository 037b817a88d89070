"""Map datasets for tests: small synthetic ones with a fixed seed, on two grids, with every kind of response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets import MapDataset, MapDatasetOnOff
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    BackgroundIRFModel,
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Parameter,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    SpatialModel,
)

LON, LAT = 83.63, 22.01  # Crab, icrs [deg]; in galactic coordinates 184.557, -5.784
GRIDS = {
    "icrs": WcsGeometry.create(LON, LAT, 0.1, shape=(23, 27)),
    "galactic": WcsGeometry.create(184.4, -5.7, (0.12, 0.1), shape=(26, 21), frame="galactic", projection="TAN"),
}
RESPONSES = {  # psf, edisp
    "plain": (None, None),
    "psf": ("true", "kernel"),
    "migra": ("true", "migra"),
    "reco": ("reco", "kernel"),
    "psf only": ("true", None),
}


def energies(n_energy: int = 3, n_true: int = 4) -> tuple[EnergyAxis, EnergyAxis]:
    return EnergyAxis(np.geomspace(1.0, 20.0, n_energy + 1)), EnergyAxis(
        np.geomspace(0.5, 40.0, n_true + 1), "energy_true"
    )


def psf_map(axis: EnergyAxis, single_pixel: bool = False) -> PsfMap:
    """Gaussians of 0.2 deg at 1 TeV and half of that at 20 TeV, up to 40 % wider at the sides of the field."""
    shape = (1, 1) if single_pixel else (3, 3)
    geometry = WcsGeometry.create(LON, LAT, 1.5, shape=shape)
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 0.7, 71), "deg")
    wider = np.ones(shape) if single_pixel else 1.0 + 0.2 * np.abs(np.indices(shape) - 1).sum(axis=0)
    sigma = 0.2 * (axis.center**-0.23)[:, None, None, None] * wider
    values = np.exp(-0.5 * (rad.center[:, None, None] / sigma) ** 2) / (2 * np.pi * np.radians(sigma) ** 2)
    return PsfMap(geometry, axis, rad, values)


def edisp_map(kind: str, energy: EnergyAxis, energy_true: EnergyAxis) -> EdispKernelMap | EdispMigraMap:
    """30 % resolution, with a bias that changes across the field."""
    geometry = WcsGeometry.create(LON, LAT, 1.5, shape=(3, 3))
    bias = 1.0 + 0.05 * (np.indices((3, 3)).sum(axis=0) - 2)
    if kind == "migra":
        migra = NodeAxis.from_edges("migra", np.linspace(0.2, 3.0, 57))
        spread = np.exp(-0.5 * ((migra.center[:, None, None] - bias) / 0.3) ** 2)
        values = np.broadcast_to(spread / (spread.sum(axis=0) * 0.05), (energy_true.n_bins, *spread.shape))
        return EdispMigraMap(geometry, energy_true, migra, values)
    distance = np.log(energy.center[:, None, None] / (energy_true.center[:, None, None, None] * bias))
    return EdispKernelMap(geometry, energy_true, energy, 0.5 * np.exp(-0.5 * (distance / 0.4) ** 2))


def mask_with_holes(shape: tuple[int, int, int], seed: int) -> BoolArray:
    """No bins of the lowest energy in a corner, a hole in the middle, and some bins at random."""
    mask = np.random.default_rng(seed).random(shape) > 0.05
    mask[0, :6, :7] = False
    mask[:, 10:13, 15:17] = False
    return mask


def cube(
    name: str = "cube",
    grid: str = "icrs",
    response: str = "psf",
    seed: int = 1,
    *,
    exposure: float = 1e13,
    background: float = 0.3,
    **changes: Any,
) -> MapDataset:
    """A source of Gaussian shape on a known background: most bins are empty, some hold ten counts."""
    parts = _parts(grid, response, seed, exposure)
    known = _background(parts["geometry"].shape, parts["energy"], background)
    counts = np.random.default_rng(seed + 100).poisson(known + _blob(parts)).astype(np.float32)
    dataset = MapDataset(name=name, counts=counts, background=known.astype(np.float32), **parts)
    return dataset.with_(mask_safe=mask_with_holes(counts.shape, seed), **changes)


def on_off_cube(
    name: str = "on-off", grid: str = "icrs", response: str = "psf", seed: int = 1, *, exposure: float = 1e13
) -> MapDatasetOnOff:
    """As `cube`, with counts beside the source: bins with on and off, with one of both, and with none."""
    parts = _parts(grid, response, seed, exposure)
    known = _background(parts["geometry"].shape, parts["energy"], 0.3)
    random = np.random.default_rng(seed + 200)
    acceptance_off = random.uniform(1.0, 6.0, known.shape)
    return MapDatasetOnOff(
        name=name,
        counts=random.poisson(known + _blob(parts)).astype(float),
        counts_off=random.poisson(known * acceptance_off).astype(float),
        acceptance=np.ones(known.shape),
        acceptance_off=np.where(random.random(known.shape) < 0.02, 0.0, acceptance_off),
        mask_safe=mask_with_holes(known.shape, seed),
        **parts,
    )


def with_off(given: MapDataset, name: str = "on-off") -> MapDatasetOnOff:
    """The same counts and responses, with ten times as many off counts at ten times the acceptance."""
    ones = np.ones_like(given.counts)
    return MapDatasetOnOff(
        name=name,
        geometry=given.geometry,
        energy=given.energy,
        energy_true=given.energy_true,
        counts=given.counts,
        exposure=given.exposure,
        psf=given.psf,
        edisp=given.edisp,
        mask_safe=given.mask_safe,
        counts_off=given.counts * 10,
        acceptance=ones,
        acceptance_off=ones * 10,
    )


def _parts(grid: str, response: str, seed: int, exposure: float) -> dict[str, Any]:
    """What both kinds of datasets share; the exposure falls off to the side and grows with energy [cm2 s]."""
    geometry, (energy, energy_true) = GRIDS[grid], energies()
    psf, edisp = RESPONSES[response]
    random = np.random.default_rng(seed)
    ny, nx = geometry.shape
    across = np.linspace(1.0, 0.6, nx) * np.linspace(0.8, 1.1, ny)[:, None]
    by_energy = exposure * np.geomspace(1.0, 5.0, energy_true.n_bins) * random.uniform(0.9, 1.1)
    return {
        "geometry": geometry,
        "energy": energy,
        "energy_true": energy_true,
        "exposure": by_energy[:, None, None] * across,
        "psf": None if psf is None else psf_map(energy if psf == "reco" else energy_true),
        "edisp": None if edisp is None else edisp_map(edisp, energy, energy_true),
    }


def _background(shape: tuple[int, int], energy: EnergyAxis, level: float) -> Array:
    across = np.linspace(0.7, 1.3, shape[0])[:, None] * np.ones(shape[1])
    return np.asarray(level * (energy.center / energy.center[0])[:, None, None] ** -1.5 * across)


def _blob(parts: dict[str, Any]) -> Array:
    """About what a flux of 1e-11 cm-2 s-1 above 1 TeV gives, by a rule of thumb; (n_energy, ny, nx)."""
    sep = parts["geometry"].separation(LON, LAT, "icrs")
    shape = np.exp(-0.5 * (sep / 0.3) ** 2)
    flux = 1e-11 * parts["energy"].lo ** -1.3
    middle = parts["exposure"][1:].mean()
    return np.asarray(flux[:, None, None] * middle * shape / shape.sum())


def source(
    name: str = "source",
    shape: SpatialModel | None = None,
    *,
    index: object = 2.3,
    amplitude: object = "1e-11 TeV-1 s-1 cm-2",
    **options: Any,
) -> SkyModel:
    spectrum = PowerLawSpectralModel(index=index, amplitude=amplitude)
    return SkyModel(name=name, spectral_model=spectrum, spatial_model=shape, **options)


def held(shape: SpatialModel, **values: float) -> SpatialModel:
    """The shape with all parameters frozen."""
    return _with(shape, values, frozen=True)


def free(shape: SpatialModel, **values: float) -> SpatialModel:
    """The shape with all parameters free, and without limits."""
    return _with(shape, values, frozen=False)


def _with(shape: SpatialModel, values: dict[str, float], *, frozen: bool) -> SpatialModel:
    parameters = [Parameter(p.name, values.get(p.name, p.value), p.unit, frozen=frozen) for p in shape.parameters]
    return shape.with_parameters(parameters)


def point(lon: float = LON, lat: float = LAT) -> PointSpatialModel:
    return PointSpatialModel(lon_0=f"{lon} deg", lat_0=f"{lat} deg")


def gauss(lon: float = LON, lat: float = LAT, sigma: float = 0.28) -> GaussianSpatialModel:
    return GaussianSpatialModel(lon_0=f"{lon} deg", lat_0=f"{lat} deg", sigma=f"{sigma} deg")


def edged() -> dict[str, SpatialModel]:
    """Shapes that end at an edge, or nearly."""
    at = {"lon_0": f"{LON} deg", "lat_0": f"{LAT} deg"}
    return {
        "disk": DiskSpatialModel(**at, r_0=0.42),
        "shell": ShellSpatialModel(**at, radius=0.3, width=0.1),
        "shell2": Shell2SpatialModel(**at, r_0=0.45, eta=0.3),
        "general": GeneralizedGaussianSpatialModel(**at, r_0=0.4, eta=0.05),
    }


def background(name: str = "cube", norm: float = 1.1, tilt: object = 0.1, **options: Any) -> BackgroundIRFModel:
    spectrum = PowerLawNormSpectralModel(norm=norm, tilt=Parameter("tilt", tilt) if isinstance(tilt, float) else tilt)
    return BackgroundIRFModel(spectral_model=spectrum, dataset_name=name, **options)


def write_template(path: Path, *, with_energy: bool = False, frame: str = "icrs") -> Path:
    """A template that ends inside of the grids: a ridge, which narrows with energy where there is one."""
    center = (LON, LAT) if frame == "icrs" else (184.4, -5.7)
    geometry = WcsGeometry.create(*center, 0.08, shape=(18, 22), frame=frame)
    lon, lat = geometry.grid()
    axis = EnergyAxis(np.geomspace(0.4, 50.0, 4), "energy_true")
    widths = 0.4 * axis.center[:, None, None] ** -0.2 if with_energy else np.array(0.3)
    across = (lon - center[0]) * np.cos(np.radians(center[1])) + 0.5 * (lat - center[1])
    values = 0.05 + np.exp(-0.5 * (across / widths) ** 2)
    write_map(path, Map(geometry, (axis,) if with_energy else (), values.astype(np.float32), "sr-1"))
    return path
