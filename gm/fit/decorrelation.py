"""The energy at which a fitted spectrum is known best."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models import SpectralModel

_N_GRID = 400
_LEVEL = 1e-6  # relative change of a variance that is none: where only a norm is free all energies are known alike


def decorrelation_energy(
    model: SpectralModel, values: Array, covariance: Array, e_min: float, e_max: float
) -> float | None:
    """Energy [TeV] between ``e_min`` and ``e_max`` where the relative error of the flux is smallest.

    ``values`` (n_par,) and ``covariance`` (n_par, n_par) in internal units. The error is propagated linearly,
    ``sigma_f^2 = grad f . C . grad f``. None where the error is smallest at an end or everywhere: none is known best.
    """
    energy = np.geomspace(e_min, e_max, _N_GRID)
    gradient = model.gradient(energy, values)
    variance = np.einsum("ie,ij,je->e", gradient, covariance, gradient)
    flux = model.evaluate(energy, values)
    if not ((flux > 0) & (flux**2 > 0)).all() or not (variance > 0).all():
        return None
    relative = variance / flux**2
    k = int(np.argmin(relative))
    if k in (0, _N_GRID - 1) or relative.max() <= (1 + _LEVEL) * relative[k]:
        return None
    left, here, right = relative[k - 1 : k + 2]
    shift = 0.5 * (left - right) / (left - 2 * here + right)  # of a parabola through the three
    return float(np.exp(np.log(energy[k]) + shift * np.log(energy[1] / energy[0])))
