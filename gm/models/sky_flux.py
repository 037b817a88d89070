"""The flux of a component, all of it on the sky together."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models.components.sky import SkyModel
from gm.models.spectral.base import FLUX


def no_flux(component: SkyModel) -> str | None:
    """Why a component has no differential flux; None when it has.

    A flux is what its spectrum says, or its template where the spectrum is a factor of that. Raises `DataError` for a
    template that is no map.
    """
    unit, shape = component.spectral_model.result_unit(), component.spatial_model
    if unit == FLUX or (not unit and shape is not None and shape.is_flux):
        return None
    found = f"in '{unit}'" if unit else "a factor, and not of a template in cm-2 s-1 TeV-1 sr-1"
    return f"its spectrum is {found}: no differential flux in cm-2 s-1 TeV-1"


def sky_flux(component: SkyModel, energy: Array, values: Array) -> Array:
    """dnde at energies [TeV], (n_energy,) [cm-2 s-1 TeV-1], of a component that has one; ``values`` : (n_par,)."""
    spectral, shape = component.spectral_model, component.spatial_model
    n_spectral = len(spectral.parameters)
    dnde = spectral.evaluate(energy, values[:n_spectral])
    if spectral.result_unit() or shape is None:
        return dnde
    return np.asarray(dnde * shape.total(values[n_spectral : n_spectral + len(shape.parameters)], energy))
