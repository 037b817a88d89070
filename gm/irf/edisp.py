"""Energy dispersion as a matrix: probability of each reconstructed-energy bin for each true-energy bin."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.maps.axes import Axis, EnergyAxis


def overlap_matrix(energy_true: EnergyAxis, energy: EnergyAxis) -> Array:
    """Matrix of a perfect measurement ``(n_energy_true, n_energy)``: ``|true bin ∩ bin| / |true bin|``, in energy."""
    lo = np.maximum(energy_true.lo[:, None], energy.lo)
    hi = np.minimum(energy_true.hi[:, None], energy.hi)
    matrix: Array = np.clip(hi - lo, 0.0, None) / energy_true.width[:, None]
    return matrix


def migra_matrix(
    density: Array, migra_edges: Array, energy_true: Axis, energy: EnergyAxis, interp: str = "lin"
) -> Array:
    """Matrix ``(n_energy_true, n_energy)`` from a density in ``migra = E / E_true``.

    density : (n_energy_true, n_migra) per unit of migra. Its cumulative sum, 0 at the first migra edge and flat
    outside, is interpolated at ``E_edge / sqrt(lo_true hi_true)``, linearly in migra or (``interp``) its logarithm;
    differences below 1e-8 are 0; the rows are not renormalised.
    Source: Gammapy 2.1, ``EDispMap.get_edisp_kernel``.
    """
    cumulative = np.cumsum(density * np.diff(migra_edges), axis=1)
    cumulative = np.concatenate([np.zeros((len(density), 1)), cumulative], axis=1)
    migra = energy.edges / energy_true.center[:, None]
    if interp == "log":
        migra, migra_edges = np.log(migra), np.log(migra_edges)
    at_edges = np.array([np.interp(m, migra_edges, c) for m, c in zip(migra, cumulative, strict=True)])
    matrix: Array = np.clip(np.diff(at_edges, axis=1), 0.0, None)
    matrix[matrix < 1e-8] = 0.0
    return matrix
