"""The data store of the example ``hess-like``: made by its generator, and the same to gm and to Gammapy."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from gm.makers.reflected import ReflectedRegionsBackgroundMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion
from gm.observations import DataStore
from gm.observations.field_of_view import expected_background
from tests.make_hess_like import EXAMPLE, POINTINGS, SOURCE, make

STORE = EXAMPLE / "dl3"
PEER = """
import json, sys
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import SpectrumDataset
from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom
from regions import CircleSkyRegion
center = SkyCoord(150.0, -30.0, unit="deg")
energy = MapAxis.from_energy_edges(np.geomspace(0.5, 50.0, 11) * u.TeV)
true = MapAxis.from_energy_edges(np.geomspace(0.2, 100.0, 31) * u.TeV, name="energy_true")
geom = RegionGeom.create(CircleSkyRegion(center, 0.11 * u.deg), axes=[energy])
empty = SpectrumDataset.create(geom, energy_axis_true=true)
maker = SpectrumDatasetMaker(containment_correction=True, selection=["counts", "exposure", "edisp"])
found = []
for observation in DataStore.from_dir(sys.argv[1]).get_observations(required_irf="full-enclosure"):
    made = ReflectedRegionsBackgroundMaker().run(maker.run(empty, observation), observation)
    expected = SpectrumDatasetMaker(selection=["background"]).run(empty, observation).background
    found.append(dict(
        id=observation.obs_id, livetime=observation.observation_live_time_duration.to_value("s"),
        counts=made.counts.data.ravel().tolist(), off=made.counts_off.data.ravel().tolist(),
        acceptance_off=float(made.acceptance_off.data.flat[0]), expected=expected.data.ravel().tolist(),
        exposure=made.exposure.quantity.to_value("cm2 s").ravel().tolist(),
        edisp=made.edisp.get_edisp_kernel(energy_axis=energy).pdf_matrix.sum(axis=1).tolist()))
print(json.dumps(found))
"""


def test_the_generator_makes_these_bytes(tmp_path: Path) -> None:
    make(tmp_path)
    committed = sorted(path.name for path in STORE.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == committed
    for name in committed:  # unpacked: versions of zlib pack differently
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress((STORE / name).read_bytes())


def test_the_files_are_small_and_have_no_date() -> None:
    contents = [path.read_bytes() for path in STORE.iterdir()]
    assert sum(map(len, contents)) < 300_000
    assert all(content[4:8] == bytes(4) for content in contents)  # MTIME of gzip


def test_an_observation_has_all_that_full_enclosure_needs() -> None:
    store = DataStore.open(STORE)
    for number, pointing in POINTINGS.items():
        observation = store.observation(number, "full-enclosure")
        assert observation.pointing_icrs() == pointing
        assert_allclose(observation.events.separation(*SOURCE).min(), 0.0, atol=0.05)
        assert (np.diff(observation.events.time) >= 0.0).all()


def test_gammapy_reduces_the_same(gammapy: Callable[..., Any]) -> None:
    energy = EnergyAxis(np.geomspace(0.5, 50.0, 11))
    region = SkyRegion.from_mapping({"type": "circle", "center": list(SOURCE), "radius": "0.11 deg"}, EXAMPLE)
    empty = empty_spectrum("run", energy, EnergyAxis(np.geomspace(0.2, 100.0, 31)), region)
    store = DataStore.open(STORE)
    theirs = gammapy(PEER, STORE)
    assert [row["id"] for row in theirs] == list(POINTINGS)
    for row in theirs:
        observation = store.observation(row["id"])
        maker = SpectrumDatasetMaker(("counts", "exposure", "edisp"), containment_correction=True)
        spectrum, _ = maker.run(empty, observation)
        made, _ = ReflectedRegionsBackgroundMaker().run(spectrum, observation)
        expected, _ = SpectrumDatasetMaker(("background",)).run(empty, observation)
        assert_array_equal(made.counts, row["counts"])
        assert_array_equal(made.counts_off, row["off"])
        assert made.acceptance_off[0] == row["acceptance_off"]
        assert_allclose(observation.livetime(), row["livetime"], rtol=1e-12)
        assert_allclose(made.exposure, row["exposure"], rtol=1e-6)
        assert_allclose(made.edisp.sum(axis=1), row["edisp"], rtol=1e-6, atol=1e-9)
        assert_allclose(expected.background, row["expected"], rtol=1e-6)


def test_the_background_of_the_responses_is_that_of_the_events() -> None:
    """Of all runs together, in rings around the pointing and in bins of energy, outside of the source."""
    store, energy = DataStore.open(STORE), EnergyAxis(np.array([0.5, 1.0, 3.0, 50.0]))
    rings = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    counts, expected = np.zeros((3, 4)), np.zeros((3, 4))
    for number, (lon, lat) in POINTINGS.items():
        observation = store.observation(number)
        events, offset = observation.events, observation.events.separation(lon, lat)
        away = events.separation(*SOURCE) > 0.3
        counts += np.histogram2d(events.energy[away], offset[away], [energy.edges, rings])[0]
        fine = np.linspace(0.0, 2.0, 401)
        at, area = 0.5 * (fine[1:] + fine[:-1]), 2.0 * np.pi * np.radians(1.0) ** 2 * np.diff(fine)
        density = expected_background(observation, energy, np.full(at.shape, lon), lat + at) * area * at
        x, y = np.meshgrid(*2 * [np.linspace(-0.3, 0.3, 61)])
        lost = np.hypot(x, y) < 0.3
        near = np.hypot(x, y + 0.5)[lost]  # of the circle around the source, 0.5 deg from the pointing
        cell = np.radians(0.01) ** 2
        missing = expected_background(observation, energy, np.full(near.shape, lon), lat + near) * cell
        expected += np.add.reduceat(density, np.arange(0, 400, 100), axis=1)
        expected -= np.array([np.histogram(near, rings, weights=row)[0] for row in missing])
    assert ((counts - expected) ** 2 / expected).sum() < 30.0  # of 12 bins: once in 300
