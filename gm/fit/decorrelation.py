"""The energy at which a fitted spectrum is known best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array
from gm.models import Component, SpectralModel
from gm.models.spectrum_errors import KnownErrors

_N_GRID = 400
_LEVEL = 1e-6  # relative change of a variance that is none: where only a norm is free all energies are known alike


@final
@dataclass(frozen=True, eq=False)
class FittedShape:
    """The fitted spectrum of a component between two energies [TeV], with the errors of its model."""

    component: Component
    errors: KnownErrors
    e_min: float
    e_max: float

    def decorrelation_energy(self) -> float | None:
        """Where it is known best [TeV]: see the function of this name. None too where its errors are not known."""
        model, known = self.component.spectral_model, self.errors.of(self.component)
        if known is None or not known.any():
            return None
        covariance: Array = known * np.outer(model.factors, model.factors)
        return decorrelation_energy(model, model.values(), covariance, self.e_min, self.e_max)


def decorrelation_energy(
    model: SpectralModel, values: Array, covariance: Array, e_min: float, e_max: float
) -> float | None:
    """Energy [TeV] between ``e_min`` and ``e_max`` where the relative error of the flux is smallest.

    ``values`` (n_par,) and ``covariance`` (n_par, n_par) in internal units. The error is propagated linearly,
    ``sigma_f^2 = grad f . C . grad f``. None where the error is smallest at an end or everywhere: none is known best.
    """
    energy = np.power(10.0, np.linspace(np.log10(e_min), np.log10(e_max), _N_GRID))
    energy[0], energy[-1] = e_min, e_max
    flux, gradient = model.evaluate_with_gradient(energy, values)
    variance = np.einsum("ie,ij,je->e", gradient, covariance, gradient)
    square = flux**2
    if not ((flux > 0) & (square > 0)).all() or not (variance > 0).all():
        return None
    relative = variance / square
    k = int(np.argmin(relative))
    if k in (0, _N_GRID - 1) or relative.max() <= (1 + _LEVEL) * relative[k]:
        return None
    left, here, right = relative[k - 1 : k + 2]
    shift = 0.5 * (left - right) / (left - 2 * here + right)  # of a parabola through the three
    return float(np.exp(np.log(energy[k]) + shift * np.log(energy[1] / energy[0])))
