"""What a source that may stand at any pixel predicts: its kernel, and the counts that its flux makes there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, isfinite

import numpy as np

from gm.arrays import Array, BoolArray
from gm.conventions import Conventions
from gm.datasets import MapDataset, overlap_matrix
from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import SkyMap, no_counts
from gm.errors import DataError, UsageError, suggest
from gm.irf.positions import nearest_values
from gm.likelihood import predict_component
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate
from gm.models import Models, SkyModel
from gm.models.spatial.point import PointSpatialModel
from gm.models.spectral.power_laws import PowerLawSpectralModel

_LEAST = 1e-12  # of the largest value of a kernel: less is the noise of a transform


def default_kernel() -> SkyModel:
    """A point source with a power law of index 2."""
    return SkyModel(name="kernel", spectral_model=PowerLawSpectralModel(), spatial_model=PointSpatialModel())


def placed(component: SkyModel, lon: float, lat: float, frame: str) -> SkyModel:
    """The component at a position [deg]. Raises `UsageError` when it has none."""
    shape = component.spatial_model
    names = {parameter.name for parameter in component.parameters}
    if shape is None or not {"lon_0", "lat_0"} <= names:
        raise UsageError(f"'{component.name}' has no position lon_0, lat_0 that it could be put at")
    there = dict(zip(("lon_0", "lat_0"), map(float, rotate(lon, lat, frame, shape.frame)), strict=True))
    parameters = [
        replace(p, value=there[p.name], unit="deg", min=-np.inf, max=np.inf) if p.name in there else p
        for p in component.parameters
    ]
    return component.with_parameters(parameters)


def exposed_counts(dataset: SkyMap, component: SkyModel, conventions: Conventions, models: Models) -> Array:
    """Counts in every bin of a sky on which every pixel has the flux of a component, unspread; (n_energy, n_y, n_x).

    models : whose nuisances of instruments act
    """
    instruments = models.instruments(dataset.name)
    spectrum = SkyModel(
        name="exposed",
        spectral_model=component.spectral_model,
        apply_irf={"exposure": True, "psf": False, "edisp": True},
    )
    if conventions.is_exact or dataset.finer is not None:
        return predict_component(dataset.without_data(), spectrum, conventions, instruments=instruments)
    true, exposure = dataset.energy_true, np.asarray(dataset.exposure, dtype=np.float64)
    pixel = _window(dataset.geometry, 1)
    alone = MapDataset(
        name=dataset.name,
        geometry=pixel,
        energy=EnergyAxis(true.edges, interp=true.interp),
        energy_true=true,
        counts=no_counts(true, pixel),
        exposure=np.ones((true.n_bins, 1, 1)),
        gti=dataset.gti,
    )
    flux = predict_component(alone, spectrum, conventions, instruments=instruments).ravel()
    edisp = overlap_matrix(true, dataset.energy)
    if dataset.edisp is not None:
        edisp = dataset.edisp.kernel(dataset.energy, None, None, None, conventions)
    counts = (edisp.T * flux) @ exposure.reshape(true.n_bins, -1)
    return np.asarray(counts.reshape(-1, *dataset.geometry.shape))


def kernels_of(dataset: SkyMap, component: SkyModel, width: float | None, conventions: Conventions) -> Array:
    """What a source in the middle of the map predicts, each energy with the sum 1, or 0; (n_energy, k, k), k odd.

    All with the exposure of the middle. width : of the square [deg], by default as wide as the PSF and the shape, and
    at most the map. Raises `DataError` where the map has no exposure.
    """
    geometry = dataset.geometry
    lon, lat = geometry.center()
    exposure = nearest_values(geometry, dataset.exposure, (lon, lat, geometry.frame))
    if not exposure.any():
        raise DataError(f"dataset {dataset.name} has no exposure, so that no source can be seen on it")
    source, finer = placed(component, lon, lat, geometry.frame), _joined_psfs(dataset)
    bins = dataset if finer is None else finer
    window = _window(geometry, _n_pixels(geometry, bins, dataset.energy_true, source, width, conventions))
    around = MapDataset(
        name=dataset.name,
        geometry=window,
        energy=bins.energy,
        energy_true=dataset.energy_true,
        counts=no_counts(bins.energy, window),
        exposure=np.broadcast_to(exposure[:, None, None], (exposure.size, *window.shape)),
        psf=bins.psf,
        edisp=bins.edisp,
        gti=dataset.gti,
    )
    predicted = predict_component(around, source, conventions)
    if finer is not None:
        predicted = finer.in_energies(predicted, dataset.energy.n_bins)
    predicted = np.where(predicted > _LEAST * predicted.max(axis=(1, 2), keepdims=True), predicted, 0.0)
    total = predicted.sum(axis=(1, 2), keepdims=True)
    return _trimmed(np.divide(predicted, total, out=np.zeros_like(predicted), where=total > 0))


def _joined_psfs(dataset: SkyMap) -> FinerBins | None:
    """The bins of energy that were joined and have a PSF of reconstructed energy each, or None."""
    return dataset.finer if dataset.psf is not None and dataset.psf.is_reco else None


def _window(geometry: WcsGeometry, n: int) -> WcsGeometry:
    lon, lat = geometry.center()
    scales, code = geometry.pixel_scales(), geometry.projection.code
    return WcsGeometry.create(lon, lat, scales, shape=(n, n), frame=geometry.frame, projection=code)


def _n_pixels(
    geometry: WcsGeometry,
    bins: SkyMap | FinerBins,
    energy_true: EnergyAxis,
    source: SkyModel,
    width: float | None,
    conventions: Conventions,
) -> int:
    """Of one side of the kernel, an odd number."""
    scale = max(geometry.pixel_scales())
    if width is not None:
        return int(ceil(width / scale - 1e-9) // 2 * 2 + 1)
    largest = int(ceil(max(geometry.shape)) // 2 * 2 + 1)
    shape, n = source.spatial_model, 1
    radius = None if shape is None else shape.evaluation_radius(shape.values())
    if shape is None or radius is None:
        return largest
    if bins.psf is not None:
        axis = bins.energy if bins.psf.is_reco else energy_true
        n = bins.psf.kernel(geometry, axis, *geometry.center(), geometry.frame, conventions).shape[0]
    return min(n + 2 * ceil(radius / scale) + 2, largest) // 2 * 2 + 1


def _trimmed(kernels: Array) -> Array:
    """Without the rows and columns around the middle in which there is nothing."""
    seen: BoolArray = np.any(kernels > 0, axis=0)
    used = np.flatnonzero(np.any(seen, axis=0) | np.any(seen, axis=1))
    middle = kernels.shape[-1] // 2
    half = int(np.abs(used - middle).max(initial=0))
    return kernels[:, middle - half : middle + half + 1, middle - half : middle + half + 1]


@dataclass(frozen=True)
class Place:
    """Where a source is in a model: position [deg] in ``frame``, addresses of both parameters, factors to deg."""

    lon: float
    lat: float
    frame: str
    addresses: tuple[str, str]
    factors: tuple[float, float]


def position_of(models: Models, source: str) -> Place:
    """The position of a source. Raises `UsageError` where it has none of its own."""
    component = sky_source(models, source)
    shape = component.spatial_model
    names = [parameter.name for parameter in shape.parameters] if shape is not None else []
    if shape is None or not {"lon_0", "lat_0"} <= set(names):
        raise UsageError(f"'{source}' has no position lon_0, lat_0")
    known, linked = models.addresses(), models.roots()
    found = [models.slots()[source, "spatial"].start + names.index(name) for name in ("lon_0", "lat_0")]
    if follower := next((known.short[k] for k in found if k in linked), None):
        raise UsageError(f"{follower} follows another parameter by a link, and has no position of its own")
    values, factors = shape.values(), [shape.factors[names.index(name)] for name in ("lon_0", "lat_0")]
    lon, lat = (float(values[names.index(name)]) for name in ("lon_0", "lat_0"))
    if not (isfinite(lon) and isfinite(lat)):  # a template stays where its file has it
        raise UsageError(f"'{source}' has no values of lon_0 and lat_0, from which it could be moved")
    return Place(lon, lat, shape.frame, (known.short[found[0]], known.short[found[1]]), (factors[0], factors[1]))


def sky_source(models: Models, name: str) -> SkyModel:
    """The source of that name. Raises `UsageError`."""
    sky = {component.name: component for component in models.sources()}
    if name not in sky:
        raise UsageError(f"no source is called '{name}'; {suggest(name, sky, 'sources')}")
    return sky[name]
