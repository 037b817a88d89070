"""The joint statistic written out bin by bin, as slowly and plainly as the definitions read."""

from __future__ import annotations

from math import erfc, log, sqrt

import numpy as np
from scipy.interpolate import interp1d

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, FluxPointsDataset, SpectrumDataset, SpectrumDatasetOnOff
from gm.models import BackgroundIRFModel, Models, SkyModel


def statistic(datasets: Datasets, models: Models) -> float:
    """-2 ln L of all datasets, without priors, at the models' own values."""
    return sum(dataset_statistic(dataset, models) for dataset in datasets)


def dataset_statistic(dataset: Dataset, models: Models) -> float:
    if isinstance(dataset, FluxPointsDataset):
        return sum(point(dataset, k, predicted_flux(dataset, models, k)) for k in np.flatnonzero(dataset.mask))
    predicted = predicted_counts(dataset, models)
    total = 0.0
    for k in np.flatnonzero(dataset.mask):
        if isinstance(dataset, SpectrumDataset):
            total += cash(dataset.counts[k], predicted[k])
        elif dataset.acceptance[k] > 0 and dataset.acceptance_off[k] > 0:
            alpha = dataset.acceptance[k] / dataset.acceptance_off[k]
            total += wstat(dataset.counts[k], dataset.counts_off[k], alpha, predicted[k])
    return total


def predicted_counts(dataset: SpectrumDataset | SpectrumDatasetOnOff, models: Models) -> Array:
    """Signal in every bin; with the known background, if there is one."""
    predicted = np.zeros(dataset.energy.n_bins)
    known = dataset.background if isinstance(dataset, SpectrumDataset) else None
    if known is not None:
        norm = np.ones(dataset.energy.n_bins)
        for component in models:
            if isinstance(component, BackgroundIRFModel) and component.dataset_name == dataset.name:
                norm = component.spectral_model(np.sqrt(dataset.energy.lo * dataset.energy.hi))
        predicted += known * norm
    for component in models:
        if isinstance(component, SkyModel) and applies(component, dataset.name):
            predicted += component_counts(component, dataset)
    return predicted


def applies(component: SkyModel, name: str) -> bool:
    return component.datasets_names is None or name in component.datasets_names


def component_counts(component: SkyModel, dataset: SpectrumDataset | SpectrumDatasetOnOff) -> Array:
    counts = np.zeros(dataset.energy.n_bins)
    edges, true = dataset.energy.edges, dataset.energy_true.edges
    widest = max(100 * log(true[e + 1] / true[e]) / log(10) for e in range(len(true) - 1))
    for e in range(len(true) - 1):
        flux = log_log_integral(component, true[e], true[e + 1], max(int(widest), 2))
        if component.apply_irf["exposure"]:
            flux *= dataset.exposure[e]
        for k in range(len(edges) - 1):
            if component.apply_irf["edisp"] and dataset.edisp is not None:
                share = dataset.edisp[e, k]
            else:
                inside = max(0.0, min(edges[k + 1], true[e + 1]) - max(edges[k], true[e]))
                share = inside / (true[e + 1] - true[e])
            counts[k] += flux * share
    return counts


def log_log_integral(component: SkyModel, low: float, high: float, n_nodes: int) -> float:
    """A power law between neighbouring nodes; exact for a power law, whatever their number."""
    nodes = np.geomspace(low, high, n_nodes)
    values = component.spectral_model(nodes)
    total = 0.0
    for x0, x1, y0, y1 in zip(nodes[:-1], nodes[1:], values[:-1], values[1:], strict=True):
        if y0 == 0 or y1 == 0:
            continue
        gamma = -log(y1 / y0) / log(x1 / x0)
        if abs(1 - gamma) < 1e-8:
            total += y0 * x0 * log(x1 / x0)
        else:
            total += y0 * x0 / (1 - gamma) * ((x1 / x0) ** (1 - gamma) - 1)
    return total


def cash(n: float, mu: float) -> float:
    mu = max(mu, 1e-25)
    return 2 * (mu - n * log(mu))


def wstat(n_on: float, n_off: float, alpha: float, signal: float) -> float:
    c = alpha * (n_on + n_off) - (1 + alpha) * signal
    d = sqrt(max(c**2 + 4 * alpha * (1 + alpha) * n_off * signal, 0.0))
    off = (c + d) / (2 * alpha * (1 + alpha))
    value = signal + (1 + alpha) * off
    if n_on > 0:
        value -= n_on * log(signal + alpha * off) + n_on * (1 - log(n_on))
    if n_off > 0:
        value -= n_off * log(off) + n_off * (1 - log(n_off))
    return 2 * value


def predicted_flux(dataset: FluxPointsDataset, models: Models, k: int) -> float:
    energy = dataset.points.energy[k : k + 1]
    sky = [c for c in models if isinstance(c, SkyModel) and applies(c, dataset.name)]
    return sum(float(component.spectral_model(energy)[0]) for component in sky)


def point(dataset: FluxPointsDataset, k: int, predicted: float) -> float:
    points = dataset.points
    if dataset.stat_type == "profile":
        assert points.stat is not None
        assert points.stat_scan is not None
        assert points.norm_scan is not None
        delta = np.abs(points.stat_scan[k] - points.stat[k])
        curve = interp1d(points.norm_scan[k], delta, kind="quadratic", fill_value="extrapolate", bounds_error=False)
        return float(curve(predicted / points.dnde_ref[k]))
    if points.is_ul[k]:
        limit = points.dnde_ul[k]
        return 2 * log(erfc((limit - predicted) / limit) / erfc(1.0))
    error = points.dnde_err[k]
    if dataset.stat_type == "distrib":
        error = points.dnde_errp[k] if predicted >= points.dnde[k] else points.dnde_errn[k]
    return float(((predicted - points.dnde[k]) / error) ** 2)
