"""Which responses a dataset has."""

from __future__ import annotations

from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.reading import Dataset

WORDS = {"psf": "PSF", "edisp": "energy dispersion"}


def missing_responses(dataset: Dataset) -> tuple[str, ...]:
    """Those that predictions could use and the dataset has not: ``psf`` of maps, ``edisp`` of maps and spectra.

    Directions and energies count as measured exactly without them.
    """
    if isinstance(dataset, FluxPointsDataset):
        return ()
    names = ("psf", "edisp") if isinstance(dataset, MapDataset | MapDatasetOnOff) else ("edisp",)
    return tuple(name for name in names if getattr(dataset, name) is None)
