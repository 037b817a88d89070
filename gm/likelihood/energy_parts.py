"""Which part of a flux comes from which band of true energy."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models import EnergyBins, SpectralModel

_SAME = 1e-9  # relative difference of energies that are one


def parts_of_integrals(model: SpectralModel, values: Array, bins: EnergyBins, edges: Array) -> Array:
    """Of the integrals over ``bins``, (n_bands, n_bins); bins that an edge divides are divided as the spectrum says.

    values : (n_par,) of the spectrum; edges : (n_bands + 1,) [TeV]. What is between the first and the last edge adds up
    to 1, as rules of integration may not.
    """
    axes = [np.append(low, high[-1]) for low, high in zip(bins.split(bins.lo), bins.split(bins.hi), strict=True)]
    finer = [_with_cuts(axis, edges) for axis in axes]
    rule = EnergyBins(*finer, conventions=bins.conventions)
    flux, middle = np.abs(model.band_integrals(rule, values)), np.sqrt(rule.lo * rule.hi)
    mine = [np.searchsorted(axis, part) - 1 for axis, part in zip(axes, rule.split(middle), strict=True)]
    place = np.concatenate([own + first for own, first in zip(mine, bins.offsets, strict=False)])
    band = np.searchsorted(edges, middle) - 1
    parts, whole = np.zeros((edges.size + 1, bins.n_bins)), np.zeros(bins.n_bins)
    np.add.at(parts, (np.where(band < 0, edges.size, band), place), flux)
    np.add.at(whole, place, flux)
    return np.asarray(parts[: edges.size - 1] / np.where(whole > 0, whole, 1.0))


def parts_of_points(energies: Array, edges: Array) -> Array:
    """Of the values at ``energies`` (n,) [TeV]: 1 in their band, (n_bands, n); the last edge is in the last band."""
    band = np.searchsorted(edges * (1.0 - _SAME), energies, side="right") - 1
    band = np.where((band == edges.size - 1) & (energies <= edges[-1] * (1.0 + _SAME)), edges.size - 2, band)
    return np.asarray(band == np.arange(edges.size - 1)[:, None], dtype=np.float64)


def _with_cuts(axis: Array, edges: Array) -> Array:
    """With those edges that lie within bins of the axis."""
    inside = edges[(edges > axis[0] * (1 + _SAME)) & (edges < axis[-1] * (1 - _SAME))]
    nearest = np.abs(np.log(inside[:, None] / axis)).min(axis=1, initial=np.inf)
    return np.sort(np.concatenate([axis, inside[nearest > _SAME]]))
