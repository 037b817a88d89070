"""Map datasets without data, which simulations fill: from the formulae of an array, or from an existing dataset."""

from __future__ import annotations

import numpy as np

from gm.datasets.map_dataset import MapDataset, no_counts
from gm.errors import DataError
from gm.irf.parametric import CherenkovArray, Instrument
from gm.irf.parametric_map import field_of_view
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry


def map_of_instrument(
    name: str,
    instrument: Instrument,
    geometry: WcsGeometry,
    energy: EnergyAxis,
    energy_true: EnergyAxis,
    livetime: float,
) -> MapDataset:
    """A parametrised array that looks at the centre of the map for ``livetime`` [s].

    Raises `DataError` for other instruments.
    """
    if not isinstance(instrument, CherenkovArray):
        raise DataError(f"{name}: only 'iact' is simulated on a map")
    view = field_of_view(instrument, geometry, energy, energy_true, livetime)
    return MapDataset(
        name=name,
        geometry=geometry,
        energy=energy,
        energy_true=energy_true,
        counts=no_counts(energy, geometry),
        exposure=view.exposure.astype(np.float32),
        background=view.background.astype(np.float32),
        psf=view.psf,
        edisp=view.edisp,
        livetime=livetime,
    )
