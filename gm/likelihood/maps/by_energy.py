"""What a map dataset predicts and counts in each energy, summed over the sky, and its image summed over energies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gm.arrays import Array, IntArray, MapArray
from gm.likelihood.maps.bins import MapBins
from gm.likelihood.maps.prediction import MapPrediction
from gm.likelihood.report import EnergyReport
from gm.statistics import Cash, Statistic


def map_by_energy(
    dataset: int,
    bins: MapBins,
    counts: MapArray,
    prediction: MapPrediction,
    background: Array,
    by_component: Mapping[str, Array],
) -> EnergyReport:
    """The bins that enter; ``background`` is the flux vector (n_columns,) without sky components, ``by_component`` are
    those with one each; counts : (n_energy, n_y, n_x)."""
    mask, image = bins.mask, np.zeros(bins.mask.shape[1:])
    energies = np.flatnonzero(mask.any(axis=(1, 2)))
    components = {name: _add_component(prediction, flux, bins, image) for name, flux in by_component.items()}
    factor = prediction.background.factor(background)
    for k in energies:
        image += np.multiply(factor[k], np.where(mask[k], prediction.background.stored[k], 0.0), dtype=np.float64)
    below = prediction.background.totals * factor
    signal = below + sum(components.values(), np.zeros_like(below))
    statistic: Statistic = Cash(np.array([counts[k].sum(where=mask[k], dtype=np.float64) for k in energies]))
    off = np.zeros(energies.size)
    if bins.statistic.profiles_background:
        statistic, off = _joined(bins, prediction, background, by_component, energies, image)
    return EnergyReport(
        dataset=np.full(energies.size, dataset),
        bin=energies,
        n_bins=np.count_nonzero(mask[energies], axis=(1, 2)),
        counts=statistic.counts,
        predicted=signal[energies] + off,
        background=below[energies] + off,
        residual=statistic.residuals(signal[energies]),
        components={name: part[energies] for name, part in components.items()},
        images={dataset: image},
    )


def _add_component(prediction: MapPrediction, flux: Array, bins: MapBins, image: Array) -> Array:
    """What one component predicts in each energy, (n_energy,), and added to the image (ny, nx)."""
    total = np.zeros(len(bins.mask))
    for y, x, part in prediction.parts_once(flux):
        entering = part * bins.mask[:, y, x]
        total += entering.sum(axis=(1, 2))
        image[y, x] += entering.sum(axis=0)
    return total


def _joined(
    bins: MapBins,
    prediction: MapPrediction,
    background: Array,
    by_component: Mapping[str, Array],
    energies: IntArray,
    image: Array,
) -> tuple[Statistic, Array]:
    """The statistic of bins summed over the sky, and their profiled background, (n_energies,), added to the image."""
    signal = prediction.background_counts(background)
    for flux in by_component.values():
        signal = signal + prediction.of_component(flux)
    off = np.zeros(bins.mask.shape)
    off[bins.mask] = bins.whole.background(signal)
    image += off.sum(axis=0)
    row = np.searchsorted(energies, np.nonzero(bins.mask)[0])
    return bins.whole.joined(row, energies.size), off[energies].sum(axis=(1, 2))
