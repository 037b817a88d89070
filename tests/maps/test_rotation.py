"""Rotations between frames, against ``astropy.coordinates``."""

from __future__ import annotations

import sys
from itertools import permutations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.maps.rotation import FRAMES, matrix, rotate
from gm.maps.sphere import separation, unit_vectors

TOLERANCE = 1e-9  # deg, a few microarcseconds: far below any pixel


@pytest.mark.parametrize(
    ("start", "end"), [*permutations(FRAMES, 2), ("fk4", "icrs"), ("galactic", "barycentrictrueecliptic")]
)
def test_astropy_agrees(start: str, end: str) -> None:
    random = np.random.default_rng(1)
    lon = np.append(random.uniform(0, 360, 300), [0.0, 0.0, 192.86, 266.4])
    lat = np.append(np.degrees(np.arcsin(random.uniform(-1, 1, 300))), [90.0, -90.0, 27.13, -28.94])
    judge = SkyCoord(lon, lat, unit="deg", frame=start).transform_to(end).spherical
    assert separation(*rotate(lon, lat, start, end), judge.lon.deg, judge.lat.deg).max() < TOLERANCE
    if {start, end} <= set(FRAMES):
        turned = matrix(start, end) @ unit_vectors(lon, lat)
        assert np.abs(turned - unit_vectors(judge.lon.deg, judge.lat.deg)).max() < np.radians(TOLERANCE)


@given(st.sampled_from(FRAMES), st.sampled_from(FRAMES), st.floats(0, 360), st.floats(-90, 90))
def test_there_and_back(start: str, end: str, lon: float, lat: float) -> None:
    back = rotate(*rotate(lon, lat, start, end), end, start)
    assert separation(*back, lon, lat) < 1e-12
    assert np.allclose(matrix(start, end) @ matrix(end, start), np.eye(3), atol=1e-15)


def test_unknown_frames() -> None:
    with pytest.raises(DataError, match="did you mean 'galactic'"):
        matrix("galctic", "icrs")
    with pytest.raises(DataError, match="nowhere"):
        rotate(0.0, 0.0, "icrs", "nowhere")


def test_no_import_of_astropy_coordinates() -> None:
    import subprocess

    code = "import sys; from gm.maps.rotation import rotate; rotate(1., 2., 'icrs', 'galactic'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "astropy" not in done.stdout.split()
