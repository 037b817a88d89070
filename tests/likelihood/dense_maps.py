"""Predicted counts on maps and their statistic as formats/likelihood.md 4.2 reads: every bin, every energy."""

from __future__ import annotations

import numpy as np
from scipy.signal import convolve

from gm.arrays import Array
from gm.datasets import MapDataset, MapDatasetOnOff
from gm.maps.pixel_grid import PixelGrid
from gm.maps.reading import read_map
from gm.maps.rotation import rotate
from gm.models import BackgroundIRFModel, Models, SkyModel, SpatialModel, TemplateNPredModel
from gm.models.spatial.base import ExtendedModel
from tests.likelihood.dense import applies, cash, log_log_integral, wstat

AnyMap = MapDataset | MapDatasetOnOff
MARGIN = 0.1  # [deg]


def predicted_counts(dataset: AnyMap, models: Models) -> Array:
    """Signal and known background in every bin, before they are clipped at 0."""
    total = np.zeros(dataset.counts.shape)
    for component in models:
        if isinstance(component, SkyModel) and applies(component, dataset.name):
            total += component_counts(dataset, component)
        if isinstance(component, TemplateNPredModel) and component.applies_to(dataset.name):
            total += template_counts(dataset, component)
    if isinstance(dataset, MapDataset):
        total += background_counts(dataset, models)
    return total


def template_counts(dataset: AnyMap, component: TemplateNPredModel) -> Array:
    counts = read_map(component.filename).data * component.spectral_model(dataset.energy.center)[:, None, None]
    return counts if component.spatial_model is None else counts * factor(component.spatial_model, dataset)


def factor(shape: SpatialModel, dataset: AnyMap) -> Array:
    """A density at pixel centres."""
    assert isinstance(shape, ExtendedModel)
    lon, lat = dataset.geometry.grid()
    return shape.at(*rotate(lon, lat, dataset.geometry.frame, shape.frame))


def background_counts(dataset: MapDataset, models: Models) -> Array:
    counts = np.zeros(dataset.counts.shape) if dataset.background is None else dataset.background.astype(float)
    for component in models:
        if isinstance(component, BackgroundIRFModel) and component.dataset_name == dataset.name:
            counts = counts * component.spectral_model(dataset.energy.center)[:, None, None]
            if component.spatial_model is not None:
                counts = counts * factor(component.spatial_model, dataset)
    return counts


def component_counts(dataset: AnyMap, component: SkyModel) -> Array:
    """PSF, exposure, energy dispersion; with a PSF of reconstructed energy that one last."""
    shape, apply = component.spatial_model, component.apply_irf
    values = None if shape is None else shape.values()
    place = None if shape is None else shape.position(values)
    at = (None, None, None) if place is None else (*place, shape.frame)
    kernels = kernel = None
    if dataset.psf is not None and apply["psf"]:
        axis = dataset.energy if dataset.psf.is_reco else dataset.energy_true
        kernel = dataset.psf.kernel(dataset.geometry, axis, *at)
        kernels = kernel.data.astype(np.float64)
    ny, nx = dataset.geometry.shape
    y, x = slice(0, ny), slice(0, nx)
    radius = None if shape is None else shape.evaluation_radius(values)
    if place is not None and radius is not None:
        size = 0.0 if kernel is None else kernel.shape[0] * max(dataset.geometry.pixel_scales())
        cutout = dataset.geometry.cutout(*place, size + 2 * (radius + MARGIN), shape.frame, odd=True)
        if cutout is None:
            return np.zeros(dataset.counts.shape)
        y, x = cutout.y, cutout.x
    window = dataset.geometry.window(y, x)
    if shape is None:
        images = np.ones((dataset.energy_true.n_bins, *window.shape))
    else:
        image = shape.integrate(PixelGrid(window), values, dataset.energy_true.center)
        images = np.broadcast_to(image, (dataset.energy_true.n_bins, *window.shape))
    matrix = edisp_matrix(dataset, at, bool(apply["edisp"]))
    counts = np.zeros((dataset.energy.n_bins, *window.shape))
    edges = dataset.energy_true.edges
    n_nodes = max(int(max(100 * np.log10(edges[1:] / edges[:-1]))), 2)
    for e in range(dataset.energy_true.n_bins):
        seen = images[e]
        if kernels is not None and not dataset.psf.is_reco:
            seen = same_size(seen, kernels[e])
        if apply["exposure"]:
            seen = seen * dataset.exposure[e, y, x]
        seen = seen * log_log_integral(component, edges[e], edges[e + 1], n_nodes)
        for k in range(dataset.energy.n_bins):
            counts[k] += matrix[e, k] * seen
    if kernels is not None and dataset.psf.is_reco:
        counts = np.stack([same_size(row, kernels[k]) for k, row in enumerate(counts)])
    whole = np.zeros(dataset.counts.shape)
    whole[:, y, x] = counts
    return whole


def edisp_matrix(dataset: AnyMap, at: tuple[object, ...], applied: bool) -> Array:
    if dataset.edisp is not None and applied:
        return dataset.edisp.kernel(dataset.energy, *at)  # type: ignore[arg-type]
    true, reco = dataset.energy_true.edges, dataset.energy.edges
    inside = np.minimum.outer(true[1:], reco[1:]) - np.maximum.outer(true[:-1], reco[:-1])
    return np.asarray(np.maximum(inside, 0.0) / np.diff(true)[:, None])


def same_size(image: Array, kernel: Array) -> Array:
    return np.asarray(convolve(image, kernel, mode="same", method="direct"))


def statistic(dataset: AnyMap, predicted: Array) -> float:
    total = 0.0
    for k in zip(*np.nonzero(dataset.mask), strict=True):
        if isinstance(dataset, MapDataset):
            total += cash(float(dataset.counts[k]), float(predicted[k]))
        elif dataset.acceptance[k] > 0 and dataset.acceptance_off[k] > 0:
            alpha = dataset.acceptance[k] / dataset.acceptance_off[k]
            total += wstat(float(dataset.counts[k]), float(dataset.counts_off[k]), float(alpha), float(predicted[k]))
    return total
