"""Coordinates in the field of view, and the background that is expected there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sphere import separation
from gm.observations import DataStore, Observation
from gm.observations.field_of_view import expected_background, fov_coordinates, rotation_times
from gm.observations.pointing import altaz
from tests.dl3_files import bkg, events, write_observation

RNG = np.random.default_rng(0)


def observe(path: Path) -> Observation:
    return DataStore.open(path).observation(1)


def test_coordinates_point_north_and_west() -> None:
    lon, lat = fov_coordinates([83.0, 83.0, 82.0], [22.0, 23.0, 22.0], 83.0, 22.0)
    assert_allclose(lat[:2], [0.0, 1.0], atol=1e-12)
    assert_allclose(lon[:2], 0.0, atol=1e-12)
    assert_allclose(lon[2], np.cos(np.radians(22.0)), rtol=1e-4)  # towards decreasing right ascension


def test_coordinates_keep_distances() -> None:
    lon, lat = RNG.uniform(0, 360, 50), np.degrees(np.arcsin(RNG.uniform(-1, 1, 50)))
    assert_allclose(separation(0.0, 0.0, *fov_coordinates(lon, lat, 210.0, -47.0)), separation(210.0, -47.0, lon, lat))


def test_background_of_run_23523(shared: Path) -> None:
    """A pixel of half a degree, as Gammapy 2.1 has it; its logarithms are of single precision."""
    observation = DataStore.open(shared / "data/hess-dl3-dr1").observation(23523)
    grid = WcsGeometry.create(83.63, 22.01, 0.5, shape=(6, 8), projection="TAN")
    counts = expected_background(observation, EnergyAxis(np.geomspace(0.7, 20, 5)), *grid.sky(3, 2))
    assert_allclose(counts * grid.solid_angle()[2, 3], [46.16752, 18.98084, 7.174869, 1.560264], rtol=1e-6)


def test_exposure_of_run_23523(shared: Path) -> None:
    observation = DataStore.open(shared / "data/hess-dl3-dr1").observation(23523)
    grid = WcsGeometry.create(83.63, 22.01, 0.5, shape=(6, 8), projection="TAN")
    true = EnergyAxis(np.geomspace(0.3, 50, 7))
    offset = separation(*observation.pointing_icrs(), *grid.sky(3, 2))
    exposure = observation.aeff.evaluate(true.center, offset) * observation.livetime()
    golden = [3.0968455735e7, 3.8775373282e8, 6.8310818765e8, 9.8367329454e8, 1.0626050375e9, 1.0866887695e9]
    assert_allclose(exposure, 1e4 * np.array(golden), rtol=1e-10)


def test_a_background_along_altitude_is_averaged_over_the_observation(tmp_path: Path) -> None:
    """Against a sum over many short times."""
    path = write_observation(tmp_path / "run.fits", bkg=bkg(FOVALIGN="ALTAZ"), events=events(20))
    observation, energy = observe(path), EnergyAxis(np.array([1.0, 3.0]))
    lon, lat = np.array([83.0, 84.1]), np.array([22.0, 23.3])
    times = rotation_times(observation, 0.05)
    assert len(times) > 20
    assert (times[0], times[-1]) == (0.0, 1000.0)
    counts = expected_background(observation, energy, lon, lat, rotation_step=0.05)
    reference, pointing = observation.gti.reference, observation.pointing
    slow = np.zeros(2)
    for time in np.arange(5.0, 1000.0, 10.0).tolist():
        fov = fov_coordinates(*altaz(lon, lat, pointing.site, time, reference), *pointing.altaz(time, reference))
        slow += 10.0 * observation.bkg.integral(energy, *fov)[0]
    assert_allclose(counts[0], slow, rtol=1e-6)
    fixed = expected_background(
        observe(write_observation(tmp_path / "fixed.fits", events=events(20))), energy, lon, lat
    )
    assert (np.abs(counts / fixed - 1.0) > 0.01).all()


@pytest.mark.parametrize("phase", [(), ((0.0, 0.25),)])
def test_background_grows_with_the_time_without_a_correction_for_dead_time(
    tmp_path: Path, phase: tuple[tuple[float, float], ...]
) -> None:
    observation = observe(write_observation(tmp_path / "run.fits")).select(phase=phase)
    energy = EnergyAxis(np.array([1.0, 3.0]))
    rate = observation.bkg.integral(energy, *fov_coordinates(83.0, 22.0, 83.6, 22.5))
    seconds = 250.0 if phase else 1000.0
    assert_allclose(expected_background(observation, energy, 83.0, 22.0), seconds * rate, rtol=1e-14)
