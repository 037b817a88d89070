"""Which responses a dataset has, and at which energies."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.reading import Dataset

Position = tuple[float, float]
WORDS = {"psf": "PSF", "edisp": "energy dispersion"}


def missing_responses(dataset: Dataset) -> tuple[str, ...]:
    """Those that predictions could use and the dataset has not: ``psf`` of maps, ``edisp`` of maps and spectra.

    Directions and energies count as measured exactly without them.
    """
    if isinstance(dataset, FluxPointsDataset):
        return ()
    names = ("psf", "edisp") if isinstance(dataset, MapDataset | MapDatasetOnOff) else ("edisp",)
    return tuple(name for name in names if getattr(dataset, name) is None)


def same_responses(dataset: Dataset, here: Position, there: Position, frame: str, conventions: Conventions) -> bool:
    """Whether a source is seen with the same PSF and energy dispersion at two positions (lon, lat) [deg]."""
    if here == there or not isinstance(dataset, MapDataset | MapDatasetOnOff):
        return True
    psf, edisp = dataset.psf, dataset.edisp
    if psf is not None and not _agree(psf.profiles(*here, frame), psf.profiles(*there, frame)):
        return False
    if edisp is None:
        return True
    return _agree(*(edisp.kernel(dataset.energy, *place, frame, conventions) for place in (here, there)))


def _agree(a: Array, b: Array) -> bool:
    """Up to the rounding of a mean of equal numbers."""
    return np.allclose(a, b, rtol=1e-12, atol=0.0)


def lost_energies(dataset: Dataset) -> tuple[float, float] | None:
    """Between which true energies [TeV] a dataset has an exposure but no energy dispersion, and so predicts nothing.

    Of those that it counts events of: beyond, nothing may be reconstructed within its bins. None: no such energies.
    """
    if isinstance(dataset, FluxPointsDataset) or dataset.edisp is None:
        return None
    edisp = dataset.edisp if isinstance(dataset.edisp, np.ndarray) else dataset.edisp.data
    axis, counted = dataset.energy_true, dataset.energy.edges
    inside = (axis.center > counted[0]) & (axis.center < counted[-1])
    exposed = dataset.exposure.reshape(axis.n_bins, -1).any(axis=1)
    lost = np.flatnonzero(inside & exposed & ~edisp.reshape(axis.n_bins, -1).any(axis=1))
    return (float(axis.lo[lost[0]]), float(axis.hi[lost[-1]])) if lost.size else None
