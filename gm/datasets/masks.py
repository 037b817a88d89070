"""Fit masks: which bins of a dataset enter a fit, by energy, by region of the sky, and by an exclusion map."""

from __future__ import annotations

from gm.arrays import BoolArray
from gm.datasets.base import Dataset
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion


def mask_from(
    dataset: Dataset,
    energy_range: tuple[float | None, float | None] = (None, None),
    include: SkyRegion | None = None,
    exclude: SkyRegion | None = None,
    exclusion: Map | None = None,
    *,
    on_sky: bool = False,
) -> BoolArray:
    """The bins that hold for every condition, in the shape of the dataset's masks.

    energy_range : bins (flux points: by their edges, or their energy without edges) that lie between two energies
    [TeV] as a whole; include, exclude : pixels with their centre inside, not inside a region; exclusion : an image that
    is not 0 where data are kept; its nearest pixel counts, and beyond its border data are kept. Conditions on the sky
    say nothing about spectra and flux points; on_sky : see `SkyRegion.contains`. Raises `DataError`.
    """
    keep = dataset.energy_mask(*energy_range)
    image = dataset.sky_mask(include, exclude, exclusion, on_sky=on_sky)
    return keep if image is None else keep[:, None, None] & image
