"""Fit masks: which bins of a dataset enter a fit, by energy, by region of the sky, and by an exclusion map."""

from __future__ import annotations

import numpy as np

from gm.arrays import BoolArray
from gm.datasets.flux_points import FluxPointsDataset
from gm.datasets.map_dataset import MapDataset, MapDatasetOnOff
from gm.datasets.reading import Dataset
from gm.maps.axes import within
from gm.maps.exclusion import resample_mask
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion


def mask_from(
    dataset: Dataset,
    energy_range: tuple[float | None, float | None] = (None, None),
    include: SkyRegion | None = None,
    exclude: SkyRegion | None = None,
    exclusion: Map | None = None,
) -> BoolArray:
    """The bins that hold for every condition, in the shape of the dataset's masks.

    energy_range : bins (flux points: by their edges, or their energy without edges) that lie between two energies
    [TeV] as a whole; include, exclude : pixels with their centre inside, not inside a region; exclusion : an image that
    is not 0 where data are kept; its nearest pixel counts, and beyond its border data are kept. Conditions on the sky
    say nothing about spectra and flux points. Raises `DataError`.
    """
    keep = energy_mask(dataset, *energy_range)
    if not isinstance(dataset, MapDataset | MapDatasetOnOff):
        return keep
    image = sky_mask(dataset.geometry, include, exclude, exclusion)
    return keep[:, None, None] & image


def energy_mask(dataset: Dataset, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
    """``(n_energy,)``: bins, or flux points, between two energies [TeV]."""
    if not isinstance(dataset, FluxPointsDataset):
        return dataset.energy.mask(e_min, e_max)
    points = dataset.points
    low, high = (
        points.energy if edges is None else np.where(np.isnan(edges), points.energy, edges)
        for edges in (points.e_min, points.e_max)
    )
    return within(low, high, e_min, e_max)


def sky_mask(
    geometry: WcsGeometry, include: SkyRegion | None, exclude: SkyRegion | None, exclusion: Map | None
) -> BoolArray:
    """``(n_y, n_x)``: pixels inside, outside, and not excluded. Raises `DataError`."""
    image = np.ones(geometry.shape, dtype=np.bool_)
    if include is not None:
        image &= include.contains(geometry)
    if exclude is not None:
        image &= ~exclude.contains(geometry)
    if exclusion is not None:
        image &= resample_mask(exclusion, geometry, outside=True)
    return image
