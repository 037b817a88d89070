"""Exposure, PSF and energy dispersion of an observation at the pixels of a map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gm.arrays import Array, MapArray
from gm.errors import DataError
from gm.irf.edisp_map import EdispKernelMap, EdispMap
from gm.irf.positions import ResponseGeometry
from gm.irf.psf import PsfMap
from gm.irf.tables import EnergyDispersion2D
from gm.makers.pixels import Pixels
from gm.maps.axes import Axis, EnergyAxis
from gm.observations import Observation

_LEAST = 1e-8  # probability of a bin of reconstructed energy; less is what rounding leaves


def exposure_at(observation: Observation, energy_true: Array, offset: Array) -> MapArray:
    """Exposure ``(n_energy_true, n_y, n_x)`` [cm2 s] at energies [TeV] and distances [deg] from the pointing."""
    area = observation.aeff.evaluate(energy_true[:, None, None], offset)
    area *= observation.livetime()
    return area.astype(np.float32, order="C")


def psf_map(psf: PsfMap | None, observation: Observation) -> PsfMap | None:
    """The PSF at the pixels of ``psf``, whose values do not matter: with integral 1, or 0 where the table has none."""
    if psf is None:
        return None
    offset, energy_true = _offsets(psf.geometry, observation), psf.energy.center
    values = observation.psf.evaluate(psf.rad.center[:, None, None], energy_true[:, None, None, None], offset)
    ring = 2.0 * np.pi * np.radians(psf.rad.center) * np.radians(psf.rad.width)
    data = _normalised(values, ring).astype(np.float32, order="C")
    return replace(psf, data=data, exposure=exposure_at(observation, energy_true, offset))


def edisp_map(edisp: EdispMap | None, observation: Observation) -> EdispMap | None:
    """The energy dispersion at the pixels of ``edisp``, whose values do not matter, in energy or in migra as there."""
    if edisp is None:
        return None
    offset, energy_true = _offsets(edisp.geometry, observation), edisp.energy_true
    if isinstance(edisp, EdispKernelMap):
        data = kernels(observation.edisp, energy_true, edisp.energy, offset)
    else:
        energy, migra = energy_true.center[:, None, None, None], edisp.migra.center[:, None, None]
        data = _normalised(observation.edisp.evaluate(energy, migra, offset), edisp.migra.width)
    exposure = exposure_at(observation, energy_true.center, offset)
    return replace(edisp, data=data.astype(np.float32), exposure=exposure)


def kernels(table: EnergyDispersion2D, energy_true: Axis, energy: EnergyAxis, offset: Array) -> Array:
    """Probabilities ``(n_energy_true, n_energy, *shape)`` of the bins of reconstructed energy at offsets [deg].

    The table's cumulative density, linear in its migra, at the edges of the bins. Source: Gammapy 2.1,
    ``make_edisp_kernel_map``; at one offset the same as `EnergyDispersion2D.kernel`. The table is linear between its
    offsets, and so are sums over it: they are made there, and at pixels beyond.
    """
    nodes, flat = table.offset.center, offset.ravel()
    between = (flat >= nodes[0]) & (flat <= nodes[-1])
    at = np.clip(np.searchsorted(nodes, flat, side="right") - 1, 0, max(len(nodes) - 2, 0))
    upper = np.minimum(at + 1, len(nodes) - 1)
    weight = np.where(between & (upper > at), (flat - nodes[at]) / np.where(upper > at, nodes[upper] - nodes[at], 1), 0)
    held = _sums(table, energy_true, energy, nodes)
    sums = held[..., at] * (1.0 - weight) + held[..., upper] * weight
    if not between.all():
        sums[..., ~between] = _sums(table, energy_true, energy, flat[~between])
    total = sums[:, -1:]
    matrix = np.clip(np.diff(sums[:, :-1], axis=1), 0.0, None) / np.where(total > 0.0, total, np.inf)
    return np.where(matrix < _LEAST, 0.0, matrix).reshape(-1, energy.n_bins, *offset.shape)


def _sums(table: EnergyDispersion2D, energy_true: Axis, energy: EnergyAxis, offset: Array) -> Array:
    """Integrals ``(n_energy_true, n_edges + 1, n)`` of the density up to each edge of energy, and over all of migra."""
    density = table.evaluate(energy_true.center[:, None], table.migra.center[:, None, None], offset)
    cumulative = np.cumsum(density * table.migra.width[:, None, None], axis=0)
    cumulative = np.concatenate([np.zeros((1, *density.shape[1:])), cumulative])
    edges, wanted = table.migra.edges, energy.edges / energy_true.center[:, None]
    at = np.clip(np.searchsorted(edges, wanted, side="right") - 1, 0, len(edges) - 2)
    weight = np.clip((wanted - edges[at]) / np.diff(edges)[at], 0.0, 1.0)[:, :, None]
    row = np.arange(energy_true.n_bins)[:, None]
    up_to = cumulative[at, row] * (1.0 - weight) + cumulative[at + 1, row] * weight
    return np.concatenate([up_to, cumulative[-1][:, None]], axis=1)


def _offsets(geometry: ResponseGeometry, observation: Observation) -> Array:
    if geometry.pixel_grid is None:
        raise DataError("the responses of a map are made on pixels")
    return Pixels.of(geometry.pixel_grid).offsets(*observation.pointing_icrs())


def _normalised(values: Array, widths: Array) -> Array:
    """Densities ``(n_energy, n, n_y, n_x)`` divided by their largest integral up to any bin; 0 where there is none."""
    total = np.cumsum(values * widths[:, None, None], axis=1).max(axis=1, keepdims=True)
    return np.asarray(values / np.where(total > 0.0, total, np.inf))
