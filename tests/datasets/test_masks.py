"""Masks by energy, by region and by exclusion map, against the rules written out pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset, SpectrumDataset
from gm.datasets.masks import mask_from
from gm.errors import DataError
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.sky_region import SkyRegion, read_ds9

CIRCLE = {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": "0.4 deg"}
GRID = WcsGeometry.create(83.63, 22.01, 0.1, width=(3.0, 2.0))
ENERGY = EnergyAxis(np.array([0.1, 1.0, 3.0, 10.0]))


@pytest.fixture
def dataset() -> MapDataset:
    true = EnergyAxis(np.array([0.1, 10.0]), "energy_true")
    counts, exposure = np.ones((3, *GRID.shape)), np.ones((1, *GRID.shape))
    return MapDataset(name="crab", geometry=GRID, energy=ENERGY, energy_true=true, counts=counts, exposure=exposure)


def test_nothing_said_keeps_everything(dataset: MapDataset) -> None:
    assert mask_from(dataset).all()
    assert mask_from(dataset).shape == dataset.counts.shape


def test_energy_ranges_keep_bins_that_lie_inside_as_a_whole(dataset: MapDataset) -> None:
    mask = mask_from(dataset, (0.5, 3.0))
    assert mask.any(axis=(1, 2)).tolist() == [False, True, False]
    assert mask[1].all()


def test_a_region_is_included_or_excluded_by_pixel_centres(dataset: MapDataset) -> None:
    region = SkyRegion.from_mapping(CIRCLE)
    inside = GRID.separation(83.63, 22.01) < 0.4
    assert inside.sum() == pytest.approx(np.pi * 0.4**2 / 0.1**2, rel=0.1)  # pixels of 0.1 deg
    include, exclude = mask_from(dataset, include=region), mask_from(dataset, exclude=region)
    assert np.array_equal(include, np.broadcast_to(inside, include.shape))
    assert np.array_equal(exclude, ~include)


def test_conditions_hold_together(dataset: MapDataset) -> None:
    region = SkyRegion.from_mapping(CIRCLE)
    both = mask_from(dataset, (1.0, None), include=region)
    assert np.array_equal(both, mask_from(dataset, (1.0, None)) & mask_from(dataset, include=region))


def test_an_exclusion_map_counts_by_its_nearest_pixel_and_keeps_what_lies_beyond(dataset: MapDataset) -> None:
    coarse = WcsGeometry.create(83.63, 22.01, 0.5, width=(1.0, 1.0))
    keep = np.ones(coarse.shape, dtype=np.bool_)
    keep[0, 0] = False
    mask = mask_from(dataset, exclusion=Map(coarse, (), keep))
    lon, lat = GRID.grid()
    y, x = coarse.index(lon, lat)
    assert np.array_equal(mask[0], ~((y == 0) & (x == 0)))
    assert (~mask[0]).sum() == 25


def test_the_exclusion_mask_and_the_ds9_file_of_the_crab_agree(dataset: MapDataset, shared: Path) -> None:
    """Both files exclude one circle of 0.3 deg; masks of different pixels differ along its edge."""
    folder = shared / "data/joint-crab/exclusion"
    by_map = mask_from(dataset, exclusion=read_map(folder / "exclusion_mask_crab.fits.gz"))[0]
    by_file = mask_from(dataset, exclude=read_ds9(folder / "Crab_exclusion.reg"))[0]
    assert 0 < (~by_map).sum() < by_map.size
    assert (by_map != by_file).sum() <= 0.1 * (~by_map).sum()


def test_a_mask_with_energies_is_refused(dataset: MapDataset) -> None:
    with pytest.raises(DataError, match="has the axes energy, expected an image"):
        mask_from(dataset, exclusion=Map(GRID, (ENERGY,), np.ones((3, *GRID.shape))))


def test_spectra_and_flux_points_know_energies_only(dataset: MapDataset, shared: Path) -> None:
    true = EnergyAxis(np.array([0.1, 10.0]), "energy_true")
    spectrum = SpectrumDataset(name="s", energy=ENERGY, energy_true=true, counts=np.ones(3), exposure=np.ones(1))
    region = SkyRegion.from_mapping(CIRCLE)
    assert mask_from(spectrum, (0.5, 3.0), include=region).tolist() == [False, True, False]
    points = Datasets.read(shared / "reference/flux-points/datasets.yaml")[0]
    assert 0 < points.energy_mask(1.0).sum() < points.energy_mask().sum()
