"""Map datasets without data, which simulations fill: from the formulae of an array, or from an existing dataset."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, MapArray
from gm.datasets.map_dataset import MapDataset
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
    """A parametrised array that looks at the centre of the map. Raises `DataError` for other instruments."""
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


def scaled(counts: MapArray, acceptance: MapArray, of: MapArray) -> MapArray:
    """Counts seen with one acceptance to those with another; nothing where nothing could be seen."""
    nothing = np.zeros(counts.shape, np.result_type(counts, acceptance, np.float32))
    return counts * np.divide(acceptance, of, out=nothing, where=of > 0)


def stored(counts: Array) -> MapArray:
    """Counts as files hold them: in single precision, which is exact up to 16 million."""
    return counts.astype(np.float32 if counts.max(initial=0.0) < 1 << 24 else np.float64)


def no_counts(energy: EnergyAxis, geometry: WcsGeometry) -> MapArray:
    """Zeros, as `stored` has them."""
    return np.zeros((energy.n_bins, *geometry.shape), dtype=np.float32)
